"""Synthetic people in real places, for make.py.

Nobody here exists: every phone is NXX-555-01xx, which is set aside for fiction, and every e-mail is at example.com,
example.org or example.net (RFC 2606). Cities, states, ZIP codes and area codes belong together, because a check
that compares them must find nothing to complain about in a clean record.
"""

import random
import unicodedata
from dataclasses import dataclass

# City, state, area code, ZIP codes. An area code has a hundred numbers for fiction, so there are many of them.
PLACES = [
    ("Denver", "CO", "303", "80202 80205 80210 80220"),
    ("Aurora", "CO", "720", "80010 80012 80014"),
    ("Colorado Springs", "CO", "719", "80903 80907 80918"),
    ("Fort Collins", "CO", "970", "80521 80524 80525"),
    ("Phoenix", "AZ", "602", "85003 85016 85020"),
    ("Mesa", "AZ", "480", "85201 85203 85210"),
    ("Tucson", "AZ", "520", "85701 85705 85719"),
    ("Albuquerque", "NM", "505", "87102 87106 87110"),
    ("Las Vegas", "NV", "702", "89101 89104 89117"),
    ("Salt Lake City", "UT", "801", "84101 84105 84106"),
    ("Boise", "ID", "208", "83702 83704 83706"),
    ("Billings", "MT", "406", "59101 59102"),
    ("Seattle", "WA", "206", "98101 98103 98115"),
    ("Spokane", "WA", "509", "99201 99205 99208"),
    ("Portland", "OR", "503", "97201 97211 97214"),
    ("Sacramento", "CA", "916", "95814 95816 95819"),
    ("San Diego", "CA", "619", "92101 92103 92104"),
    ("Fresno", "CA", "559", "93701 93704"),
    ("Austin", "TX", "512", "78701 78704 78745"),
    ("Houston", "TX", "713", "77002 77008 77019"),
    ("San Antonio", "TX", "210", "78205 78209 78216"),
    ("Dallas", "TX", "214", "75201 75204 75214"),
    ("Minneapolis", "MN", "612", "55401 55405 55408"),
    ("Chicago", "IL", "773", "60614 60618 60640"),
    ("Columbus", "OH", "614", "43201 43206 43215"),
    ("Nashville", "TN", "615", "37203 37206 37212"),
    ("Atlanta", "GA", "404", "30303 30308 30312"),
    ("Charlotte", "NC", "704", "28202 28203 28205"),
    ("Tampa", "FL", "813", "33602 33606 33611"),
    ("Orlando", "FL", "407", "32801 32803 32806"),
    ("Richmond", "VA", "804", "23220 23221"),
    ("Philadelphia", "PA", "215", "19103 19147"),
    ("Newark", "NJ", "973", "07102 07104"),
    ("Hartford", "CT", "860", "06103 06105"),
    ("Providence", "RI", "401", "02903 02906"),
    ("Cambridge", "MA", "617", "02138 02139 02141"),
    ("Worcester", "MA", "508", "01602 01605"),
    ("Portland", "ME", "207", "04101 04103"),
]

FIRST_NAMES = """
Alma Aaron Adriana Aisha Alejandro Amara Amit Anaïs Andre Angela Anne-Marie Antonio Arjun Ashley Benjamin Beatriz Brandon
Brenda Carlos Camille Chloé Christopher Claire Damian Daniela Darnell Deborah Denise Derek Diego Dmitri Elena Elijah Emeka
Emily Esther Fatima Fiona Francisco François Gabriela George Grace Hannah Hassan Heather Hiroshi Ian Imani Ingrid Isaac
Ivy Jamal Jasmine Jean-Luc Jennifer Jesús Jordan José Joyce Juan Karen Keisha Kenji Kwame Laura Leila Liam Linda Lorenzo
Luca Lucía Malik Marcus María Mateo Megan Mei Michael Miguel Mónica Nadia Natalie Niamh Noah Nora Octavia Olga Omar Óscar
Patricia Paul Pedro Priya Quinn Rachel Rafael Ravi René Rosa Ruth Samantha Samuel Sanjay Seán Sofía Stephanie Susan Tamika
Teresa Thanh Theodore Thomas Tyrone Uma Valentina Vanessa Victor Vikram Walter Wei Wendy William Ximena Yolanda Yusuf Zoë
""".split()

