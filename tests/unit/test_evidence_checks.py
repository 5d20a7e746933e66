"""What a pack says of its batch must hold together: each thing that does not is found, and in which file."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from batchrun.core import evidence, payloads
from batchrun.core.evidence import KeptFile
from batchrun.core.evidence_checks import SHOWN, BatchCheck

Story = dict[str, Any]


def row(position: int, state: str, attempts: int = 0, **more: Any) -> dict[str, Any]:
    payload = f'{{"n":{position}}}'
    return {
        "position": position, "number": position + 2, "state": state, "attempts": attempts, "payload": payload,
        "payload_id": payloads.payload_id(payload.encode()).hex(), "leader": None, "run_id": None,
        "amounts": ["1.50"], "sent_at": None, "finished_at": None, **more,
    }  # fmt: skip


def event(position: int, name: str, before: str, after: str, attempt: int) -> dict[str, Any]:
    return {"position": position, "event": name, "before": before, "after": after, "attempt": attempt, "at": "10:00"}


def story() -> Story:
    """Give a batch of a completed row with a member of its group, one that is ready again, and an invalid one."""
    return {
        "events": [
            event(0, "intent", "ready", "sending", 1),
            event(2, "intent", "ready", "sending", 1),
            event(0, "completed", "sending", "completed", 1),
            event(2, "not_received", "sending", "ready", 1),
        ],
        "run_ids": [{"run_id": "run_0", "position": 0}],
        "rows": [
            row(0, "completed", 1, run_id="run_0"),
            row(1, "completed", 1, run_id="run_0", leader=0, payload=None, payload_id=None),
            row(2, "ready", 1),
            row(3, "invalid", payload=None, payload_id=None, amounts=[None]),
        ],
        "corrections": [{**row(2, "refused"), "at": "10:01"}],
        "batch": {
            "batch": {"settings": {"totals": ["Amount"], "grouped": True}},
            "rows": 4,
            "runs": 2,
            "counts": {"completed": 2, "ready": 1, "invalid": 1},
            "totals": {"Amount": {"invalid": "0.00", "ready": "1.50", "completed": "3.00"}},
        },
    }


def told(told_of: Story, *, purged: bool = False) -> list[tuple[str | None, str]]:
    check = BatchCheck(told_of["batch"], purged=purged)
    for line in told_of["events"]:
        check.event(line)
    for line in told_of["run_ids"]:
        check.run_id(line)
    for line in told_of["rows"]:
        check.row(line)
    for line in told_of["corrections"]:
        check.correction(line)
    return [(fault.member, fault.message) for fault in check.faults()]


def test_a_batch_that_holds_together_has_no_fault() -> None:
    assert told(story()) == []


def change(path: tuple[Any, ...], value: Any) -> Callable[[Story], None]:
    def changed(told_of: Story) -> None:
        inner = told_of
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return changed


OTHER_PAYLOAD = '{"n":99}'
FORGERIES: dict[str, tuple[Callable[[Story], None], str, str]] = {
    "a payload": (change(("rows", 0, "payload"), OTHER_PAYLOAD), evidence.ROWS, "row 2: its payload was changed"),
    "a lost payload": (change(("rows", 2, "payload"), None), evidence.ROWS, "row 4 has lost its payload"),
    "a state": (change(("rows", 0, "state"), "failed"), evidence.ROWS, "its history leads to completed"),
    "the attempts": (change(("rows", 2, "attempts"), 2), evidence.ROWS, "after 2 attempts"),
    "a state without history": (change(("rows", 3, "state"), "refused"), evidence.ROWS, "no step"),
    "attempts without history": (change(("rows", 3, "attempts"), 1), evidence.ROWS, "no step"),
    "a step": (change(("events", 2, "event"), "failed"), evidence.EVENTS, "does not follow"),
    "a step's beginning": (change(("events", 2, "before"), "ready"), evidence.EVENTS, "does not follow"),
    "a step's attempt": (change(("events", 2, "attempt"), 2), evidence.EVENTS, "does not follow"),
    "a step too few": (lambda one: one["events"].pop(0), evidence.EVENTS, "does not follow"),
    "steps of nobody": (
        lambda one: one["events"].append(event(9, "intent", "ready", "sending", 1)),
        evidence.EVENTS,
        "a row that is not there",
    ),
    "a run of two rows": (
        lambda one: one["run_ids"].append({"run_id": "run_0", "position": 2}),
        evidence.RUN_IDS,
        "belongs to two rows",
    ),
    "a run of another row": (change(("rows", 0, "run_id"), "run_9"), evidence.ROWS, "the run run_9, which is not its"),
    "a member of a group": (change(("rows", 1, "sent_at"), "10:00"), evidence.ROWS, "row 3 does not say the same"),
    "steps of a member": (
        lambda one: one["events"].append(event(1, "intent", "ready", "sending", 1)),
        evidence.ROWS,
        "row 3 does not say the same",
    ),
    "an amount": (change(("rows", 0, "amounts"), ["9.50"]), evidence.BATCH, "control totals"),
    "the counts": (change(("batch", "counts", "ready"), 2), evidence.BATCH, "counts by state"),
    "the number of rows": (change(("batch", "rows"), 3), evidence.BATCH, "counts by state"),
    "the number of runs": (change(("batch", "runs"), 3), evidence.BATCH, "number of payloads"),
    "the totals": (change(("batch", "totals", "Amount", "ready"), "1.5"), evidence.BATCH, "control totals"),
    "what was read": (
        lambda one: one["batch"]["batch"]["settings"].update(read={"rows": 5, "totals": {}, "unreadable": {}}),
        evidence.ROWS,
        "do not add up to what was read from the sheet",
    ),
    "a row twice": (lambda one: one["rows"].append(deepcopy(one["rows"][3])), evidence.ROWS, "there twice"),
    "a correction": (change(("corrections", 0, "payload"), OTHER_PAYLOAD), evidence.CORRECTIONS, "before the correct"),
}


@pytest.mark.parametrize("case", FORGERIES)
def test_a_forgery_is_found_in_its_file(case: str) -> None:
    forge, member, said = FORGERIES[case]
    forged = story()
    forge(forged)
    assert [message for found, message in told(forged) if found == member and said in message]


def test_a_broken_history_is_told_once_a_row() -> None:
    forged = story()
    forged["events"][0]["after"] = "completed"
    assert len([member for member, _ in told(forged) if member == evidence.EVENTS]) == 1


def test_a_purged_batch_has_hashes_without_payloads() -> None:
    purged = story()
    for one in (*purged["rows"], *purged["corrections"]):
        one["payload"] = None
    assert told(purged, purged=True) == []


def test_of_many_faults_the_first_are_told_and_the_others_counted() -> None:
    check = BatchCheck(story()["batch"], purged=False)
    for position in range(SHOWN + 5):
        check.row(row(position, "ready", payload=OTHER_PAYLOAD))
    rows = [fault.message for fault in check.faults() if fault.member == evidence.ROWS]
    assert len(rows) == SHOWN + 1
    assert rows[-1] == "and 5 more of its lines do not hold together"


def test_a_file_with_another_hash_is_told_by_what_it_is() -> None:
    check = BatchCheck(story()["batch"], purged=False)
    kept = KeptFile("input/in.csv", "1" * 64, "the input")
    check.file(kept, kept.sha256)
    check.file(kept, "2" * 64)
    (fault,) = [fault for fault in check.faults() if fault.member == kept.member]
    assert "not the input" in fault.message
