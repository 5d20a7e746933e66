"""Deliveries in the journal: each changes its row once, and none that comes late takes a row back."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import NOW, add_batch, held, opened, replayed, states
from sqlalchemy import select

from batchrun.core.lifecycle import Event
from batchrun.core.review import Decision, DecisionState
from batchrun.core.webhooks import parse_delivery
from batchrun.io import journal_decisions, journal_deliveries, journal_steps
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_decisions import Answer, Made
from batchrun.io.journal_steps import Step
from batchrun.io.journal_tables import deliveries
from batchrun.model import State

REQUEST = "human_review_requested"


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class Told:
    """A batch in a journal, and what it is told; seconds count from its beginning."""

    def __init__(self, journal: Journal, batch: Batch) -> None:
        self.journal = journal
        self.batch = batch
        self.told = 0

    def step(self, event: Event, seconds: float, *, position: int = 0, **parts: Any) -> None:
        with self.journal.writing() as connection:
            step = Step(position, event, at(seconds), **parts)
            assert journal_steps.apply(connection, self.batch, [step])[0].moved

    def start(self, position: int = 0, run_id: str = "run_1") -> None:
        self.step(Event.INTENT, 0, position=position)
        self.step(Event.RUNNING, 0, position=position, run_id=run_id)

    def keep(
        self,
        event: str = REQUEST,
        seconds: float | None = 0,
        *,
        run_id: str = "run_1",
        at_once: bool = True,
        **data: Any,
    ) -> None:
        """Let a delivery arrive that was made so many seconds in, and fold it."""
        self.told += 1
        envelope: dict[str, Any] = {"id": f"d{self.told}", "event": event, "data": {"runId": run_id, **data}}
        if seconds is not None:
            envelope["createdAt"] = at(seconds).isoformat(timespec="milliseconds")
        body = json.dumps(envelope).encode()
        delivery = parse_delivery(body)
        assert delivery is not None
        with self.journal.writing() as connection:
            assert journal_deliveries.keep(connection, delivery, body, NOW)
        if at_once:
            self.fold()

    def fold(self, seconds: float = 1000) -> list[tuple[State, State]]:
        with self.journal.writing() as connection:
            folded = journal_deliveries.fold(connection, self.batch, at(seconds))
        with self.journal.reading() as connection:
            assert not journal_deliveries.anything_to_fold(connection, self.batch)
        assert replayed(self.journal, self.batch) == held(self.journal, self.batch)
        return [(one.before, one.state) for one in folded]

    @property
    def state(self) -> State:
        return states(self.journal, self.batch)[0]

    def reviews(self) -> dict[int, tuple[str | None, Any]]:
        with self.journal.reading() as connection:
            return journal_deliveries.review_requests(connection, self.batch)

    def all_folded(self) -> bool:
        with self.journal.reading() as connection:
            found = connection.execute(select(deliveries.c.folded_at)).scalars().all()
        return len(found) == self.told and None not in found


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with opened(tmp_path / "journal.db") as journal:
        made = Told(journal, add_batch(journal, 2))
        made.start()
        yield made


def test_a_request_makes_a_running_row_wait(told: Told) -> None:
    told.keep(seconds=5)
    assert told.state is State.AWAITING_REVIEW


def test_the_same_request_again_takes_no_row_back_whose_review_was_left(told: Told) -> None:
    told.keep(seconds=5)
    told.step(Event.RUNNING, 60)
    told.keep(seconds=5)
    told.keep(seconds=4)
    told.keep(seconds=60)
    assert (told.state, told.all_folded()) == (State.RUNNING, True)
    told.keep(seconds=60.001)
    assert told.state is State.AWAITING_REVIEW


def test_a_request_without_a_time_counts_until_a_review_was_left(told: Told) -> None:
    told.keep(seconds=None)
    assert told.state is State.AWAITING_REVIEW
    told.step(Event.PENDING, 60)
    told.keep(seconds=None)
    assert (told.state, told.all_folded()) == (State.PENDING, True)


def test_the_review_that_was_left_last_is_the_one_that_counts(told: Told) -> None:
    for seconds in (10, 20):
        told.keep(seconds=seconds)
        told.step(Event.RUNNING, seconds + 5)
    told.keep(seconds=12)
    told.keep(seconds=20)
    assert told.state is State.RUNNING
    told.keep(seconds=30)
    assert told.state is State.AWAITING_REVIEW


def test_another_row_s_review_makes_no_request_late(told: Told) -> None:
    told.start(1, "run_2")
    told.keep(seconds=5)
    told.step(Event.RUNNING, 60)
    told.keep(seconds=6, run_id="run_2")
    assert states(told.journal, told.batch) == [State.RUNNING, State.AWAITING_REVIEW]


def test_requests_that_arrive_together_are_each_judged_by_their_own_time(told: Told) -> None:
    told.keep(seconds=5)
    told.step(Event.RUNNING, 60)
    told.keep(seconds=70, at_once=False)
    told.keep(seconds=5, at_once=False)
    assert told.fold() == [(State.RUNNING, State.AWAITING_REVIEW)]


def test_a_clock_of_theirs_that_is_ahead_brings_no_review_back(told: Told) -> None:
    """Their request bears a time after the one at which we saw the row leave; it is the same request all the same."""
    told.keep(seconds=300, at_once=False)
    told.fold(seconds=1)
    told.step(Event.RUNNING, 60)
    told.keep(seconds=300)
    assert told.state is State.RUNNING
    told.keep(seconds=301)
    assert told.state is State.AWAITING_REVIEW


@pytest.mark.parametrize("end", [Event.COMPLETED, Event.FAILED, Event.CANCELLED])
@pytest.mark.parametrize("name", [REQUEST, "run_completed", "run_failed"])
def test_an_ended_row_never_changes(told: Told, end: Event, name: str) -> None:
    told.step(end, 10)
    for seconds in (5, 20, None):
        told.keep(name, seconds)
    assert (told.state.value, told.all_folded()) == (end.value, True)


def test_a_late_request_still_ends_with_its_run(told: Told) -> None:
    told.keep(seconds=5)
    told.step(Event.RUNNING, 60)
    told.keep(seconds=5, at_once=False)
    told.keep("run_completed", 61, at_once=False, output={"paid": True})
    assert told.fold() == [(State.RUNNING, State.COMPLETED)]


@pytest.mark.parametrize("under_way", [False, True])
def test_what_is_told_late_of_an_earlier_attempt_changes_nothing(told: Told, under_way: bool) -> None:
    """A row that was retried has another run; the first one's end, told again, is not this one's."""
    told.keep(seconds=1, reviewTitle="the first attempt's")
    assert told.reviews() == {0: ("the first attempt's", None)}
    told.step(Event.FAILED, 10)
    told.step(Event.RETRY, 20)
    told.step(Event.INTENT, 20)
    if under_way:
        told.step(Event.RUNNING, 21, run_id="run_again")
    before = told.state
    for name in ("run_failed", REQUEST, "run_completed"):
        told.keep(name, 30)
    assert (told.state, told.all_folded(), told.reviews()) == (before, True, {})


def test_a_review_of_an_earlier_attempt_makes_no_request_of_this_one_late(told: Told) -> None:
    told.keep(seconds=5)
    told.step(Event.FAILED, 60)
    told.step(Event.RETRY, 61)
    told.step(Event.INTENT, 61)
    told.step(Event.RUNNING, 62, run_id="run_again")
    told.keep(seconds=50, run_id="run_again", reviewTitle="now")
    assert (told.state, told.reviews()) == (State.AWAITING_REVIEW, {0: ("now", None)})


def test_a_delivery_that_says_nothing_of_its_run_is_kept_and_changes_nothing(told: Told) -> None:
    told.keep("custom.progress", 5)
    assert (told.state, told.all_folded()) == (State.RUNNING, True)


def test_the_next_review_may_be_asked_for_before_the_decision_is_answered(told: Told) -> None:
    told.keep(seconds=5)
    with told.journal.writing() as connection:
        made = Made(0, "run_1", 1, Decision(True, None, None, "Anna"))
        journal_decisions.record(connection, told.batch, [made], sent_by="me", workbook_sha256="5", now=at(20))
        (one,) = journal_decisions.of_row(connection, told.batch, 0)
        answer = Answer(DecisionState.ACCEPTED, at(60), 200, "taken")
        journal_decisions.answer(connection, told.batch, one.id, answer, [Step(0, Event.RUNNING, at(60))])
    told.keep(seconds=19)
    assert told.state is State.RUNNING
    told.keep(seconds=21)  # its answer was lost for a while, and the API went on
    assert told.state is State.AWAITING_REVIEW
