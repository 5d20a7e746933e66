"""The samples are what the docs, the jobs and the other tests stand on: nothing of them may change unseen."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openpyxl import load_workbook

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
SCHEMAS = sorted(SAMPLES.rglob("*schema.json"))
GOOD = sorted(path.parent for path in SAMPLES.glob("good/*/job.yaml"))
BAD = sorted(path.parent for path in SAMPLES.glob("bad/*/job.yaml"))


def name(path: Path) -> str:
    return path.relative_to(SAMPLES).as_posix()


def schema_of(path: Path) -> Draft202012Validator:
    schema = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def table(file: str, sheet: str, header_row: int) -> list[dict[str, Any]]:
    rows = load_workbook(SAMPLES / file)[sheet].iter_rows(min_row=header_row, values_only=True)
    header = [str(cell) for cell in next(rows)]
    return [dict(zip(header, row, strict=True)) for row in rows]


def payouts(month: int = 10) -> list[dict[str, Any]]:
    return table(f"payouts-2026-{month:02d}.xlsx", "Payouts", 3)


def by_vendor(month: int) -> dict[str, Decimal]:
    """Give each vendor's sum in a month, in which an invoice of the month before does not count."""
    before = {row["Invoice No"] for row in payouts(month - 1)} if month > 8 else set()
    sums: dict[str, Decimal] = {}
    for row in payouts(month):
        if row["Invoice No"] not in before:
            sums[row["Vendor"]] = sums.get(row["Vendor"], Decimal(0)) + Decimal(str(row["Amount"]))
    return sums


def refunds() -> list[dict[str, Any]]:
    return table("refunds.xlsx", "Refunds", 1)


def limits() -> list[dict[str, str]]:
    text = (SAMPLES / "credit-limits.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(text.splitlines(keepends=True), delimiter=";", strict=True))


def from_german(amount: str) -> Decimal:
    return Decimal(amount.replace(".", "").replace(",", "."))


def total(rows: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(str(row["Amount"])) for row in rows), Decimal(0))


def run_the_script(script: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)


def test_the_script_makes_what_is_on_disk() -> None:
    seen = run_the_script(SAMPLES / "make_samples.py")
    assert (seen.returncode, seen.stdout, seen.stderr) == (0, "", "")


def test_check_names_a_sample_that_was_altered(tmp_path: Path) -> None:
    script = tmp_path / "make_samples.py"
    script.write_bytes((SAMPLES / "make_samples.py").read_bytes())
    subprocess.run([sys.executable, str(script)], capture_output=True, check=True)
    with (tmp_path / "credit-limits.csv").open("ab") as file:
        file.write(b"\r\n")
    seen = run_the_script(script)
    assert (seen.returncode, seen.stdout) == (1, "differs: credit-limits.csv\n")


