"""The process ends at its first point, its second, its third …: at every one no row is lost and none goes twice."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from crashing_batchrun import CRASHED, CrashDesk, Crasher, at_a_crash_desk
from finance_desk import Results, in_the_background, invoices
from ledger_server import Fault, ledger_of, workbook_agrees

ROWS = invoices(4)
KEYS = [row["Invoice No"] for row in ROWS]
MOST_POINTS = 300

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the crasher forks")


def faults(key: str, attempt: int) -> Fault | None:
    """Lose one answer and slow one row down."""
    return {("00002", 1): Fault.HANG_UP, ("00004", 1): Fault.SLOW_DOWN_429}.get((key, attempt))


RUN = ("run", "payouts.yaml", "--concurrency", "2", "--rate", "unlimited", "--no-wait", "--json")


@pytest.mark.parametrize(
    ("mode", "stride"),
    [
        pytest.param("sync", 11, id="sync, every eleventh"),
        pytest.param("sync", 1, id="sync, every one", marks=pytest.mark.slow),
        pytest.param("async", 5, id="async, every fifth", marks=pytest.mark.slow),
    ],
)
def test_at_every_point_of_a_run_and_of_its_resume_nothing_is_lost_or_twice(
    tmp_path: Path, crasher: Crasher, mode: str, stride: int
) -> None:
    passed: Counter[str] = Counter()
    for number in count(1, stride):
        assert number < MOST_POINTS
        folder = tmp_path / str(number)
        folder.mkdir()
        with at_a_crash_desk(folder, crasher) as desk:
            desk.server.plan = faults
            desk.job(in_the_background if mode == "async" else str)
            desk.sheet(ROWS)
            first = desk.crash(number, *RUN)
            if first.code != CRASHED:
                break
            passed[first.at] += 1
            ledger_of(desk).holds()
            if desk.has_batch():
                again = desk.crash(number % 17 + 1, "resume", "last", "--json")
                passed[f"resume: {again.at}"] += 1
                ledger_of(desk).holds()
            _to_the_end(desk)
    assert first.code in (1, 4), first.stderr
    seen = {name.removeprefix("resume: ") for name in passed} - {""}
    assert seen >= POINTS if stride == 1 else len(seen) >= 3, passed
    print(f"{mode}: {passed.total()} crashes at {dict(passed)}")


POINTS = {
    *("before a commit", "after a commit", "before a request", "the first byte is about to leave"),
    *("the last byte has left", "the answer's header is here", "after an answer"),
    *("before the workbook is put in its place", "after the workbook was put in its place"),
}


def _to_the_end(desk: CrashDesk) -> None:
    """Resume without a crash, then settle what is in doubt as the server knows it: every row has its one run."""
    resumed = desk.json(*RUN[:1], *RUN[2:-2], "--or-resume", batch=RUN[1])
    assert resumed.code in (0, 1), resumed.stderr
    assert set(desk.states()) <= {"completed", "in_doubt"}
    ledger_of(desk).holds()
    workbook_agrees(desk, resumed)
    while desk.settle_by_ledger():  # a row that goes out only now may lose its answer now
        resumed = desk.json("resume")
        workbook_agrees(desk, resumed)
    resumed.ended(0)
    ledger = ledger_of(desk).holds()
    assert (ledger.accepted, ledger.unknown) == (4, [])
    assert sorted(desk.server.sent("invoiceNumber")) == KEYS
    assert desk.states() == {"completed": 4}


def test_at_every_point_of_writing_a_workbook_again_the_old_or_the_new_one_lies_there(
    tmp_path: Path, crasher: Crasher
) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.sheet(ROWS)
        place = Path(desk.run().ended(0).document["workbook"])
        passed: Counter[str] = Counter()
        for number in count(1):
            done = desk.crash(number, "report", "last", "--json")
            assert Results(place).column("_status") == ["completed"] * 4
            if done.code != CRASHED:
                break
            passed[done.at] += 1
        assert done.code == 0, done.stderr
        assert {"before the workbook is replaced", "after the workbook was replaced"} <= set(passed)
        assert [path.name for path in tmp_path.glob("*.xlsx")] == [place.name]
