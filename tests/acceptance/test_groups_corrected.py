"""What was refused of a grouped job is corrected in a file, and each group is sent again as one, with all its rows."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from finance_desk import Desk, Outcome, at_a_desk
from test_groups_of_rows import JOB, SCHEMA

ROWS = [
    ("A1", "ACME", "S1", 2, "first"),
    ("A2", "Beta", "S1", 1, ""),
    ("A1", "ACME", "S2", 3, ""),
    ("A3", "Ceta", "S9", 4, ""),
    ("A1", "ACME", "S7", 1, ""),
]
A1 = [("S1", 2), ("S2", 3), ("S7", 1)]
Cells = dict[str, str]


def no_s7(data: Any) -> str | None:
    """Refuse whatever orders an S7."""
    return "S7 is not sold any more" if any(line["sku"] == "S7" for line in data["lines"]) else None


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Give a desk at which A1, of three rows, was refused and reported, and A2 and A3 are completed."""
    with at_a_desk(tmp_path, refuse=no_s7) as one:
        (tmp_path / "order.schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
        (tmp_path / "payouts.yaml").write_text(job(one), encoding="utf-8")
        with (tmp_path / "orders.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("Order", "Customer", "SKU", "Qty", "Note"), *ROWS])
        assert one.run().ended(1).document["counts"] == {"completed": 2, "refused": 3}
        one.command("report", "last", "--only", "refused", "-o", "refused.csv", "--json").ended(0)
        yield one


def job(_desk: Desk) -> str:
    """Give the job: a group is an order of a customer, and rows whose note says so stay out."""
    return JOB.replace("group_by: Order", "group_by: [Order, Customer]").replace(
        "{file: orders.csv}", '{file: orders.csv, where: \'row["Note"] != "out"\'}'
    )


def corrected(desk: Desk, change: Callable[[list[Cells]], list[Cells]]) -> Outcome:
    """Correct the report, and hand it in."""
    path = desk.folder / "refused.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        rows = change(list(reader))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, reader.fieldnames or ())
        writer.writeheader()
        writer.writerows(rows)
    return desk.command("retry", "last", "--input", "refused.csv", "--json")


def changing(place: int, **cells: str) -> Callable[[list[Cells]], list[Cells]]:
    """Change some cells of one row."""
    return lambda rows: [row | cells if at == place else row for at, row in enumerate(rows)]


def lines_sent(desk: Desk) -> list[list[tuple[str, int]]]:
    """Give the lines of each start of A1, in order."""
    bodies = [start.json["data"] for start in desk.server.starts]
    return [
        [(line["sku"], line["quantity"]) for line in body["lines"]] for body in bodies if body["orderNumber"] == "A1"
    ]


def test_one_corrected_line_sends_its_whole_group_again_and_no_other(desk: Desk) -> None:
    done = corrected(desk, changing(2, SKU="S8")).ended(0)
    assert (done.document["rows"], done.document["runs"]) == (5, 3)
    assert done.document["counts"] == {"completed": 5}
    assert lines_sent(desk) == [A1, [*A1[:2], ("S8", 1)]]
    assert len(desk.server.starts) == 4
    assert "1 row corrected, 1 cell changed" in done.stderr
    assert "row 6 SKU: S7 -> S8" in done.stderr
    assert "unchanged" not in done.stderr
    results = desk.answer(done)
    assert results.column("SKU") == ["S1", "S1", "S2", "S9", "S8"]
    assert results.column("_attempts") == [2, 1, 2, 1, 2]


def test_the_history_tells_the_correction_at_its_row_and_the_new_attempt_at_its_group(desk: Desk) -> None:
    corrected(desk, changing(2, SKU="S8")).ended(0)
    of_row = desk.command("show", "last", "--row", "6", "--json").ended(0).document
    (told,) = of_row["corrections"]
    assert told["changes"] == [{"column": "SKU", "before": "S7", "after": "S8"}]
    first = desk.command("show", "last", "--row", "2", "--json").ended(0).document
    assert [line["sku"] for line in first["payload"]["lines"]] == ["S1", "S2", "S8"]
    assert any("corrected from refused.csv" in json.dumps(one) for one in first["steps"])
    desk.command("show", "last", "--row", "2").ended(0)


def test_amounts_of_a_corrected_line_are_told_and_still_add_up(desk: Desk) -> None:
    done = corrected(desk, changing(2, SKU="S8", Qty="5")).ended(0)
    assert "Qty of these rows in all: 6 -> 10" in done.stderr
    assert done.document["totals"] == {"Qty": {"completed": "15"}}


def test_what_is_not_sent_may_be_corrected_too_and_is_told(desk: Desk) -> None:
    desk.server.switches.refuse = lambda data: None
    done = corrected(desk, changing(1, Note="looked at")).ended(0)
    assert lines_sent(desk) == [A1, A1]
    assert "of the corrected rows, 1 row changed only in what the job does not send" in done.stderr


def test_a_group_that_nobody_changed_is_sent_again_as_it_was(desk: Desk) -> None:
    desk.server.switches.refuse = lambda data: None
    done = corrected(desk, lambda rows: rows).ended(0)
    assert lines_sent(desk) == [A1, A1]
    assert "3 rows are unchanged and are sent again as they were." in done.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda rows: rows[:2], "its group is 3 rows of orders-001 (rows 2, 4, 6), and 2 of this file"),
        (lambda rows: [*rows, rows[0]], "and 4 of this file; a correction leaves none out and adds none"),
        (
            changing(1, Customer="Other"),
            'refused.csv!A3, refused.csv!B3 Order, Customer "A1, Other": a correction moves no row',
        ),
        (changing(0, Order="A9"), "has no row with this key, and a key is not corrected"),
        (changing(2, Note="out"), "as it is corrected now, the job's `where` leaves this row out"),
        (changing(2, Qty="0"), 'refused.csv!D4 Qty "0"'),
        (changing(2, Qty="none"), 'refused.csv!D4 Qty "none"'),
        (changing(0, Order="A3"), "row 5 of orders-001 is completed"),
    ],
    ids=[
        "a row less",
        "a row more",
        "another group",
        "an unknown key",
        "left out",
        "invalid",
        "unreadable",
        "completed",
    ],
)
def test_what_does_not_fit_is_told_with_its_cell_and_nothing_is_sent(
    desk: Desk, change: Callable[[list[Cells]], list[Cells]], told: str
) -> None:
    before = len(desk.server.starts)
    refused = corrected(desk, change).ended(2)
    assert told in refused.document["error"]["message"]
    assert len(desk.server.starts) == before
    assert desk.batches()[0]["counts"] == {"completed": 2, "refused": 3}


def test_rows_of_a_group_are_chosen_by_any_of_them(desk: Desk) -> None:
    desk.server.switches.refuse = lambda data: None
    path = desk.folder / "refused.csv"
    desk.command("retry", "last", "--input", path, "--rows", "6", "--json").ended(0)
    assert lines_sent(desk) == [A1, A1]
