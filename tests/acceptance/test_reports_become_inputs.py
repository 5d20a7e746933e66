"""What comes back can go in again: report files, results workbooks, and what adds up in them."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from finance_desk import HEADERS, Desk, at_a_desk, in_the_background, invoices, total, with_cell
from openpyxl import load_workbook

ROWS = invoices(20)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Run twenty rows, of which four are refused."""
    with at_a_desk(
        tmp_path_factory.mktemp("mixed"), refuse=lambda data: "no" if int(data["invoiceNumber"]) % 5 == 0 else None
    ) as desk:
        desk.sheet(ROWS)
        desk.run().ended(1)
        yield desk
        assert len(desk.server.starts) == 20


REFUSED = [row for row in ROWS if int(row["Invoice No"]) % 5 == 0]


def test_a_csv_report_has_the_sources_rows_alone(mixed: Desk) -> None:
    mixed.command("report", "last", "--only", "refused", "-o", "refused.csv", "--json").ended(0)
    with (mixed.folder / "refused.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{name: row[name] for name in HEADERS} for row in rows] == [dict(row) for row in REFUSED]
    assert all(name.startswith("_") for name in rows[0] if name not in HEADERS)


def test_an_xlsx_report_has_the_sources_rows_alone(mixed: Desk) -> None:
    mixed.command("report", "last", "--only", "refused", "-o", "refused.xlsx", "--json").ended(0)
    book = load_workbook(mixed.folder / "refused.xlsx")
    header, *rows = book.worksheets[0].iter_rows(values_only=True)
    assert header[: len(HEADERS)] == HEADERS
    assert [row[0] for row in rows] == [row["Invoice No"] for row in REFUSED]
    assert [Decimal(str(row[2])) for row in rows] == [Decimal(row["Amount"]) for row in REFUSED]
    book.close()


def test_a_jsonl_report_is_one_object_a_row(mixed: Desk) -> None:
    mixed.command("report", "last", "--only", "refused", "-o", "refused.jsonl", "--json").ended(0)
    lines = (mixed.folder / "refused.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["Invoice No"] for line in lines] == [row["Invoice No"] for row in REFUSED]


def test_a_report_can_be_an_input_again(mixed: Desk) -> None:
    name = "all.csv"
    mixed.command("report", "last", "--only", "refused,completed", "-o", name, "--json").ended(0)
    checked = mixed.command("check", "payouts.yaml", "--input", name, "--json").ended(1).document
    assert (checked["rows"], checked["invalid"], checked["duplicates"]) == (20, 0, 16)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_payloads_of_a_report_are_those_that_were_sent(mixed: Desk, kind: str) -> None:
    mixed.command("report", "last", "--only", "refused", "-o", f"again.{kind}", "--json").ended(0)
    shown = mixed.command("check", "payouts.yaml", "--show", "4", "--input", f"again.{kind}").ended(0).stdout
    refused = [
        start.body.decode() for start in mixed.server.starts if int(start.json["data"]["invoiceNumber"]) % 5 == 0
    ]
    assert len(refused) == 4
    assert all(body in shown for body in refused)


def test_a_results_workbook_can_be_an_input_again(mixed: Desk) -> None:
    job = mixed.job(lambda text: text.replace("{file: payouts.csv}", "{file: payouts.csv, sheet: Results}"))
    outcome = mixed.command("check", job.name, "--input", "results.xlsx", "--json")
    mixed.job()
    outcome.ended(1)
    document = outcome.document
    assert (document["rows"], document["invalid"], document["duplicates"]) == (20, 0, 16)
    assert sum(Decimal(part) for part in document["totals"]["Amount"].values()) == total(ROWS)


def test_only_with_a_word_that_is_no_state_is_refused(mixed: Desk) -> None:
    refused = mixed.command("report", "last", "--only", "rejectted", "-o", "x.csv", "--json").ended(2)
    assert "rejectted" in refused.document["error"]["message"]
    assert not (mixed.folder / "x.csv").exists()


def test_only_of_a_state_with_no_row_says_so(mixed: Desk) -> None:
    nothing = mixed.command("report", "last", "--only", "cancelled", "-o", "none.csv", "--json")
    assert "cancelled" in nothing.stderr or "0 rows" in nothing.stderr, nothing


def test_a_report_does_not_overwrite_the_input(mixed: Desk) -> None:
    before = (mixed.folder / "payouts.csv").read_bytes()
    mixed.command("report", "last", "--only", "refused", "-o", "payouts.csv", "--json")
    assert (mixed.folder / "payouts.csv").read_bytes() == before


def test_report_writes_the_workbook_again_from_the_journal(mixed: Desk) -> None:
    path = mixed.folder / "results.xlsx"
    path.unlink()
    requests = len(mixed.server.requests)
    outcome = mixed.command("report", "last", "--json").ended(0)
    assert Path(outcome.document["workbook"]) == path
    assert mixed.answer(outcome).column("_status").count("refused") == 4
    assert len(mixed.server.requests) == requests


def test_a_batch_can_be_named_by_its_workbook(mixed: Desk) -> None:
    status = mixed.command("status", "results.xlsx", "--json").ended(0)
    assert status.document["batch"] == "payouts-001"


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_counts_add_up_to_the_rows_and_totals_to_the_sheet_whatever_happens(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    rows = invoices(60)
    fates = {
        row["Invoice No"]: chance.choices(
            ["fine", "refuse", "fail", "drop_after_accepting", "break_after_accepting", "review", "invalid"],
            [20, 3, 3, 1, 1, 3, 3],
        )[0]
        for row in rows
    }
    for index, row in enumerate(rows):
        if fates[row["Invoice No"]] == "invalid":
            rows = with_cell(rows, index, Due="soon")
    with at_a_desk(tmp_path) as desk:
        desk.job(in_the_background)
        desk.sheet(rows[:7], "earlier.csv")
        earlier = desk.run("--input", "earlier.csv", "--skip-invalid").document["counts"].get("completed", 0)
        for fate in ("refuse", "fail"):
            setattr(desk.server.switches, fate, lambda data, fate=fate: fate * (fates[data["invoiceNumber"]] == fate))
        for fate in ("drop_after_accepting", "break_after_accepting", "review"):
            setattr(desk.server.switches, fate, lambda data, fate=fate: fates[data["invoiceNumber"]] == fate)
        desk.sheet(rows)
        outcome = desk.run("--skip-invalid").ended(1)
        results = desk.answer(outcome)
        sent = Counter(desk.server.sent("invoiceNumber"))

    document = outcome.document
    assert document["rows"] == sum(document["counts"].values()) == 60
    assert document["counts"]["duplicate"] == earlier
    assert Counter(results.column("_status")) == document["counts"]
    assert results.column("Invoice No") == [row["Invoice No"] for row in rows]
    by_state: dict[str, Decimal] = defaultdict(Decimal)
    for row, state in zip(rows, results.column("_status"), strict=True):
        by_state[state] += Decimal(row["Amount"])
    assert {state: Decimal(part) for state, part in document["totals"]["Amount"].items()} == by_state
    assert sum(by_state.values()) == total(rows)
    assert set(sent.values()) == {1}


def test_runs_in_the_document_are_the_payloads_of_which_each_is_one_run_at_the_most(mixed: Desk) -> None:
    document = mixed.command("report", "last", "--json").ended(0).document
    assert (document["rows"], document["runs"]) == (20, 20)


def test_results_are_never_written_over_the_input(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        before = desk.sheet(invoices(3)).read_bytes()
        desk.run("-o", "payouts.csv")
        assert (desk.folder / "payouts.csv").read_bytes() == before


def test_a_report_does_not_overwrite_a_file_that_is_not_its_own(mixed: Desk) -> None:
    notes = mixed.folder / "notes.csv"
    notes.write_text("mine\n", encoding="utf-8")
    mixed.command("report", "last", "--only", "refused", "-o", "notes.csv", "--json")
    assert notes.read_text(encoding="utf-8") == "mine\n"
