"""Decisions in a real journal: one that counts for each pause, and the row's step in the same commit."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import NOW, add_batch, held, opened, replayed

from batchrun.core import review
from batchrun.core.lifecycle import Event
from batchrun.core.review import Decision, DecisionState, Recorded, Standing
from batchrun.engine.decide import Taken
from batchrun.flows.deciding import DecisionKeeper, sending_of
from batchrun.io import journal_decisions, journal_rows, journal_steps
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_decisions import Answer, Made
from batchrun.io.journal_steps import Step
from batchrun.model import State

YES = Decision(True, None, {"amount": Decimal("19.90")}, "Anna")
NO = Decision(False, "too much", None, "Ben")


class Desk:
    """One batch of three rows of which the first two wait for a review."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.batch: Batch = add_batch(journal, 3)
        for position in (0, 1):
            self.steps(position, Event.INTENT)
            self.steps(position, Event.AWAITING_REVIEW, run_id=f"run_{position}")

    def steps(self, position: int, *events: Event, run_id: str | None = None) -> None:
        with self.journal.writing() as connection:
            steps = [Step(position, event, NOW, run_id=run_id) for event in events]
            journal_steps.apply(connection, self.batch, steps)

    def record(self, *made: tuple[int, Decision], pause: int = 1) -> list[int]:
        with self.journal.writing() as connection:
            asked = [Made(position, f"run_{position}", pause, decision) for position, decision in made]
            return journal_decisions.record(
                connection, self.batch, asked, sent_by="me", workbook_sha256="5" * 64, now=NOW
            )

    def answer(self, one: Recorded, state: DecisionState, *steps: Step, detail: str | None = None) -> None:
        with self.journal.writing() as connection:
            answer = Answer(state, NOW + timedelta(seconds=1), 200, "taken", detail)
            journal_decisions.answer(connection, self.batch, one.id, answer, steps)

    def standing(self, position: int) -> Standing:
        with self.journal.reading() as connection:
            return {one.position: one for one in journal_decisions.standings(connection, self.batch)}[position]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path / "journal.db") as journal:
        yield Desk(journal)


def test_only_rows_that_have_waited_are_known(desk: Desk) -> None:
    with desk.journal.reading() as connection:
        known = list(journal_decisions.standings(connection, desk.batch))
    assert [(one.number, one.state, one.run_id, one.pause, one.recorded) for one in known] == [
        (2, State.AWAITING_REVIEW, "run_0", 1, ()),
        (3, State.AWAITING_REVIEW, "run_1", 1, ()),
    ]


def test_a_decision_is_kept_exactly_and_has_a_key_of_its_own(desk: Desk) -> None:
    assert desk.record((0, YES), (1, NO)) == []
    first, second = desk.standing(0).recorded[0], desk.standing(1).recorded[0]
    assert (first.decision, second.decision) == (YES, NO)
    assert (first.state, first.decided_at, first.answered_at) == (DecisionState.OPEN, NOW, None)
    assert [UUID(one.key).version for one in (first, second)] == [4, 4] and first.key != second.key


def test_a_pause_has_one_decision_that_counts(desk: Desk) -> None:
    desk.record((0, YES))
    assert desk.record((0, NO), (1, NO)) == [0]
    assert [one.decision for one in desk.standing(0).recorded] == [YES]


def test_another_decision_is_possible_after_one_that_was_refused(desk: Desk) -> None:
    desk.record((0, NO))
    desk.answer(desk.standing(0).recorded[0], DecisionState.REFUSED, detail="too short")
    assert desk.record((0, YES)) == []
    before, after = desk.standing(0).recorded
    assert (before.state, before.detail, after.state) == (DecisionState.REFUSED, "too short", DecisionState.OPEN)
    assert desk.standing(0).live(1) == after and before.key != after.key


def test_one_that_never_arrived_is_begun_again_with_its_key(desk: Desk) -> None:
    desk.record((0, YES))
    before = desk.standing(0).recorded[0]
    desk.answer(before, DecisionState.UNSENT)
    with desk.journal.writing() as connection:
        parts = {"sent_by": "me", "workbook_sha256": "5", "now": NOW, "again": [before.id]}
        assert journal_decisions.record(connection, desk.batch, [], **parts) == []
    (again,) = desk.standing(0).recorded
    assert (again.state, again.key) == (DecisionState.OPEN, before.key)


