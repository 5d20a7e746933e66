"""A sheet with more bad cells than anybody reads: each cause is named with its true count, and shown by a few cells."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from finance_desk import Desk, at_a_desk, invoices, with_cell

REPORT = "--report bad-cells.xlsx"
TOLD = """\
Due: 60 problems (not-a-date)
  payouts.csv!D2 Due "30.11.2026": not a date such as 2026-10-31; correct the
      cell, or declare its form: `date_format: '%d.%m.%Y'`
  payouts.csv!D3 Due "30.11.2026": not a date such as 2026-10-31; correct the
      cell, or declare its form: `date_format: '%d.%m.%Y'`
  payouts.csv!D4 Due "30.11.2026": not a date such as 2026-10-31; correct the
      cell, or declare its form: `date_format: '%d.%m.%Y'`
  and 57 more
Amount: 59 problems (not-a-number)
  payouts.csv!C2 Amount "ten": not a number
  payouts.csv!C3 Amount "ten": not a number
  payouts.csv!C5 Amount "ten": not a number
  and 56 more
Invoice No: 2 problems (key-repeated)
  payouts.csv!A51 Invoice No "00050": the same key also stands in
      payouts.csv!A52
  payouts.csv!A52 Invoice No "00050": the same key also stands in
      payouts.csv!A51
Other problems:
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with at_a_desk(tmp_path_factory.mktemp("many")) as desk:
        rows = [{**row, "Due": "30.11.2026", "Amount": "ten"} for row in invoices(60)]
        rows = with_cell(with_cell(rows, 2, Amount="1"), 50, Invoice_No="00050")
        desk.sheet(with_cell(with_cell(rows, 40, Urgent="maybe"), 20, Invoice_No=""))
        yield desk
        assert desk.server.requests == []


def test_check_names_each_cause_with_its_count_and_shows_a_few_cells_of_each(desk: Desk) -> None:
    told = desk.command("check", "payouts.yaml").ended(1).stdout
    assert told.startswith(TOLD)
    others = told.removeprefix(TOLD).splitlines()
    assert others[0].startswith("  payouts.csv!A22 Invoice No: the key")
    assert others[1].startswith('  payouts.csv!E42 Urgent "maybe": ')
    assert f"\nTo see each in its cell: the same command with {REPORT}\n\npayouts: 60 rows checked" in told


def test_run_names_the_same_causes_and_counts(desk: Desk) -> None:
    failed = desk.command("run", "payouts.yaml").ended(2)
    assert failed.stdout.startswith(TOLD)
    assert f"To see each in its cell: batchrun check … {REPORT}" in failed.stdout
    assert "60 of 60 rows are invalid" in failed.stderr


def test_who_has_the_report_is_not_told_to_ask_for_it(desk: Desk) -> None:
    outcome = desk.command("check", "payouts.yaml", "--report", "bad-cells.xlsx").ended(1)
    assert outcome.stdout.startswith(TOLD)
    assert "To see each" not in outcome.stdout
    assert "123 cells marked" in outcome.stderr


def test_a_machine_is_told_every_problem(desk: Desk) -> None:
    problems = desk.command("check", "payouts.yaml", "--json").ended(1).document["problems"]
    assert len(problems) == 123
    assert [problem["row"] for problem in problems] == sorted(problem["row"] for problem in problems)
