#!/usr/bin/env python3
"""Writes samples/: synthetic leads with the dirt of real files. The same seed, the same files.

Every telephone number is NXX-555-01xx (reserved for fiction), every e-mail at example.com, .org or .net.
"""

import csv
import io
import json
import random
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "samples"
RECORDS = 200

FIRST = """Alma Benito Carla Dev Elena Frank Grace Hector Imani Jonas Keisha Liam Maria Noah Olivia Priya Quentin Rosa Samir Tara
Ulises Vera Wendell Ximena Yusuf Zoe Amara Brigid Caleb Dolores Emeka Farah Gideon Hana Ines Jamal Kaori Luca Mei Nadia Omar Paloma
Rafael Simone Tobias Uma Vikram Willa Andre Beatriz""".split()
LAST = """Reyes Silva Nunez Patel Stone Long Park Okafor Nguyen Kim Johnson Williams Garcia Martinez Anderson Thomas Moore Jackson Lee
Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young Allen King Wright Scott Torres Hill Flores Green Adams
Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts McDonald O'Brien Fitzgerald""".split()
STREETS = """Main St;Oak Ave;Pine St;Maple Dr;Cedar Ln;Elm St;Washington Blvd;Lake Rd;Hillside Ct;Sunset Way;Park Pl;River Rd;
2nd Ave;14th St;Highland Ter;Meadow Cir""".replace("\n", "").split(";")
# City, state, ZIP prefix, area codes that are in use there.
PLACES = [
    ("Denver", "CO", "802", ["303", "720"]), ("Aurora", "CO", "800", ["303", "720"]), ("Boulder", "CO", "803", ["303", "720"]),
    ("Phoenix", "AZ", "850", ["602", "480"]), ("Tucson", "AZ", "857", ["520"]), ("Austin", "TX", "787", ["512", "737"]),
    ("Dallas", "TX", "752", ["214", "972"]), ("Houston", "TX", "770", ["713", "281"]), ("Seattle", "WA", "981", ["206"]),
    ("Portland", "OR", "972", ["503"]), ("Sacramento", "CA", "958", ["916"]), ("San Diego", "CA", "921", ["619", "858"]),
    ("Fresno", "CA", "937", ["559"]), ("Las Vegas", "NV", "891", ["702"]), ("Salt Lake City", "UT", "841", ["801"]),
    ("Boise", "ID", "837", ["208"]), ("Chicago", "IL", "606", ["312", "773"]), ("Columbus", "OH", "432", ["614"]),
    ("Atlanta", "GA", "303", ["404", "678"]), ("Miami", "FL", "331", ["305", "786"]), ("Tampa", "FL", "336", ["813"]),
    ("Charlotte", "NC", "282", ["704"]), ("Boston", "MA", "021", ["617"]), ("Providence", "RI", "029", ["401"]),
    ("Newark", "NJ", "071", ["973"]), ("Philadelphia", "PA", "191", ["215"]), ("Nashville", "TN", "372", ["615"]),
    ("Minneapolis", "MN", "554", ["612"]), ("Kansas City", "MO", "641", ["816"]), ("Albuquerque", "NM", "871", ["505"]),
]
STATE_NAMES = {"CO": "Colorado", "AZ": "Arizona", "TX": "Texas", "WA": "Washington", "CA": "California", "IL": "Illinois"}


