"""Write every sample that a text editor would spoil: workbooks, and CSV files whose very bytes matter.

`python samples/make_samples.py` writes them; with `--check` it writes nothing and exits 1 when one differs from what
is on disk. The bytes are the same on every machine and every day: chance is seeded, and of the seeded generator only
`random()` is used, which Python promises never to change; workbooks carry fixed times, and are stored uncompressed,
because two builds of zlib pack the same text differently. All people, firms and bank accounts are invented.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import random
import re
import string
import sys
import zipfile
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

os.environ["OPENPYXL_LXML"] = "False"  # with lxml present, openpyxl would write other bytes

from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

HERE = Path(__file__).resolve().parent
STAMP = "2026-10-28T09:00:00Z"
CENTS, ZEROS, DAY, TEXT = "#,##0.00", "00000", "dd/mm/yyyy", "@"
T = TypeVar("T")
Rows = Iterable[Sequence[Any]]

# Bank codes of nines and the letters TEST, so that no account of these can be a real one; `#` is any digit.
ACCOUNTS = {
    "AT": "99999###########",
    "BE": "999#########",
    "CH": "99999############",
    "DE": "99999999##########",
    "ES": "99999999############",
    "FI": "999999########",
    "FR": "9999999999#############",
    "GB": "TEST999999########",
    "IE": "TEST999999########",
    "IT": "X9999999999############",
    "NL": "TEST##########",
    "PL": "99999999################",
    "PT": "99999999#############",
}
VENDORS = (
    ("Müller & Söhne GmbH", "DE"), ("Kontor Nord Bürobedarf", "DE"), ("Rheinwerk Logistik AG", "DE"),
    ("Bäckerei Grün KG", "DE"), ("Gebäudedienste Weiß", "DE"), ("Donau Papier GmbH", "AT"), ("Almwasser Handel", "AT"),
    ("Vlaamse Druk bvba", "BE"), ("Atelier Liégeois", "BE"), ("Zürcher Prüfstelle", "CH"), ("Gráficas del Sur", "ES"),
    ("Ibérica Señales S.L.", "ES"), ("Pohjoinen Puu Oy", "FI"), ("Société Dupont", "FR"), ("Café de l'Étoile", "FR"),
    ("O'Neill Cleaning Ltd", "IE"), ("Marsh & Daughters", "GB"), ("Officina Città", "IT"), ("Tessuti Però", "IT"),
    ("De Groene Fiets", "NL"), ("Van der Berg Catering", "NL"), ("Żółta Łódź Sp. z o.o.", "PL"),
    ("Papelaria São João", "PT"), ("Null Elektrotechnik", "DE"), ("NA Consulting", "IE"),
)  # fmt: skip
TAGS = ("hardware", "software", "travel", "office", "services", "q4", "project-17")
TOWNS = (
    ("Dresden", "01067", "DE"), ("Berlin", "10115", "DE"), ("München", "80331", "DE"), ("Köln", "50667", "DE"),
    ("Görlitz", "02826", "DE"), ("Lübeck", "23552", "DE"), ("Wien", "1010", "AT"), ("Zürich", "8001", "CH"),
)  # fmt: skip
STREETS = ("Hauptstraße", "Am Mühlbach", "Königsallee", "Bahnhofstr.", "Öko-Park", "Schloßplatz", "An der Fähre")
TRADES = ("Bäckerei", "Metallbau", "Gärtnerei", "Großhandel", "Möbelhaus", "Spedition", "Tischlerei", "Brauerei")
FORMS = ("GmbH", "KG", "AG", "e.K.", "GmbH & Co. KG", "OHG")
FIRST = ("Anna", "Björn", "Çağla", "Dörte", "Émile", "Frieda", "Günther", "Hatice", "Jürgen", "Käthe", "Lukas", "Zoë")
LAST = ("Müller", "Weiß", "Öztürk", "Schröder", "Krämer", "Löwe", "Šimić", "Nguyễn", "Groß", "Jäger", "Köhler", "Vogt")
PHONES = ("030 23125", "040 66969", "069 90009", "089 99998")  # kept free by the regulator for films and books
NOTES = ("Zahlt pünktlich", "Huber; Söhne haften mit", 'Inhaber: "der alte" Löwe', "Vorher anrufen:\nFrau Öztürk")
ASCII = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ö": "Oe", "ß": "ss", "Š": "S", "ć": "c", "ễ": "e"})


class Dice:
    """Chance with a seed, drawn from `random()` alone."""

    def __init__(self, seed: int) -> None:
        self._next = random.Random(seed).random

    def number(self, low: int, high: int) -> int:
        return low + int(self._next() * (high - low + 1))

    def one(self, choices: Sequence[T]) -> T:
        return choices[self.number(0, len(choices) - 1)]

    def chance(self, percent: int) -> bool:
        return self.number(1, 100) <= percent


def iban(country: str, account: str) -> str:
    """Put the check digits of ISO 13616 before an account and print it in groups of four."""
    digits = "".join(str(int(letter, 36)) for letter in f"{account}{country}00")
    whole = f"{country}{98 - int(digits) % 97:02d}{account}"
    return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))


PAYOUT_HEADER = (
    "Invoice No",
    "Vendor No",
    "Vendor",
    "IBAN",
    "Amount",
    "Currency",
    "Due",
    "Cost Centre",
    "Rush",
    "Tags",
)
Vendor = tuple[str, str, str, int]


def payouts() -> bytes:
    """Make the vendor invoices of one month: titles above the header, and a second sheet with notes."""
    return _payouts_book("October 2026", "28 October 2026", _october()[1])


def _october() -> tuple[list[Vendor], list[tuple[Any, ...]]]:
    dice = Dice(1)
    vendors = [_vendor(dice, at, name, country) for at, (name, country) in enumerate(VENDORS)]
    amounts = [19.99, 0.01, 100, 100_000, 1_234.5]  # amounts that have been sent wrongly by somebody, some time
    amounts += [dice.number(1_000, 900_000) / 100 for _ in range(115)]
    return vendors, [_payout(dice, at, dice.one(vendors), amount) for at, amount in enumerate(amounts)]


def _payouts_book(month: str, approved: str, rows: Rows) -> bytes:
    formats = ("General", TEXT, TEXT, TEXT, CENTS, TEXT, DAY, ZEROS, TEXT, TEXT)
    book = Workbook()
    sheet = book.active
    sheet.title = "Payouts"
    sheet.append([f"Vendor payouts, {month}"])
    sheet.append([f"Approved by Finance on {approved}. All amounts in EUR."])
    sheet["A1"].font = Font(bold=True, size=14)
    _table(sheet, PAYOUT_HEADER, formats, rows, widths=(16, 11, 26, 36, 13, 10, 12, 12, 7, 24))
    notes = book.create_sheet("Notes")
    notes.append(["Rush: Y pays on the same day, N or nothing pays on the due date."])
    notes.append(["Cost centres have five digits; Excel shows 42 as 00042."])
    notes.append(["Invoices in other currencies are paid by the London office."])
    return saved(book)


def payouts_august() -> bytes:
    """Make a month like any other: an invoice of every vendor."""
    return _payouts_book("August 2026", "28 August 2026", _month(8))


def payouts_september() -> bytes:
    """Make the month after it, in whose sheet an invoice of August stands again."""
    return _payouts_book("September 2026", "28 September 2026", [*_month(9), _month(8)[4]])


def payouts_november() -> bytes:
    """Make a month to look at twice: one vendor bills 60 % more, one is new, one is gone, and an invoice of October
    stands in it again.
    """
    vendors, october = _october()
    rows = _month(11, more={"Rheinwerk Logistik AG": 160}, gone={"Atelier Liégeois"})
    new = _vendor(Dice(5), len(vendors), "Nordlicht Reinigung GmbH", "DE")
    rows.insert(12, _collective(Dice(6), 11, len(vendors), new, 1_248_000))
    rows.insert(17, october[58])
    return _payouts_book("November 2026", "27 November 2026", rows)


def _month(month: int, more: Mapping[str, int] = MappingProxyType({}), gone: Container[str] = ()) -> list[Any]:
    """Make a month in which each vendor sends one invoice, over about as much as all of October's: within 8 %."""
    dice = Dice(100 + month)
    vendors, october = _october()
    rows = []
    for at, vendor in enumerate(vendors):
        cents = sum(round(row[4] * 100) for row in october if row[2] == vendor[1])
        percent = more.get(vendor[1], dice.number(92, 108))
        row = _collective(dice, month, at, vendor, cents * percent // 100)
        rows += [] if vendor[1] in gone else [row]
    return rows


def _collective(dice: Dice, month: int, at: int, vendor: Vendor, cents: int) -> tuple[Any, ...]:
    number, name, account, cost_centre = vendor
    shapes = (f"INV-2026-{100 * month + at:04d}", f"00{40_000 + 100 * month + at}", f"F/26/{month:02d}-{at:02d}")
    own = (*shapes, 2_026_000_000 + 10_000 * month + at)[at % 4]  # a vendor numbers its invoices in one way
    due = date(2026, month, 1) + timedelta(days=32 + dice.number(0, 20))
    return own, number, name, account, cents / 100, "EUR", due, cost_centre, dice.one(("Y", "N", None, None)), None


def _vendor(dice: Dice, at: int, name: str, country: str) -> Vendor:
    account = "".join(dice.one(string.digits) if mark == "#" else mark for mark in ACCOUNTS[country])
    return f"{123 + 37 * at:06d}", name, iban(country, account), dice.one((7, 42, 110, 815, 4711, 20300))


def _payout(dice: Dice, at: int, vendor: Vendor, amount: float) -> tuple[Any, ...]:
    number, name, account, cost_centre = vendor
    shapes: tuple[Any, ...] = (f"INV-2026-{at + 1:04d}", f"00{45_100 + at}", f"F/26/{at + 900}", 2_026_100_000 + at)
    due = date(2026, 11, 2) + timedelta(days=dice.number(0, 27))
    tags = [tag for tag in TAGS if dice.chance(20)]
    rush = dice.one(("Y", "N", "N", None))
    return dice.one(shapes), number, name, account, amount, "EUR", due, cost_centre, rush, ";".join(tags) or None


def credit_limits() -> bytes:
    """Make what a German accounting system exports: semicolons, decimal commas, a BOM, CRLF."""
    dice = Dice(2)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    header = "Kundennummer,Kunde,Straße,PLZ,Ort,Land,Limit,Währung,Gültig ab,Gültig bis,Vorname,Nachname,E-Mail,Telefon"
    writer.writerow(f"{header},E-Mail Buchhaltung,Bemerkung".split(","))
    writer.writerows(_customer(dice, at) for at in range(1_000))
    return out.getvalue().encode("utf-8-sig")


def _customer(dice: Dice, at: int) -> tuple[str, ...]:
    first, last = dice.one(FIRST), dice.one(LAST)
    firm = f"{dice.one(TRADES)} {dice.one(LAST)} {dice.one(FORMS)}"
    town, postcode, country = dice.one(TOWNS)
    if at == 41:
        firm, town, postcode, country = "Namib Großhandel; Import & Export", "Windhoek", "10005", "NA"
    if at == 76:
        first, last = "Jens", "Null"
    cents = dice.one((50_000, 250_000, 1_250_000, 5_000_000, 125_000_000)) + dice.one((0, 0, 1, 9_950))
    begins = date(2026, 10, 1) + timedelta(days=dice.number(0, 91))
    ends = begins + timedelta(days=365)
    mail = f"{last.translate(ASCII).lower()}.{at}@kunden.example"
    return (
        f"{10_007 + 13 * at:08d}", firm, f"{dice.one(STREETS)} {dice.number(1, 240)}", postcode, town, country,
        german(cents), "EUR", f"{begins:%d.%m.%Y}", f"{ends:%d.%m.%Y}" if dice.chance(30) else "", first, last, mail,
        f"{dice.one(PHONES)}{dice.number(0, 999):03d}" if dice.chance(60) else "",
        f"rechnung.{at}@kunden.example" if dice.chance(25) else "", dice.one(NOTES) if dice.chance(12) else "",
    )  # fmt: skip


def german(cents: int) -> str:
    """Write an amount as 1.250.000,00."""
    return f"{cents // 100:,}".replace(",", ".") + f",{cents % 100:02d}"


def refunds() -> bytes:
    """Make a customer service's list: the header in row 1, one sheet, seven amounts over 500."""
    dice = Dice(3)
    header = "Refund No,Order No,Customer,Email,Card Ending,Amount,Reason,Goodwill,Requested At,Handled By,Comment"
    formats = (TEXT, TEXT, TEXT, TEXT, "0000", CENTS, TEXT, "General", "dd/mm/yyyy hh:mm", TEXT, TEXT)
    large = {3: 500.01, 11: 749.0, 12: 1_299.99, 20: 2_450.5, 27: 512.4, 33: 9_999.99, 38: 640.0}
    rows = [_refund(dice, at, large.get(at, dice.number(495, 49_999) / 100)) for at in range(40)]
    book = Workbook()
    book.active.title = "Refunds"
    _table(book.active, header.split(","), formats, rows, widths=(12, 21, 20, 30, 12, 12, 16, 10, 18, 14, 30))
    return saved(book)


def _refund(dice: Dice, at: int, amount: float) -> tuple[Any, ...]:
    first, last = dice.one(FIRST), dice.one(LAST)
    when = datetime(2026, 10, 5, 8) + timedelta(minutes=dice.number(0, 18 * 24 * 60))
    comment = dice.one(("Parcel came open", "Second complaint", "-", None, None, None))
    return (
        f"R-{at + 1:05d}", f"30261005{dice.number(0, 999_999_999):09d}", f"{first} {last}",
        f"{last.translate(ASCII).lower()}.{at}@kunden.example", 42 if at == 5 else dice.number(0, 9_999), amount,
        dice.one(("Damaged", "Late", "Wrong item", "Cancelled")), dice.chance(20), when,
        dice.one(("M. Osei", "T. Lindqvist")), comment,
    )  # fmt: skip


def zero_padded() -> bytes:
    rows = [("00017", 42, 7, 4_500_012_345), ("1", 20_300, 120, 17), ("0", 0, 0, 0)]
    return _small(("Ref", "Cost Centre", "Plant", "Order"), (TEXT, ZEROS, "000", "General"), rows)


def excel_values() -> bytes:
    rows = [
        ("A1", 0.1 + 0.2, 100, True, date(2026, 10, 31)),
        ("A2", 19.9, 0, False, date(2028, 2, 29)),
        ("A3", "19.90", -5, True, "2026-10-31"),
        ("A4", 123_456_789.12, 7, False, date(1999, 12, 31)),
    ]
    return _small(("Ref", "Amount", "Count", "Open", "Day"), (TEXT, CENTS, "0", "General", DAY), rows)


def unreadable_cells() -> bytes:
    rows: list[tuple[Any, ...]] = [(f"P{at}", 10.5, "ok") for at in range(2, 16)]
    rows[3] = (1_234_567_890_123_456, 10.5, "Excel keeps 15 digits: the last one is a guess")
    rows[6] = ("P8", "=B2*2", "a formula that no Excel has computed")
    rows[12] = ("P14", "#N/A", "an error cell")
    return _small(("Invoice No", "Amount", "Remark"), ("0", CENTS, TEXT), rows, title="Payouts")


def windows_1252() -> bytes:
    return "Ref,Name\r\n1,Smith\r\n2,Müller\r\n3,Weiß\r\n".encode("cp1252")


def export_with_sep() -> bytes:
    text = 'sep=;\r\nRef;Remark;City\r\n1;"a; b";Köln\r\n\r\n2;"first\nsecond";Bonn\r\n3;"say ""yes""";Ulm\r\n'
    return text.encode("utf-8-sig")


def _small(header: Sequence[str], formats: Sequence[str], rows: Rows, title: str = "Rows") -> bytes:
    book = Workbook()
    book.active.title = title
    _table(book.active, header, formats, rows, widths=[18] * len(header))
    return saved(book)


def _table(sheet: Worksheet, header: Sequence[str], formats: Sequence[str], rows: Rows, widths: Sequence[int]) -> None:
    """Put a header and rows below what the sheet holds, with a number format for each column."""
    sheet.append(list(header))
    top = sheet.max_row
    for cell, width in zip(sheet[top], widths, strict=True):
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="DDE6F0")
        sheet.column_dimensions[cell.column_letter].width = width
    sheet.freeze_panes = f"A{top + 1}"
    for number, row in enumerate(rows, start=top + 1):
        for column, (value, number_format) in enumerate(zip(row, formats, strict=True), start=1):
            if value is not None:
                sheet.cell(number, column, value).number_format = number_format


