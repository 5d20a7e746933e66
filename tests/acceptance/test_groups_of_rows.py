"""Several rows, one payload: each group is one run, and every row of it knows what became of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from finance_desk import Desk, at_a_desk
from openpyxl import load_workbook

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["orderNumber", "lines"],
    "properties": {
        "orderNumber": {"type": "string"},
        "customer": {"type": "object", "properties": {"name": {"type": "string"}}},
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["sku", "quantity"],
                "properties": {
                    "sku": {"type": "string", "minLength": 2},
                    "quantity": {"type": "integer", "minimum": 1},
                },
            },
        },
    },
}
JOB = """\
job: orders
procedure: {id: proc_order, mode: sync}
source: {file: orders.csv}
group_by: Order
key: Order
schema: order.schema.json
data:
  orderNumber: Order
  customer.name: Customer
  lines[].sku: SKU
  lines[].quantity: Qty
rate: 200/s
results: {file: results.xlsx, totals: [Qty]}
"""
GOOD = [("A1", "ACME", "S1", 2), ("A2", "Beta", "S1", 1), ("A1", "ACME", "S2", 3), ("A3", "Ceta", "S9", 4)]


def orders(desk: Desk, rows: Sequence[Sequence[object]]) -> None:
    (desk.folder / "order.schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    (desk.folder / "payouts.yaml").write_text(JOB, encoding="utf-8")
    with (desk.folder / "orders.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("Order", "Customer", "SKU", "Qty"), *rows])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with at_a_desk(tmp_path) as one:
        yield one


def test_each_group_is_sent_once_and_its_result_stands_on_every_row(desk: Desk) -> None:
    orders(desk, GOOD)
    done = desk.run().ended(0)
    assert (done.document["rows"], done.document["runs"]) == (4, 3)
    assert done.document["counts"] == {"completed": 4}
    assert done.document["totals"] == {"Qty": {"completed": "10"}}
    bodies = {start.json["data"]["orderNumber"]: start.json["data"] for start in desk.server.starts}
    assert len(desk.server.starts) == 3
    assert bodies["A1"] == {
        "orderNumber": "A1",
        "customer": {"name": "ACME"},
        "lines": [{"sku": "S1", "quantity": 2}, {"sku": "S2", "quantity": 3}],
    }
    results = desk.answer(done)
    assert results.column("SKU") == ["S1", "S1", "S2", "S9"] and set(results.column("_status")) == {"completed"}
    runs = results.column("_run_id")
    assert runs[0] == runs[2] and len(set(runs)) == 3


def test_the_same_orders_again_are_duplicates_on_every_row(desk: Desk) -> None:
    orders(desk, GOOD)
    desk.run().ended(0)
    orders(desk, [*GOOD, ("A4", "Delta", "S1", 1)])
    again = desk.run().ended(1)
    assert again.document["counts"] == {"duplicate": 4, "completed": 1} and again.document["runs"] == 4
    assert len(desk.server.starts) == 4


def test_a_faulty_row_keeps_its_whole_group_from_being_sent(desk: Desk) -> None:
    orders(desk, [*GOOD, ("A3", "Ceta", "S", 1), ("A2", "Gamma", "S4", 1)])
    checked = desk.command("check", "payouts.yaml", "--json").ended(1).document
    assert [(one["row"], one["cell"], one["code"]) for one in checked["problems"]] == [
        (6, "orders.csv!C6", "schema-min-length"),
        (7, "orders.csv!B7", "group-differs"),
    ]
    assert "orders.csv!B3" in checked["problems"][1]["message"]
    assert (checked["rows"], checked["valid"], checked["invalid"]) == (6, 2, 4)
    desk.run().ended(2)
    assert desk.server.starts == []
    rest = desk.run("--skip-invalid").ended(1)
    assert rest.document["counts"] == {"invalid": 4, "completed": 2}
    assert [start.json["data"]["orderNumber"] for start in desk.server.starts] == ["A1"]
    results = desk.answer(rest)
    assert "row 6 of its group has a problem" in str(results.rows[3]["_error"])


def test_one_row_of_a_group_cannot_be_sent_alone(desk: Desk) -> None:
    orders(desk, GOOD)
    cut = desk.run("--rows", "2").ended(2)
    assert "orders.csv!2" in cut.words and desk.server.starts == []


def test_a_refused_group_is_tried_again_as_a_whole(desk: Desk) -> None:
    desk.server.switches.refuse = lambda data: "blocked" if data["orderNumber"] == "A1" else None
    orders(desk, GOOD)
    assert desk.run().ended(1).document["counts"] == {"completed": 2, "refused": 2}
    desk.server.switches.refuse = lambda data: None
    assert desk.command("retry", "last", "--rows", "4", "--json").ended(0).document["counts"] == {"completed": 4}
    assert len(desk.server.starts) == 4
    life = desk.command("show", "last", "--row", "4", "--json").ended(0).document
    assert life["payload"]["orderNumber"] == "A1" and life["attempts"] == 2 and len(life["steps"]) == 5


def test_a_group_in_doubt_is_settled_by_any_of_its_rows(desk: Desk) -> None:
    desk.server.switches.drop_after_accepting = lambda data: data["orderNumber"] == "A1"
    orders(desk, GOOD)
    assert desk.run().ended(1).document["counts"] == {"completed": 2, "in_doubt": 2}
    run_id = next(one.run_id for one in desk.server.runs.values() if one.data["orderNumber"] == "A1")
    settled = desk.command("resolve", "last", "--row", "4", "--run-id", run_id, "--json").ended(0)
    assert settled.document["counts"] == {"completed": 4}


def decide(path: Path, *decisions: tuple[int, str]) -> None:
    book = load_workbook(path)
    sheet = book["Results"]
    places = {cell.value: cell.column for cell in sheet[1]}
    for line, word in decisions:
        sheet.cell(line, places["_decision"]).value = word
        sheet.cell(line, places["_rejection_reason"]).value = "no" if word == "reject" else None
    book.save(path)


def test_decisions_within_a_group_must_agree_and_are_sent_once(desk: Desk) -> None:
    desk.server.switches.review = lambda data: data["orderNumber"] == "A1"
    orders(desk, GOOD)
    waiting = desk.run().ended(4)
    assert waiting.document["counts"] == {"awaiting_review": 2, "completed": 2}
    path = Path(waiting.document["workbook"])
    decide(path, (2, "approve"), (4, "reject"))
    refused = desk.command("review", path, "--json", "--dry-run").ended(2)
    assert f"{path.name}!Results!" in refused.words and "is of the same run" in refused.words
    decide(path, (2, "approve"), (4, "approve"))
    dry = desk.command("review", path, "--json", "--dry-run").ended(0)
    assert "Approve 2 rows (Qty 5)" in dry.words


def test_a_canary_counts_groups_and_so_does_the_time_that_sending_takes(desk: Desk) -> None:
    orders(desk, GOOD)
    held = desk.run("--canary", "2", "--rate", "10/s").ended(3)
    assert "orders: 4 rows to send at 10/s, about 0.3 s" in held.stderr
    assert "Canary: the first 2 payloads are sent alone" in held.stderr
    assert held.document["stopped"] == (
        "the first 2 payloads were sent (2 completed), and somebody must look at them before the other row is sent"
    )
    assert held.document["counts"] == {"ready": 1, "completed": 3}
    assert [start.json["data"]["orderNumber"] for start in desk.server.starts] == ["A1", "A2"]
    desk.command("resume", "last", "--confirm", "--json").ended(0)
    assert len(desk.server.starts) == 3
