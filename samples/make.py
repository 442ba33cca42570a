#!/usr/bin/env python3
"""Writes the sample files beside this script: the same bytes each time, with Python 3.8 or newer and nothing else.

    python3 samples/make.py

A file is a deck of cards: clean records, and records with one flaw each, shuffled. A flaw says how often it comes,
which outcome the record must have, and what it does to a clean record. The script prints the outcomes that follow;
README.md beside it lists them, and `baton import` must find the same.
"""

import csv
import io
import json
from collections import Counter, namedtuple
from pathlib import Path

from people import Dice, People

FOLDER = Path(__file__).resolve().parent

# What becomes of a record: `repeats` says that it starts as a copy of an earlier clean one.
Flaw = namedtuple("Flaw", "outcome count change repeats zip_with_zero", defaults=(False, False))


def deck(dice, size, flaws):
    """`size` cards; None is a clean record. The first five are clean, so that a reader meets the form before the dirt."""
    cards = [flaw for flaw in flaws for _ in range(flaw.count)]
    return [None] * 5 + dice.shuffled(cards + [None] * (size - 5 - len(cards)))


def records(dice, people, size, flaws, clean):
    """The records and the number of each outcome. `clean` makes a record, a dict, of a person."""
    made, originals, outcomes = [], [], Counter()
    for flaw in deck(dice, size, flaws):
        if flaw and flaw.repeats:
            person, record = originals.pop(dice.number(0, len(originals) - 1))
            record = dict(record)
        else:
            person = people.person(bool(flaw and flaw.zip_with_zero))
            record = clean(person)
        if flaw:
            record = flaw.change(record, person)
        else:
            originals.append((person, record))
        made.append(record)
        outcomes[flaw.outcome if flaw else "accept"] += 1
    return made, outcomes


def changes(**cells):
    """A flaw that sets cells; a function is called with the person."""
    def change(record, person):
        for name, value in cells.items():
            assert name in record, name
            record[name] = value(person) if callable(value) else value
        return record
    return change


def dashed(phone):
    return f"{phone[:3]}-{phone[3:6]}-{phone[6:]}"


def bracketed(phone):
    return f"({phone[:3]}) {phone[3:6]}-{phone[6:]}"


def with_letter(phone):
    """A letter O where a nought was meant: nobody may guess."""
    return f"{phone[:3]}-{phone[3:6]}-O{phone[7:]}"


def dollars(amount):
    return f"${amount:,}"


def rate(dice):
    """Percent, in eighths, as lenders quote it."""
    return f"{dice.number(22, 62) * 125 / 1000:g}"


EXPERIAN_COLUMNS = {
    "first": "First Name", "middle": "Middle Name", "last": "Surname",
    "house": "Primary Street ID (House number)", "street": "Street Name/Apartment",
    "city": "City", "state": "State ", "zip": " Zip Code",
    "a1": "Telephone # 1", "a2": "Telephone # 2", "a3": "Telephone # 3",
    "score": "FICO_V30A_PSCRN_SCORE_VALUE",
    "balance": "Total balance on open first mortgage trades reported in the last 3 months",
    "rate": "Estimated interest rate on open with balance first mortgage loans with the largest current balance"
            " reported in the last 6 months",
    "b1": "Telephone # 1", "b2": "Telephone # 2", "b3": "Telephone # 3",
}


