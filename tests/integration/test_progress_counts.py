"""What the progress of a batch says: it begins where the batch is, and no count ever falls below nothing."""

from __future__ import annotations

from batchrun.cli.progress import Tally
from batchrun.model import State


def test_runs_of_an_earlier_sender_end_without_any_count_below_nothing() -> None:
    tally = Tally({State.RUNNING: 17, State.COMPLETED: 20, State.READY: 3}, 10.0)
    assert (tally.total, tally.settled) == (40, 20)
    assert tally.words == "running 17, done 20"
    for position in range(17):
        tally.stepped(position, State.RUNNING, State.COMPLETED)
    assert tally.words == "done 37"
    for position in range(37, 40):
        tally.stepped(position, State.READY, State.SENDING)
        tally.stepped(position, State.SENDING, State.RUNNING)
    assert tally.words == "running 3, done 37"
    assert tally.settled == 37


def test_rows_that_wait_for_somebody_or_were_refused_are_settled_from_the_start() -> None:
    tally = Tally({State.AWAITING_REVIEW: 2, State.REFUSED: 1, State.IN_DOUBT: 1, State.RUNNING: 1}, 10.0)
    assert (tally.total, tally.settled) == (5, 4)
    tally.stepped(0, State.AWAITING_REVIEW, State.COMPLETED)
    assert tally.settled == 4


def test_a_step_from_where_no_row_was_known_counts_nothing_below_nothing() -> None:
    tally = Tally({State.COMPLETED: 1}, 10.0)
    tally.stepped(0, State.RUNNING, State.COMPLETED)
    assert "-" not in tally.words


def test_decisions_are_settled_once_their_rows_wait_no_more() -> None:
    tally = Tally({State.AWAITING_REVIEW: 2}, 10.0, {State.AWAITING_REVIEW})
    assert tally.settled == 0
    tally.stepped(0, State.AWAITING_REVIEW, State.RUNNING)
    assert (tally.settled, tally.words) == (1, "running 1, review 1")
