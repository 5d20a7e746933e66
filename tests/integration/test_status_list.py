"""The list of batches: by job and environment, the newest period first, on a screen of 80 columns."""

from __future__ import annotations

from batchrun.cli import words
from batchrun.flows.status import BatchLine, Group, grouped
from batchrun.model import State

MANY = {State.READY: 12345, State.AWAITING_REVIEW: 1200, State.COMPLETED: 98765, State.IN_DOUBT: 3}


def line(name: str, period: str | None = None, job: str = "payouts", live: bool = True, **parts: object) -> BatchLine:
    known: dict[str, object] = {
        "name": name, "job": job, "params": {} if period is None else {"period": period},
        "environment": "live" if live else "sandbox", "simulated": False, "created_at": "2026-11-22T08:42:33.967874Z",
        "counts": {State.COMPLETED: 98}, "sending": False, "stopped": None, "workbook": None,
    }  # fmt: skip
    return BatchLine(**{**known, **parts})  # type: ignore[arg-type]


def test_batches_are_grouped_and_the_newest_period_is_first() -> None:
    found = [
        line("b-6", "2026-09"), line("b-5", job="refunds"), line("b-4", "2026-10"), line("b-3", "2026-10", live=False),
        line("b-2", "2026-10"), line("b-1", "2026-08"),
    ]  # fmt: skip
    groups = grouped(found)
    assert [(group.job, group.environment, [one.name for one in group.batches]) for group in groups] == [
        ("payouts", "live", ["b-4", "b-2", "b-6", "b-1"]),
        ("refunds", "live", ["b-5"]),
        ("payouts", "sandbox", ["b-3"]),
    ]
    assert Group("payouts", "live", False, (found[0],)).as_json() == {
        "job": "payouts", "environment": "live", "simulated": False, "batches": ["b-6"]
    }  # fmt: skip


def test_a_batch_is_a_line_with_its_params() -> None:
    lines = [line("payouts-2026-10-001", "2026-10"), line("payouts-2026-09-001", "2026-09", stopped="the disk is full")]
    assert words.batches(lines) == [
        "  period 2026-10  payouts-2026-10-001  2026-11-22 08:42 UTC  98 completed",
        "  period 2026-09  payouts-2026-09-001  2026-11-22 08:42 UTC",
        "      98 completed (stopped)",
    ]
    assert words.batches([line("p-1", sending=True)]) == ["  p-1  2026-11-22 08:42 UTC  98 completed (sending now)"]


def test_what_is_long_stays_within_80_columns() -> None:
    long = line("vendor-payouts-2026-10-001", "2026-10", counts=MANY, stopped="x")
    longer = line("vendor-payouts-of-a-company-with-a-long-name-2026-10-entity-de-001", "2026-10", counts=MANY)
    told = [*words.batches([long]), *words.batches([longer])]
    assert max(map(len, told)) <= 80
    assert " ".join(" ".join(told).split()).count("98,765 completed") == 2