@pytest.mark.parametrize("path", SCHEMAS, ids=name)
def test_a_schema_is_valid_2020_12(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("case", GOOD, ids=name)
def test_the_payloads_of_a_good_case_fit_its_schema(case: Path) -> None:
    schema = schema_of(case / "schema.json")
    lines = (case / "payloads.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines
    for line in lines:
        assert [error.message for error in schema.iter_errors(json.loads(line, parse_float=Decimal))] == []


@pytest.mark.parametrize("case", BAD, ids=name)
def test_a_bad_case_expects_places_that_exist(case: Path) -> None:
    expected = (case / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert expected
    assert all(expected)
    for line in expected:
        if place := re.fullmatch(r"(job\.yaml:|in\.csv![A-Z]?)(\d+)", line):
            file = case / re.split("[:!]", place[1])[0]
            assert int(place[2]) <= len(file.read_bytes().splitlines())


def test_every_case_is_whole() -> None:
    assert len(GOOD) >= 8
    assert len(BAD) >= 8
    for case, proof in [(case, "payloads.jsonl") for case in GOOD] + [(case, "expected.txt") for case in BAD]:
        kinds = sorted(path.suffix for path in case.iterdir() if path.name not in {"job.yaml", "schema.json", proof})
        assert kinds in ([".csv"], [".xlsx"])
        assert (case / "schema.json").is_file()
        assert (case / proof).is_file()


@pytest.mark.parametrize("job", sorted((ROOT / "jobs").glob("*.yaml")), ids=lambda path: path.name)
def test_a_ready_job_tells_editors_its_schema_and_carries_its_file_name(job: Path) -> None:
    lines = job.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# yaml-language-server: $schema=job.schema.json"
    assert lines[1] == f"job: {job.stem}"


def test_payouts_are_120_invoices_with_a_fixed_total() -> None:
    rows = payouts()
    assert len(rows) == 120
    assert len({str(row["Invoice No"]) for row in rows}) == 120
    assert {row["Currency"] for row in rows} == {"EUR"}
    assert total(rows) == Decimal("601282.20")


def test_payouts_carry_valid_ibans_of_several_countries_in_groups_of_four() -> None:
    printed = {str(row["IBAN"]) for row in payouts()}
    for iban in printed:
        assert re.fullmatch(r"([A-Z0-9]{4} )+[A-Z0-9]{1,4}", iban)
        plain = iban.replace(" ", "")
        assert int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1
    assert len({iban[:2] for iban in printed}) >= 10


def test_payouts_keep_leading_zeros_as_text_and_as_a_format() -> None:
    sheet = load_workbook(SAMPLES / "payouts-2026-10.xlsx")["Payouts"]
    cells = list(sheet.iter_rows(min_row=4))
    assert any(row[1].value == "000123" for row in cells)
    assert any((row[7].value, row[7].number_format) == (42, "00000") for row in cells)
    assert all(isinstance(row[6].value, datetime) and row[4].number_format == "#,##0.00" for row in cells)


def test_the_payouts_workbook_has_a_second_sheet_with_data() -> None:
    assert load_workbook(SAMPLES / "payouts-2026-10.xlsx").sheetnames == ["Payouts", "Notes"]


def test_the_other_months_are_short_and_of_the_same_vendors() -> None:
    assert [(len(payouts(month)), total(payouts(month))) for month in (8, 9, 11)] == [
        (25, Decimal("596316.54")),
        (26, Decimal("627915.28")),
        (26, Decimal("622574.31")),
    ]
    vendors = {row["Vendor"]: row["IBAN"] for row in payouts()}
    for month in (8, 9):
        assert {row["Vendor"]: row["IBAN"] for row in payouts(month)} == vendors


def test_an_invoice_of_the_month_before_stands_again_in_september_and_in_november() -> None:
    for month in (9, 11):
        keys, before = ({row["Invoice No"]: row for row in payouts(at)} for at in (month, month - 1))
        (again,) = keys.keys() & before.keys()
        assert keys[again] == before[again]


def test_november_has_a_new_vendor_a_missing_one_and_one_that_bills_60_percent_more() -> None:
    then, now = by_vendor(10), by_vendor(11)
    assert (now.keys() - then.keys(), then.keys() - now.keys()) == ({"Nordlicht Reinigung GmbH"}, {"Atelier Liégeois"})
    grown = {vendor: now[vendor] / then[vendor] for vendor in now.keys() & then.keys()}
    assert round(grown.pop("Rheinwerk Logistik AG"), 3) == Decimal("1.6")
    assert all(Decimal("0.91") < share < Decimal("1.09") for share in grown.values())


def test_credit_limits_are_1000_customers_with_a_fixed_total() -> None:
    rows = limits()
    assert len(rows) == 1000
    assert len({row["Kundennummer"] for row in rows}) == 1000
    assert all(re.fullmatch(r"00\d{6}", row["Kundennummer"]) for row in rows)
    assert all(re.fullmatch(r"\d{1,3}(\.\d{3})*,\d\d", row["Limit"]) for row in rows)
    assert sum(from_german(row["Limit"]) for row in rows) == Decimal("283211188.43")


def test_credit_limits_look_like_a_german_export() -> None:
    raw = (SAMPLES / "credit-limits.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    newlines = len(re.findall(rb"(?<!\r)\n", raw))
    assert newlines == sum("\n" in row["Bemerkung"] for row in limits()) > 0


def test_credit_limits_hold_namibia_a_person_called_null_and_quoted_delimiters() -> None:
    rows = limits()
    assert [row["Ort"] for row in rows if row["Land"] == "NA"] == ["Windhoek"]
    assert [row["Vorname"] for row in rows if row["Nachname"] == "Null"] == ["Jens"]
    assert any(";" in row["Kunde"] for row in rows)
    assert {row["Telefon"] == "" for row in rows} == {True, False}


def test_refunds_are_40_of_which_seven_wait_for_a_person() -> None:
    rows = refunds()
    assert len(rows) == 40
    assert len({row["Refund No"] for row in rows}) == 40
    assert sum(Decimal(str(row["Amount"])) > 500 for row in rows) == 7
    assert total(rows) == Decimal("25426.54")


def test_no_sample_has_a_hidden_row_or_a_gap() -> None:
    months = [f"payouts-2026-{month}.xlsx" for month in ("08", "09", "10", "11")]
    for file in (*months, "refunds.xlsx"):
        for sheet in load_workbook(SAMPLES / file):
            assert not [number for number, row in sheet.row_dimensions.items() if row.hidden]
            assert not [key for key, _ in groupby(row[0] for row in sheet.values) if key is None]
