"""Rows that cannot be sent: what is said of them, and that nothing leaves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from finance_desk import Desk, Outcome, at_a_desk, invoices, total, with_cell

GOOD = invoices(20)
BAD_CELLS = {"C4": "Amount", "A7": "Invoice No", "D11": "Due", "E14": "Urgent", "C19": "Amount"}


def five_bad_rows(desk: Desk) -> None:
    """Write twenty rows, five of which have one bad cell each."""
    rows = with_cell(GOOD, 2, Amount="12,50")
    rows = with_cell(rows, 5, Invoice_No="")
    rows = with_cell(rows, 9, Due="31.12.2026")
    rows = with_cell(rows, 12, Urgent="maybe")
    desk.sheet(with_cell(rows, 17, Amount="-3"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with at_a_desk(tmp_path_factory.mktemp("bad")) as desk:
        five_bad_rows(desk)
        yield desk


@pytest.fixture(scope="module")
def refused(desk: Desk) -> Outcome:
    return desk.run()


@pytest.fixture(scope="module")
def checked(desk: Desk) -> Outcome:
    return desk.command("check", "payouts.yaml", "--json")


def test_five_bad_rows_and_nothing_is_sent(desk: Desk, refused: Outcome) -> None:
    refused.ended(2)
    assert desk.server.requests == []


def test_no_batch_is_recorded_of_what_was_refused(desk: Desk, refused: Outcome) -> None:
    assert desk.batches() == []
    assert not list(desk.folder.glob("*.xlsx"))


def test_the_terminal_names_every_bad_cell(refused: Outcome) -> None:
    for cell in BAD_CELLS:
        assert f"payouts.csv!{cell}" in refused.stderr


def test_check_ends_with_1_and_counts_the_rows(checked: Outcome) -> None:
    document = checked.ended(1).document
    assert set(document) == {"version", "rows", "valid", "invalid", "duplicates", "totals", "problems", "error"}
    assert (document["rows"], document["valid"], document["invalid"], document["duplicates"]) == (20, 15, 5, 0)
    assert document["error"] is None


def test_the_addresses_of_the_bad_cells_are_exact(checked: Outcome) -> None:
    problems = checked.document["problems"]
    assert {problem["cell"]: problem["column"] for problem in problems} == {
        f"payouts.csv!{cell}": column for cell, column in BAD_CELLS.items()
    }
    assert {problem["row"] for problem in problems} == {4, 7, 11, 14, 19}
    assert all(set(problem) == {"row", "cell", "column", "path", "value", "code", "message"} for problem in problems)


def test_one_bad_cell_is_one_problem(checked: Outcome) -> None:
    assert len(checked.document["problems"]) == 5


def test_a_problem_gives_the_value_as_it_stands_in_the_cell(checked: Outcome) -> None:
    values = {problem["cell"]: problem["value"] for problem in checked.document["problems"]}
    assert values["payouts.csv!C4"] == "12,50"
    assert values["payouts.csv!D11"] == "31.12.2026"
    assert values["payouts.csv!C19"] == "-3"


def test_an_amount_that_cannot_be_read_is_told_beside_the_total(desk: Desk) -> None:
    outcome = desk.command("check", "payouts.yaml").ended(1)
    _, _, totals = outcome.stdout.partition("20 rows checked")
    assert re.search("unread|not be read|left out|without", totals), totals


def test_skip_invalid_sends_the_others_and_ends_with_1(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        five_bad_rows(desk)
        outcome = desk.run("--skip-invalid").ended(1)
        assert outcome.document["counts"] == {"completed": 15, "invalid": 5}
        good = [row["Invoice No"] for index, row in enumerate(GOOD) if index not in (2, 5, 9, 12, 17)]
        assert sorted(desk.server.sent("invoiceNumber")) == good
        results = desk.answer(outcome)
        assert results.column("_status").count("invalid") == 5
        assert results.column("_row") == list(range(2, 22))


def test_a_key_that_stands_twice_makes_both_rows_invalid(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(with_cell(invoices(6), 4, Invoice_No="00002"))
        problems = desk.command("check", "payouts.yaml", "--json").ended(1).document["problems"]
        assert [problem["cell"] for problem in problems] == ["payouts.csv!A3", "payouts.csv!A6"]
        assert desk.run("--skip-invalid").ended(1).document["counts"] == {"completed": 4, "invalid": 2}
        assert "00002" not in desk.server.sent("invoiceNumber")


def test_zero_rows_are_an_error(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet([])
        desk.run().ended(2)
        desk.command("check", "payouts.yaml", "--json").ended(2)
        assert desk.server.requests == []


def test_a_valid_sheet_passes_check_and_sends_nothing(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(GOOD)
        document = desk.command("check", "payouts.yaml", "--json").ended(0).document
        assert (document["rows"], document["valid"], document["invalid"]) == (20, 20, 0)
        assert sum(map(float, document["totals"]["Amount"].values())) == pytest.approx(float(total(GOOD)))
        assert desk.server.requests == []


def test_check_shows_the_very_bodies_that_run_sends(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(1))
        shown = desk.command("check", "payouts.yaml", "--show", "1").ended(0)
        desk.run().ended(0)
        assert desk.server.starts[0].body.decode() in shown.stdout + shown.stderr