def experian(dice, people):
    """A prescreen list: capitals, two groups of phone columns, no e-mail, windows-1252."""
    def clean(person):
        return {
            "first": person.first.upper(), "middle": dice.pick(["", "", "", "A", "J", "M", "R"]),
            "last": person.last.upper().replace("'", dice.pick("'’")),
            "house": person.house, "street": person.street.upper(), "city": person.city.upper(),
            "state": person.state, "zip": person.zip, "a1": "", "a2": "", "a3": "",
            "score": str(dice.number(580, 820)), "balance": str(dice.number(60, 720) * 1000 + dice.number(0, 999)),
            "rate": rate(dice), "b1": person.phone, "b2": "", "b3": "",
        }

    def in_other_letters(record, person):
        letters = {name: record[name].lower() for name in ("first", "last", "street")}
        return {**record, **letters, "b1": bracketed(person.phone)}

    flaws = [
        Flaw("accept", 14, changes(a1=lambda p: p.phone, b1="")),
        Flaw("accept", 8, changes(a1=lambda p: people.phone(p.phone[:3]))),
        Flaw("accept", 8, changes(a1=lambda p: dashed(p.phone), b1=lambda p: bracketed(p.phone))),
        Flaw("accept", 6, changes(b1="0000000000", b2=lambda p: p.phone)),
        Flaw("accept", 6, changes(b1=lambda p: p.phone + ".0")),
        Flaw("accept", 5, changes(b1=lambda p: "1-" + dashed(p.phone))),
        Flaw("accept", 4, changes(b1=lambda p: bracketed(p.phone) + f" x{p.phone[-2:]}")),
        Flaw("accept", 5, changes(house=lambda p: p.house + ".0", score=lambda p: f"{700 + int(p.phone[-2:])}.0")),
        Flaw("accept", 5, changes(state=lambda p: p.state.lower() + " ", zip=lambda p: f"{p.zip}-{p.phone[-4:]}")),
        Flaw("accept", 4, changes(balance=lambda p: f"${200 + int(p.phone[-2:])},450.55", rate="6.875%")),
        Flaw("accept", 6, changes(balance="", rate="")),
        Flaw("accept", 2, changes(street='PINE ST, BLDG "C"\nUNIT 7')),
        Flaw("accept", 2, lambda record, _: {**record, "beyond": ""}),
        Flaw("warn", 9, changes(zip=lambda p: p.zip.lstrip("0")), zip_with_zero=True),
        Flaw("warn", 8, changes(score=lambda p: f"900{int(p.phone[-1]) % 3 + 1}")),
        Flaw("warn", 3, changes(b1=lambda p: f"{p.phone[0]}.{p.phone[1:6]}01E+09", b2=lambda p: p.phone)),
        Flaw("warn", 2, changes(b1="1111111111", b2=lambda p: p.phone)),
        Flaw("warn", 2, changes(state="ZZ")),
        Flaw("warn", 3, changes(first="")),
        Flaw("warn", 1, changes(balance="see notes")),
        Flaw("warn", 1, changes(first='=HYPERLINK("http://example.com","x")')),
        Flaw("reject", 6, changes(b1="")),
        Flaw("reject", 3, changes(b1="0000000000", b2="123", b3="N/A")),
        Flaw("reject", 2, changes(b1=lambda p: f"+44 20 7946 0{p.phone[-3:]}")),
        Flaw("reject", 1, changes(b1=lambda p: with_letter(p.phone))),
        Flaw("reject", 2, lambda record, _: dict(list(record.items())[:6])),
        Flaw("duplicate", 12, in_other_letters, repeats=True),
        Flaw("skip", 3, lambda record, _: dict.fromkeys(record, "")),
    ]
    made, outcomes = records(dice, people, 240, flaws, clean)
    return as_csv(EXPERIAN_COLUMNS, made, "\r\n").encode("cp1252"), outcomes


TRANSUNION_COLUMNS = {
    "first": "First_Name", "last": "Last_Name", "address": "Address", "city": "City", "state": "State",
    "zip": "Zipcode", "phone": "Phone_Number", "score": "FICO04 Score",
    "balance": "Current Balance of Most Recent Mortgage",
    "payment": "Monthly Payment Amount of Most Recent Mortgage",
    "opened": "Open Date of Most Recent Mortgage", "id": "Perm_ID", "trigger": "Trigger_Date",
}