class People:
    """People who are all different: a phone number is given once, unless a record is meant to be a duplicate."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.phones = [(area, last) for _, _, _, areas in PLACES for area in areas for last in range(100)]
        self.random.shuffle(self.phones)
        self.by_area = {}
        for area, last in self.phones:
            self.by_area.setdefault(area, []).append(f"{area}55501{last:02d}")

    def person(self, number):
        pick = self.random.choice
        city, state, prefix, areas = pick(PLACES)
        first, last = pick(FIRST), pick(LAST)
        return {
            "first": first,
            "last": last,
            "house": str(self.random.randrange(10, 9900)),
            "street": pick(STREETS),
            "city": city,
            "state": state,
            "zip": prefix + f"{self.random.randrange(1, 99):02d}",
            "phone": self.by_area[pick(areas)].pop(),
            "email": f"{first}.{last}{number}@example.{pick(['com', 'com', 'org', 'net'])}".lower().replace("'", ""),
            "score": str(self.random.randrange(560, 815)),
            "balance": str(self.random.randrange(80, 620) * 1000 + self.random.randrange(0, 999)),
            "rate": f"{self.random.randrange(2250, 8250, 125) / 1000:g}",
        }


def dirty_phone(random, phone):
    area, exchange, line = phone[:3], phone[3:6], phone[6:]
    return random.choice([
        phone, phone, phone, f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"{area}.{exchange}.{line}",
        f"1{phone}", f"+1 {area} {exchange} {line}", f"{phone}.0", f"{area}-{exchange}-{line} x12", f" {phone} ",
    ])


def dirty_case(random, text):
    return random.choice([text.upper(), text.upper(), text, text.lower()])


def experian():
    people = People(11)
    rnd = people.random
    phones = ["Telephone # 1", "Telephone # 2", "Telephone # 3"]
    header = ["First Name", "Middle Name", "Surname", "Primary Street ID (House number)", "Street Name/Apartment", "City", "State ",
              " Zip Code", *phones, "FICO_V30A_PSCRN_SCORE_VALUE",
              "Total balance on open first mortgage trades reported in the last 3 months",
              "Estimated interest rate on open with balance first mortgage loans with the largest current balance reported in the last 6 months",
              *phones]
    rows = [header]
    kept = []
    for number in range(1, RECORDS + 1):
        one = people.person(number)
        row = [dirty_case(rnd, one["first"]), rnd.choice(["", "", "J", "MARIE"]), dirty_case(rnd, one["last"]), one["house"],
               dirty_case(rnd, one["street"]), dirty_case(rnd, one["city"]), one["state"], one["zip"], "", "", "",
               one["score"], one["balance"], one["rate"], dirty_phone(rnd, one["phone"]), "", ""]
        if number % 11 == 0:
            row[8], row[14] = row[14], ""
        if number % 17 == 0:
            row[11] = rnd.choice(["9002", "0", "N/A"])
        if number % 19 == 0:
            row[12] = f"${int(one['balance']):,}.50"
            row[13] += "%"
        if number % 23 == 0:
            row[6] = STATE_NAMES.get(one["state"], one["state"].lower())
        if number % 29 == 0:
            row[7] = str(int(one["zip"]))
        if number % 31 == 0:
            row[2], row[0] = "MUÑOZ", "JOSÉ"
        if number % 37 == 0:
            row[2] = "O’BRIEN"
        if number % 41 == 0:
            row[4] = 'Pine St, Bldg "C"\nUnit 7'
        if number in (25, 88):
            row[14:17] = ["", "", ""]
            row[8:11] = ["", "", ""]
        if number in (53, 140):
            row[14] = rnd.choice(["0000000000", "123"])
            row[8] = ""
        if number == 67:
            row[14], row[8] = "+44 20 7946 0123", ""
        if number in (72, 155):
            row = row[:6]
        if number == 99:
            row[0] = "=HYPERLINK(\"http://example.com\";\"Ann\")"
        if number in (30, 120):
            row[0] = ""
        if number in (60, 160, 190):
            row = list(kept[number - 45])
            row[0], row[2] = row[0].title(), row[2].title()
        if number in (50, 150):
            row = [""] * 17
        kept.append(row)
        rows.append(row)
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    (OUT / "experian.csv").write_bytes(text.getvalue().encode("cp1252"))


def transunion():
    people = People(22)
    rnd = people.random
    rows = [["First_Name", "Last_Name", "Address", "City", "State", "Zipcode", "Phone_Number", "FICO04 Score",
             "Current Balance of Most Recent Mortgage", "Monthly Payment Amount of Most Recent Mortgage",
             "Open Date of Most Recent Mortgage", "Perm_ID", "Trigger_Date"]]
    for number in range(1, RECORDS + 1):
        one = people.person(number)
        year, month, day = rnd.randrange(2005, 2025), rnd.randrange(1, 13), rnd.randrange(1, 29)
        opened = rnd.choice([f"{year}-{month:02d}-{day:02d}", f"{month:02d}/{day:02d}/{year}", f"{year}{month:02d}{day:02d}"])
        row = [dirty_case(rnd, one["first"]), dirty_case(rnd, one["last"]), f"{one['house']} {one['street'].upper()}",
               one["city"].upper(), one["state"], one["zip"], dirty_phone(rnd, one["phone"]), one["score"], one["balance"],
               f"{rnd.randrange(700, 3900)}.00", opened, f"TU{80000 + number}", f"2026-11-{rnd.randrange(1, 19):02d}"]
        if number % 13 == 0:
            row[10] = rnd.choice(["Mar-19", "0000-00-00", ""])
        if number % 17 == 0:
            row[7] = rnd.choice(["720.0", "9002", "EXCELLENT"])
        if number % 23 == 0:
            row[8] = f"${int(one['balance']):,}"
        if number % 29 == 0:
            row[5] = f"{one['zip']}-{rnd.randrange(1000, 9999)}"
        if number in (21, 84, 141):
            row[6] = rnd.choice(["", "9999999999"])
        if number in (33, 111):
            row[0] = ""
        if number == 77:
            row = row[:5]
        if number in (45, 90, 180):
            row = list(rows[number - 20])
        if number == 133:
            row = list(rows[100])
            row[12] = "2026-11-19"
        rows.append(row)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    (OUT / "transunion.csv").write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode("utf-8"))


def leadsource():
    people = People(33)
    rnd = people.random
    records = []
    for number in range(1, RECORDS + 1):
        one = people.person(number)
        home = rnd.randrange(150, 950) * 1000
        owed = int(home * rnd.uniform(0.3, 0.95))
        record = {
            "Lead ID": f"LS-{5000 + number}", "Lead Type": rnd.choice(["Refi", "Purchase", "HELOC"]),
            "First Name": one["first"], "Last Name": one["last"], "Address": f"{one['house']} {one['street']}", "City": one["city"],
            "State": one["state"], "ZIP": one["zip"], "Pri. Phone": dirty_phone(rnd, one["phone"]), "Sec. Phone": "",
            "Email": rnd.choice([one["email"], one["email"].upper(), one["email"]]), "Est. Home Value": str(home),
            "Credit Grade": rnd.choice([one["score"], one["score"], "Excellent", "680-720"]), "ADD_CASH": "",
            "Cash Out": rnd.choice(["Yes", "No", "Y", "0", ""]), "Loan Type": rnd.choice(["CONV", "FHA", "VA"]),
            "Loan Purpose": rnd.choice(["Refinance", "Purchase"]), "Prop. Desc": rnd.choice(["Single Family", "Condo", "Townhouse"]),
            "BAL_ONE": str(owed), "MTG_ONE_INT": one["rate"], "MTG_TWO": rnd.choice(["No", "No", "Yes"]), "BAL_TWO": "",
            "MTG_TWO_INT": "", "Found Home": rnd.choice(["", "true", "false"]), "DOWN_PMT": "", "Property Purpose": "Primary",
            "LTV": f"{owed * 100 / home:.1f}", "bid_loan_val": f"{owed / 1000:.0f}K" if number % 9 == 0 else str(owed),
            "VA Eligible": rnd.choice([True, False, "No", 0]),
        }
        if number % 14 == 0:
            record["Pri. Phone"] = ""
        if number % 21 == 0:
            record["Email"] = rnd.choice(["not given", "n/a", ""])
        if number % 37 == 0:
            record["LTV"] = f"{owed / home:.3f}"
        if number % 41 == 0:
            record["Found Home"] = "maybe"
        if number in (42, 168):
            record["Pri. Phone"], record["Email"] = "call me", "none"
        if number in (58, 123, 171):
            record["First Name"] = ""
        if number == 95:
            record = "LS-5095 could not be exported"
        if number in (64, 128):
            record = dict(records[number - 30])
        if number == 150:
            record = dict(records[120], **{"Credit Grade": "745", "Est. Home Value": "512000"})
        records.append(record)
    (OUT / "leadsource.json").write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    experian()
    transunion()
    leadsource()