def saved(book: Workbook) -> bytes:
    """Save a workbook whose bytes depend on its content alone."""
    raw, fixed = io.BytesIO(), io.BytesIO()
    book.properties.creator = "batchrun samples"
    book.save(raw)
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(fixed, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, date_time=(2026, 10, 28, 9, 0, 0))
            entry.create_system = 0  # zipfile notes the system it runs on
            content = source.read(name)
            if name == "docProps/core.xml":  # openpyxl stamps the time of saving
                content = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", STAMP.encode(), content)
            target.writestr(entry, content)
    return fixed.getvalue()


SAMPLES: dict[str, Callable[[], bytes]] = {
    "payouts-2026-08.xlsx": payouts_august,
    "payouts-2026-09.xlsx": payouts_september,
    "payouts-2026-10.xlsx": payouts,
    "payouts-2026-11.xlsx": payouts_november,
    "credit-limits.csv": credit_limits,
    "refunds.xlsx": refunds,
    "good/zero-padded/in.xlsx": zero_padded,
    "good/excel-values/in.xlsx": excel_values,
    "good/sep-line-and-newlines/in.csv": export_with_sep,
    "bad/unreadable-cells/payouts.xlsx": unreadable_cells,
    "bad/wrong-encoding/in.csv": windows_1252,
}


def _differs(path: Path, content: bytes) -> bool:
    return not path.is_file() or path.read_bytes() != content


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the generated samples.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a sample on disk differs")
    check = parser.parse_args().check
    made = {HERE / name: make() for name, make in SAMPLES.items()}
    changed = [path for path, content in made.items() if _differs(path, content)]
    for path in changed:
        print(f"{'differs' if check else 'wrote'}: {path.relative_to(HERE).as_posix()}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made[path])
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
