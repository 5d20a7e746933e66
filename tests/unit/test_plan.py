"""The sealed plan: read back as it was, and every difference in a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from batchrun.core import plan as plans
from batchrun.core import sealed_document
from batchrun.core.plan import Found, Plan, StagedRow, differences, planned, read_plan, row_difference
from batchrun.model import State

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
OUTPUTS = {"name": "o.json", "sha256": C, "path": None}


def made(**more: Any) -> Plan:
    payloads = [(2, A), (3, B)]
    file = {"name": "f", "sha256": A, "path": "f"}
    parts: dict[str, Any] = {
        "job": "payouts",
        "environment": "live",
        "world": "w",
        "base_url": "b",
        "review_url": "r",
        "procedure": "p",
        "procedure_version": "v2",
        "mode": "async",
        "timeout_ms": None,
        "rate": "5/s",
        "concurrency": 8,
        "spec": file,
        "schema": file,
        "outputs": None,
        "input": {**file, "name": "in.csv", "sheet": None, "given": False},
        "params": {"period": "2026-10"},
        "selection": {"rows": None, "limit": None, "skip_invalid": False},
        "approval": None,
        "approvers": None,
        "rows": 3,
        "runs": 2,
        "counts": {"ready": 2, "duplicate": 1},
        "totals": {"Amount": {"ready": "1.00"}},
        "duplicates": [{"row": 4, "taken": "by row 2"}],
        "notes": [],
        "seconds": 0.4,
        "rehearsal": None,
        "made_at": "2026",
        "made_by": "eve",
        "host": "h",
        "made_with": "0",
        "payloads": payloads,
        "payloads_sha256": plans.payloads_sha256(payloads),
    }
    return Plan.model_validate({**parts, **more})


def found(**more: Any) -> Found:
    return planned(made())._replace(**more)


ROWS = [
    StagedRow(2, State.READY, A),
    StagedRow(3, State.READY, B),
    StagedRow(4, State.DUPLICATE, C, "the key is taken by row 2 of payouts-001"),
]


def test_a_plan_is_read_back_as_it_was_written() -> None:
    for plan in (made(), made(outputs=OUTPUTS, rehearsal={"batch": "p-001", "date": "2026", "counts": {"ready": 1}})):
        assert read_plan(plan.sealed()) == plan
        assert read_plan(plan.sealed()).sealed() == plan.sealed()


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"payloads": None}, {"payloads": [2]}, {"payloads": [[2, A, 1]]}, {"more": 1}]
)
def test_a_well_sealed_document_that_is_no_plan_is_refused(change: dict[str, Any]) -> None:
    document = made().model_dump(by_alias=True)
    with pytest.raises(ValueError, match="no plan"):
        read_plan(sealed_document.sealed({**document, **change}))


@pytest.mark.parametrize(
    ("name", "approval", "workbook"),
    [
        ("october.plan.json", "october.approval.json", "october.plan.xlsx"),
        ("october.json", "october.json.approval.json", "october.xlsx"),
        ("october", "october.approval.json", "october.xlsx"),
    ],
)
def test_approval_and_workbook_are_named_after_the_plan(name: str, approval: str, workbook: str) -> None:
    assert (plans.approval_name(name), plans.workbook_name(name)) == (approval, workbook)


def test_what_is_as_it_was_has_no_difference() -> None:
    assert differences(made(), found()) == []
    assert row_difference(made(), ROWS) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spec": B}, "the job spec f"),
        ({"schema": B}, "the schema f"),
        ({"outputs": B}, "the schema of review outputs"),
        ({"input": B}, "the sheet in.csv is not the one that the plan was made of"),
        ({"input": plans.NO_FILE}, "the sheet in.csv cannot be found where it was"),
        ({"environment": "sandbox"}, "the plan is for live, and this is sandbox"),
        ({"world": "v"}, "the plan is for w, and this is v"),
        ({"base_url": "x"}, "the API at b, and this is x"),
        ({"review_url": "x"}, "reviews at r, and this is x"),
        ({"procedure": ("p", "v3", "async", None)}, "procedure"),
        ({"params": {}}, "params"),
        ({"selection": ("2-3", None, False)}, "other rows are chosen"),
        ({"pace": ("unlimited", 8)}, "the rate"),
    ],
)
def test_each_difference_is_a_sentence_that_names_it(change: dict[str, Any], said: str) -> None:
    (sentence,) = differences(made(), found(**change))
    assert said in sentence


def test_every_part_of_what_is_found_is_compared() -> None:
    nothing = Found(*["?"] * len(Found._fields))  # type: ignore[arg-type]
    assert len(differences(made(outputs=OUTPUTS), nothing)) == len(Found._fields)
    assert "review outputs o.json" in differences(made(outputs=OUTPUTS), nothing)[2]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ROWS[0]._replace(sha256=C), *ROWS[1:]], "row 2 of in.csv would be sent with other values than the plan has"),
        ([ROWS[0]._replace(sha256=C), ROWS[1]._replace(sha256=C)], "row 2 of in.csv would be sent with other values"),
        ([ROWS[0], *ROWS[2:]], "row 3 of in.csv is in the plan, and is not among the rows now"),
        ([ROWS[0], ROWS[1]._replace(state=State.INVALID)], "row 3 of in.csv is in the plan, and is invalid now"),
        ([*ROWS, StagedRow(5, State.READY, C)], "row 5 of in.csv would be sent, and it is not in the plan"),
        ([ROWS[1], ROWS[0], ROWS[2]], "another order"),
        (
            [*ROWS[:2], ROWS[2]._replace(state=State.READY)],
            "row 4 of in.csv would be sent, and it was a duplicate when the plan was made",
        ),
        (
            [ROWS[0], ROWS[1]._replace(state=State.DUPLICATE, why="taken by row 9 of p-007"), ROWS[2]],
            "row 3 of in.csv has become a duplicate since the plan was made: taken by row 9 of p-007",
        ),
    ],
)
def test_the_first_row_that_differs_is_named(rows: list[StagedRow], said: str) -> None:
    assert said in str(row_difference(made(), rows))


def test_further_rows_that_differ_are_counted() -> None:
    told = str(row_difference(made(), [row._replace(sha256=C) for row in ROWS]))
    assert told.startswith("row 2 ")
    assert told.endswith("; 1 more row differs, too")


def test_a_plan_whose_hashes_do_not_agree_with_each_other_is_not_believed() -> None:
    assert row_difference(made(payloads_sha256=A), ROWS) is not None


def test_other_figures_are_a_difference() -> None:
    plan = made()
    counts = {State.READY: 2, State.DUPLICATE: 1}
    assert not plans.figures_differ(plan, counts, plan.totals)
    assert plans.figures_differ(plan, {State.READY: 2}, plan.totals)
    assert plans.figures_differ(plan, counts, {"Amount": {"ready": "1.01"}})


def test_what_would_be_sent_is_what_is_ready_and_bears_a_payload() -> None:
    assert plans.to_send([*ROWS, StagedRow(5, State.READY, None)]) == [(2, A), (3, B)]
