"""`review` ends at its first point, its second, its third …: at every one each decision acts once, with one UUID."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from crashing_batchrun import CRASHED, Crasher
from finance_desk import Outcome
from review_desk import ReviewDesk, at_a_review_desk, invoice, waiting
from review_server import Kind, Scripted

KEYS = [invoice(number) for number in range(1, 5)]
MOST_POINTS = 300

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the crasher forks")


class Quick:
    """A desk whose commands run in the crasher's children."""

    def __init__(self, desk: ReviewDesk, crasher: Crasher) -> None:
        self.desk = desk
        self.crasher = crasher

    def run(self, *words: str, crash_at: int | None = None) -> Outcome:
        line = [*words, "--json", *(["--base-url", self.desk.server.origin] if words[0] == "run" else [])]
        done = self.crasher.run(line, self.desk.folder, self.desk.environment, crash_at)
        assert "Traceback" not in done.stderr, done.stderr
        return Outcome(done.code, done.stdout, done.stderr)

    def review(self, crash_at: int | None = None) -> Outcome:
        return self.run("review", str(self.desk.workbook), crash_at=crash_at)


def prepared(desk: ReviewDesk, quick: Quick) -> None:
    """Let four wait: two approvals, one of them with a second review; a rejection; one whose answer is dropped."""
    desk.sheet(waiting(5, _2=Kind.TWICE))
    quick.run("run", "payouts.yaml").ended(4)
    with desk.typing() as typist:
        typist.approve(KEYS[0], KEYS[1], KEYS[3])
        typist.reject(KEYS[2], reason="not ours")
    lost = Scripted(None, acts=True)
    desk.server.switches.script = lambda key, nth: lost if (key, nth) == (KEYS[3], 1) else None


@pytest.mark.parametrize(
    ("stride", "between"),
    [
        pytest.param(2, "", id="every other one", marks=pytest.mark.slow),
        pytest.param(6, "refresh", id="every sixth, then a refresh", marks=pytest.mark.slow),
        pytest.param(7, "report", id="every seventh, then a report", marks=pytest.mark.slow),
    ],
)
def test_at_every_point_of_a_review_each_decision_acts_once(
    tmp_path: Path, crasher: Crasher, stride: int, between: str
) -> None:
    passed: Counter[str] = Counter()
    for number in count(1, stride):
        assert number < MOST_POINTS
        folder = tmp_path / str(number)
        folder.mkdir()
        with at_a_review_desk(folder) as desk:
            quick = Quick(desk, crasher)
            prepared(desk, quick)
            first = quick.review(crash_at=number)
            if first.code != CRASHED:
                break
            passed[first.stderr.rsplit("CRASHED AT: ", 1)[1].strip()] += 1
            if between:
                quick.run(between, "last")
            quick.review(crash_at=number % 11 + 1)
            done = quick.review().ended(1)
            assert done.document["counts"] == {"awaiting_review": 2, "completed": 2, "failed": 1}, passed
            desk.wrote_once_each(*KEYS)
            row = desk.results()[KEYS[1]]
            assert (row["_status"], row["_decision"]) == ("awaiting_review", None), passed
            arrivals = len(desk.server.arrivals)
            quick.review().ended(1)
            assert len(desk.server.arrivals) == arrivals
    assert first.code == 1, first.stderr
    assert len(passed) >= 3, passed
    print(f"{passed.total()} crashes at {dict(passed)}")