def transunion(dice, people):
    """Trigger leads: somebody applied for a mortgage. UTF-8 with a byte order mark, a person may trigger again."""
    ids = iter(range(480113, 10**6, 7))

    def clean(person):
        letters = dice.pick([str.upper, str.upper, str.upper, str.lower, str])
        balance = dice.number(60, 720) * 1000
        cents = balance * dice.number(69, 91) // 100
        return {
            "first": letters(person.first), "last": letters(person.last), "address": letters(person.address),
            "city": letters(person.city), "state": person.state, "zip": person.zip,
            "phone": dice.pick([person.phone, person.phone, bracketed(person.phone), dashed(person.phone)]),
            "score": str(dice.number(580, 820)), "balance": str(balance), "payment": f"{cents // 100}.{cents % 100:02}",
            "opened": f"{dice.number(2009, 2024)}-{dice.number(1, 12):02}-{dice.number(1, 28):02}",
            "id": f"TU{next(ids)}", "trigger": f"2026-11-{dice.number(2, 9):02}",
        }

    def again_later(record, _):
        return {**record, "trigger": f"2026-11-{dice.number(10, 18)}"}

    flaws = [
        Flaw("accept", 8, changes(opened=lambda p: f"03/{13 + int(p.phone[-1])}/2019")),
        Flaw("accept", 5, changes(opened=lambda p: f"201903{13 + int(p.phone[-1])}")),
        Flaw("accept", 5, changes(opened=lambda p: str(43500 + int(p.phone[-2:])))),
        Flaw("accept", 4, changes(score=lambda p: f" {700 + int(p.phone[-2:])} ")),
        Flaw("accept", 6, changes(balance=lambda p: f"{300 + int(p.phone[-2:])},000", payment="$2,345.67")),
        Flaw("accept", 4, changes(zip=lambda p: p.zip + ".0")),
        Flaw("accept", 4, changes(address=lambda p: f"P.O. BOX {p.house}")),
        Flaw("accept", 4, changes(address=lambda p: f"{p.house} MAIN STREET NORTHWEST APARTMENT 5")),
        Flaw("accept", 4, changes(phone=lambda p: f"{p.phone}/{people.phone(p.phone[:3])}")),
        Flaw("accept", 1, changes(city="SAN JUAN", state="Puerto Rico", zip="00901", phone=lambda _: people.phone("787"))),
        Flaw("warn", 5, changes(opened=lambda p: f"Mar-{10 + int(p.phone[-1])}")),
        Flaw("warn", 5, changes(score="N/A")),
        Flaw("warn", 3, changes(score="0")),
        Flaw("warn", 3, changes(score="851")),
        Flaw("warn", 2, changes(balance="(1,250.00)")),
        Flaw("warn", 2, changes(balance="see notes")),
        Flaw("warn", 2, changes(state="ZZ")),
        Flaw("warn", 4, changes(zip=lambda p: p.zip.lstrip("0")), zip_with_zero=True),
        Flaw("warn", 3, changes(first="   ", last=" ")),
        Flaw("reject", 5, changes(phone="")),
        Flaw("reject", 3, changes(phone="9999999999")),
        Flaw("reject", 2, changes(phone=lambda p: with_letter(p.phone))),
        Flaw("reject", 2, changes(phone="+15551234567")),
        Flaw("reject", 1, changes(phone="+44 20 7946 0958")),
        Flaw("reject", 1, lambda record, _: dict(list(record.items())[:5])),
        Flaw("duplicate", 5, lambda record, _: record, repeats=True),
        Flaw("duplicate", 4, again_later, repeats=True),
        Flaw("duplicate", 3, changes(id=lambda _: f"TU{next(ids)}"), repeats=True),
        Flaw("skip", 2, lambda record, _: dict.fromkeys(record, "")),
    ]
    made, outcomes = records(dice, people, 240, flaws, clean)
    return as_csv(TRANSUNION_COLUMNS, made, "\n").encode("utf-8-sig"), outcomes


def leadsource(dice, people):
    """Web forms as JSON: people type what they like, and come back with a corrected form."""
    ids = iter(range(20417, 10**6, 3))
    flaws = [
        Flaw("accept", 4, changes(**{"Cash Out": "Y", "VA Eligible": True, "Found Home": "false"})),
        Flaw("accept", 4, changes(**{"Cash Out": "1", "VA Eligible": 0})),
        Flaw("accept", 6, changes(**{"Cash Out": lambda p: dollars(20000 + 500 * int(p.phone[-2:]))})),
        Flaw("accept", 8, changes(**{"Pri. Phone": "", "Sec. Phone": ""})),
        Flaw("accept", 8, changes(Email="")),
        Flaw("accept", 4, changes(Email=lambda p: f" {p.email.upper()} ")),
        Flaw("accept", 4, changes(Email=lambda p: p.email.replace("@", "+loan@"))),
        Flaw("accept", 6, changes(**{"Est. Home Value": lambda p: f"{400 + int(p.phone[-2:])}K"})),
        Flaw("accept", 5, changes(BAL_ONE="250,000.00", MTG_ONE_INT="6.5%", MTG_TWO="None", BAL_TWO="", MTG_TWO_INT="")),
        Flaw("accept", 3, changes(**{"Lead ID": ""})),
        Flaw("accept", 5, lambda record, _: {**record, "UTM_Source": dice.pick(["google", "bing", "newsletter"])}),
        Flaw("accept", 4, changes(**{"Loan Type": "conv"})),
        Flaw("accept", 5, changes(**{"Pri. Phone": lambda p: int(p.phone), "Est. Home Value": 415000})),
        Flaw("warn", 2, changes(**{"Found Home": "Maybe"})),
        Flaw("warn", 4, changes(Email=lambda p: p.email.replace("@", "@@"))),
        Flaw("warn", 2, changes(Email=lambda p: f"{p.email}; home-{p.email}")),
        Flaw("warn", 4, changes(**{"Credit Grade": "Excellent (720+)"})),
        Flaw("warn", 3, changes(**{"Credit Grade": "680-719"})),
        Flaw("warn", 2, changes(**{"Est. Home Value": "$500,000 - $550,000"})),
        Flaw("warn", 3, changes(LTV=0.8)),
        Flaw("warn", 2, changes(ZIP=lambda p: int(p.zip)), zip_with_zero=True),
        Flaw("warn", 2, changes(**{"First Name": ""})),
        Flaw("reject", 5, changes(**{"Pri. Phone": "", "Sec. Phone": "", "Email": " "})),
        Flaw("reject", 4, changes(**{"Pri. Phone": "n/a", "Sec. Phone": "", "Email": lambda p: p.email.replace("@", "[at]")})),
        Flaw("reject", 1, changes(**{"Pri. Phone": "123", "Sec. Phone": "", "Email": ""})),
        Flaw("reject", 2, lambda *_: "oops"),
        Flaw("update", 4, changes(**{"Est. Home Value": lambda p: str(465000 + 1000 * int(p.phone[-1]))}), repeats=True),
        Flaw("duplicate", 3, lambda record, _: record, repeats=True),
        Flaw("duplicate", 4, changes(**{"Lead ID": lambda _: f"LS-{next(ids)}", "Sec. Phone": "",
                                        "Pri. Phone": lambda p: people.phone(p.phone[:3])}), repeats=True),
        Flaw("duplicate", 3, changes(**{"Lead ID": lambda _: f"LS-{next(ids)}", "Email": "",
                                        "Pri. Phone": lambda p: bracketed(p.phone)}), repeats=True),
    ]
    made, outcomes = records(dice, people, 200, flaws, lambda person: form(dice, people, next(ids), person))
    lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in made)
    return f"[\n{lines}\n]\n".encode(), outcomes