# Several words to a name, hence a line a dozen and not a blank between.
LAST_NAMES = """
Adams|Abara|Álvarez|Anderson|Bailey|Banerjee|Barnes|Becker|Bennett|Brooks|Bui|Calderón|Campbell|Carter|Castillo
Chen|Chowdhury|Coleman|Cooper|D'Angelo|Davis|De la Cruz|Delgado|Díaz|Dubois|Edwards|Eriksson|Fernández|Fischer
Fitzgerald|Foster|Freeman|García|Gómez|Goldberg|Grant|Gupta|Hall|Hansen|Harris|Hayes|Hernández|Howard|Hughes
Ibáñez|Ivanov|Jackson|Jensen|Johnson|Johnson-Reed|Kaplan|Keller|Khan|Kim|Kowalski|Kumar|Larsen|Lee|Lefebvre-O'Neil
Lewis|Lindqvist|López|MacLeod|Marino|Martin|Martínez|McCarthy|McDonald|McGee|McKinney|Mendoza|Miller|Mitchell|Moreno
Morgan|Müller|Muñoz|Murphy|Nakamura|Nelson|Nguyen|Novak|Núñez|O'Brien|O'Connor|O'Neill|O'Sullivan|Okafor|Olsen|Ortega
Park|Patel|Peña|Pereira|Petrov|Phillips|Powell|Price|Ramírez|Reyes|Rivera|Roberts|Robinson|Rossi|Ruiz|Sánchez|Sato
Schmidt|Silva|Singh|Smith|Smith Jr|Søndergaard|Stewart|Tanaka|Taylor|Thompson|Torres|Tran|Turner|Van der Berg|Vargas
Vasquez|Wagner|Walker|Wallace|Ward|Washington|Watson|White|Williams|Wilson|Wong|Wright|Yamamoto|Young|Zhang|Zimmerman
""".strip().replace("\n", "|").split("|")

STREETS = """
Main St|Oak Ave|N Pine St|Maple Dr|Cedar Ln|W Elm St|Washington Blvd|Lake Shore Dr|Park Ave|Hillcrest Rd|S Madison St
Sunset Blvd|E Colfax Ave|Birch Ct|River Rd|Spruce St|Lincoln Ave|Highland Ave|Meadow Ln|Franklin St|Willow Way
Orchard Rd|Aspen Cir|Jefferson St|Valley View Dr|2nd Ave|14th St|Chestnut St|College Ave|Prairie Trl
""".strip().replace("\n", "|").split("|")


class Dice:
    """Chance that falls the same way each time.

    Of Python's generator only `random()` is promised to give the same numbers in every version, so all is made of it.
    """

    def __init__(self, seed):
        self._random = random.Random(seed).random

    def number(self, low, high):
        """A whole number from `low` to `high`, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, items):
        return items[self.number(0, len(items) - 1)]

    def percent(self, chance):
        return self.number(1, 100) <= chance

    def shuffled(self, items):
        items = list(items)
        for last in range(len(items) - 1, 0, -1):
            other = self.number(0, last)
            items[last], items[other] = items[other], items[last]
        return items


@dataclass
class Person:
    """One synthetic person; `phone` has ten digits."""

    first: str
    last: str
    house: str
    street: str
    city: str
    state: str
    zip: str
    phone: str
    email: str

    @property
    def address(self):
        return f"{self.house} {self.street}"


class People:
    """Hands out people no two of whom share a phone, an e-mail or a full name."""

    def __init__(self, dice):
        self._dice = dice
        # San Juan's too, whose ZIP codes begin with two noughts: make.py sends one person there.
        areas = [area for _, _, area, _ in PLACES] + ["787"]
        self._numbers = {area: dice.shuffled(range(100)) for area in areas}
        self._names = set()
        self._emails = set()

    def person(self, zip_with_zero=False):
        """The next person; from a place whose ZIP codes begin with 0 if asked to."""
        dice = self._dice
        places = [place for place in PLACES if place[3].startswith("0")] if zip_with_zero else PLACES
        city, state, area, zips = dice.pick(places)
        first, last = self._name()
        street = dice.pick(STREETS)
        if dice.percent(18):
            street += f" Apt {dice.number(1, 40)}{dice.pick(['', '', 'A', 'B', 'C'])}"
        return Person(first, last, str(dice.number(1, 9899)), street, city, state, dice.pick(zips.split()),
                      self.phone(area), self._email(first, last))

    def phone(self, area):
        """A number of that area code that nobody else has."""
        return f"{area}55501{self._numbers[area].pop():02}"

    def _name(self):
        while (name := (self._dice.pick(FIRST_NAMES), self._dice.pick(LAST_NAMES))) in self._names:
            pass
        self._names.add(name)
        return name

    def _email(self, first, last):
        dice = self._dice
        first, last = ascii_letters(first), ascii_letters(last)
        local = dice.pick([f"{first}.{last}", f"{first[0]}{last}", f"{first}{dice.number(60, 99)}", f"{last}.{first}"])
        domain = dice.pick(["example.com", "example.com", "example.org", "example.net"])
        email, again = f"{local}@{domain}", 1
        while email in self._emails:
            again += 1
            email = f"{local}{again}@{domain}"
        self._emails.add(email)
        return email


def ascii_letters(text):
    """`Søndergaard` becomes `sondergaard`, `O'Brien` `obrien`."""
    text = unicodedata.normalize("NFKD", text.lower().replace("ø", "o"))
    return "".join(letter for letter in text if letter.isascii() and letter.isalpha())