def test_one_that_never_arrived_stays_away_from_another_that_counts(desk: Desk) -> None:
    desk.record((0, YES))
    before = desk.standing(0).recorded[0]
    desk.answer(before, DecisionState.UNSENT)
    desk.record((0, NO))
    with desk.journal.writing() as connection:
        parts = {"sent_by": "me", "workbook_sha256": "5", "now": NOW, "again": [before.id]}
        journal_decisions.record(connection, desk.batch, [], **parts)
    assert [one.state for one in desk.standing(0).recorded] == [DecisionState.UNSENT, DecisionState.OPEN]


def test_an_approval_and_its_rows_step_are_one_commit(desk: Desk) -> None:
    desk.record((0, YES))
    desk.answer(desk.standing(0).recorded[0], DecisionState.ACCEPTED, Step(0, Event.RUNNING, NOW, note="approved"))
    assert (desk.standing(0).state, desk.standing(0).recorded[0].state) == (State.RUNNING, DecisionState.ACCEPTED)
    assert replayed(desk.journal, desk.batch) == held(desk.journal, desk.batch)


def test_what_was_accepted_stays_so(desk: Desk) -> None:
    desk.record((0, YES))
    one = desk.standing(0).recorded[0]
    for state in (DecisionState.ACCEPTED, DecisionState.OPEN, DecisionState.CONFLICT):
        desk.answer(one, state)
    assert desk.standing(0).recorded[0].state is DecisionState.ACCEPTED
    with desk.journal.reading() as connection:
        assert len(journal_decisions.answers(connection, [one.id])) == 3


def test_a_second_review_is_another_pause_and_a_late_answer_moves_it_nowhere(desk: Desk) -> None:
    desk.record((0, YES))
    one = desk.standing(0).recorded[0]
    desk.steps(0, Event.RUNNING, Event.AWAITING_REVIEW)
    assert desk.standing(0).pause == 2 and desk.standing(0).live(2) is None
    desk.answer(one, DecisionState.ACCEPTED, Step(0, Event.RUNNING, NOW))
    assert desk.standing(0).state is State.AWAITING_REVIEW
    assert desk.record((0, NO), pause=2) == []


def test_another_attempt_begins_with_no_decision(desk: Desk) -> None:
    desk.record((0, YES))
    desk.steps(0, Event.FAILED, Event.RETRY, Event.INTENT)
    desk.steps(0, Event.AWAITING_REVIEW, run_id="run_another")
    assert (desk.standing(0).pause, desk.standing(0).recorded) == (1, ())


@pytest.mark.parametrize(("decision", "rejected"), [(NO, {0}), (YES, set())])
def test_a_rejected_row_is_known_however_its_run_was_seen_to_fail(
    desk: Desk, decision: Decision, rejected: set[int]
) -> None:
    desk.record((0, decision))
    desk.steps(0, Event.RUNNING, Event.FAILED)  # somebody read it between the decision and its end
    with desk.journal.reading() as connection:
        assert journal_rows.rejected(connection, desk.batch) == rejected
        assert [one.key for one in journal_decisions.of_row(connection, desk.batch, 0)]


@pytest.mark.parametrize("state", [DecisionState.CONFLICT, DecisionState.UNCLEAR])
def test_a_pause_that_is_over_takes_no_other_key_though_its_run_could_not_be_read(
    desk: Desk, state: DecisionState
) -> None:
    desk.record((0, YES))
    one = desk.standing(0).recorded[0]
    keeper = DecisionKeeper(desk.journal, desk.batch)
    sending = sending_of(0, "run_0", one, begun_before=True)
    assert asyncio.run(keeper.answered(sending, Taken(state, 409, "decided before"))) is State.RUNNING
    keeper.close()
    assert review.weigh(YES, 1, desk.standing(0)) == review.Settled()
    desk.steps(0, Event.AWAITING_REVIEW)
    assert review.weigh(YES, 1, desk.standing(0)) == review.Settled()
    assert review.weigh(YES, 2, desk.standing(0)) == review.Due(YES)
    desk.steps(0, Event.RUNNING, Event.FAILED)
    with desk.journal.reading() as connection:
        assert journal_rows.rejected(connection, desk.batch) == {0}