def form(dice, people, number, person):
    """A filled-in form. Its amounts agree with each other."""
    value = dice.number(180, 460) * 1000
    loan = value * dice.number(400, 900) // 1000
    kind = dice.pick(["CONV", "CONV", "FHA", "VA", "JUMBO"])
    refinance = dice.percent(70)
    second = refinance and dice.percent(12)
    return {
        "Lead ID": f"LS-{number}", "Lead Type": "Refi" if refinance else "Purchase",
        "First Name": person.first, "Last Name": person.last, "Address": person.address, "City": person.city,
        "State": person.state, "ZIP": person.zip, "Pri. Phone": dice.pick([person.phone, bracketed(person.phone)]),
        "Sec. Phone": people.phone(person.phone[:3]) if dice.percent(12) else "", "Email": person.email,
        "Est. Home Value": str(value), "Credit Grade": str(dice.number(580, 820)), "ADD_CASH": "",
        "Cash Out": "No" if not refinance else dice.pick(["Yes", "No", "No"]),
        "Loan Type": kind,
        "Loan Purpose": "Refinance" if refinance else "Purchase",
        "Prop. Desc": dice.pick(["Single Family", "Single Family", "Condominium", "Townhouse", "Multi Family"]),
        "BAL_ONE": str(loan) if refinance else "", "MTG_ONE_INT": rate(dice) if refinance else "",
        "MTG_TWO": "Yes" if second else "No",
        "BAL_TWO": str(dice.number(10, 60) * 1000) if second else "",
        "MTG_TWO_INT": rate(dice) if second else "",
        "Found Home": "" if refinance else dice.pick(["Yes", "No"]),
        "DOWN_PMT": "" if refinance else str(value - loan),
        "Property Purpose": dice.pick(["Primary", "Primary", "Primary", "Secondary", "Investment"]),
        "LTV": f"{loan * 100 // value}.{loan * 1000 // value % 10}", "bid_loan_val": str(loan),
        "VA Eligible": "Yes" if kind == "VA" else dice.pick(["No", "No", "No", "Yes"]),
    }


def as_csv(columns, made, line_end):
    """The header and the records; a record that was cut short or has a cell too many stays so."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(columns.values())
    writer.writerows(record.values() for record in made)
    return text.getvalue()


def main():
    people = People(Dice(2026))
    files = [("experian.csv", 1, experian), ("transunion.csv", 2, transunion), ("leadsource.json", 3, leadsource)]
    for name, seed, write in files:
        content, outcomes = write(Dice(seed), people)
        (FOLDER / name).write_bytes(content)
        print(f"{name}: {sum(outcomes.values())} records,",
              ", ".join(f"{outcome} {count}" for outcome, count in sorted(outcomes.items())))


if __name__ == "__main__":
    main()
