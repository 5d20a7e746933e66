"""How a canary reads: the question, or the sentence that holds the others back."""

from __future__ import annotations

import pytest

from batchrun.core.canary import SHOWN, Canary, First, on_one_line
from batchrun.model import State


def canary(*states: State, left: int = 97, **parts: object) -> Canary:
    rows = [First(number, (f"K{number}",), state) for number, state in enumerate(states, 2)]
    return Canary(rows, left, **parts)  # type: ignore[arg-type]


def test_the_question_counts_what_became_of_the_first_and_what_is_left() -> None:
    asked = canary(State.COMPLETED, State.AWAITING_REVIEW, State.COMPLETED, to_live=True)
    assert asked.question() == (
        "The first 3 are through: 1 awaits review, 2 completed. Send the other 97 rows to LIVE?"
    )
    asked = canary(State.AWAITING_REVIEW, State.AWAITING_REVIEW, left=1200)
    assert asked.question() == "The first 2 are through: 2 await review. Send the other 1,200 rows?"
    assert canary(State.COMPLETED, left=1).question() == ("The first one is through: 1 completed. Send the other row?")


@pytest.mark.parametrize(
    ("state", "happened"),
    [
        (State.REFUSED, "was refused"),
        (State.FAILED, "failed"),
        (State.CANCELLED, "was cancelled"),
        (State.IN_DOUBT, "is in doubt"),
        (State.DUPLICATE, "was not sent"),
        (State.RUNNING, "has not ended yet"),
        (State.PENDING, "has not ended yet"),
        (State.SENDING, "is being sent"),
        (State.READY, "is not sent yet"),
    ],
)
def test_the_sentence_names_the_row_that_is_not_as_it_should_be(state: State, happened: str) -> None:
    held = canary(State.COMPLETED, state)
    assert not held.is_through
    assert held.sentence().endswith(f"before the other 97 rows are sent; row 3 (K3) {happened}")


def test_a_row_that_went_wrong_is_named_before_one_that_has_only_not_ended() -> None:
    held = canary(State.RUNNING, State.FAILED, State.REFUSED)
    assert held.went_wrong
    assert held.sentence() == (
        "the first 3 rows were sent (1 running, 1 failed, 1 refused), and somebody must look at them before "
        "the other 97 rows are sent; row 3 (K3) failed"
    )


def test_only_rows_that_went_the_same_way_are_counted_as_more() -> None:
    held = canary(State.REFUSED, State.IN_DOUBT, State.REFUSED, State.REFUSED)
    assert held.sentence().endswith("row 2 (K2) was refused (and 2 more)")


def test_what_went_wrong_is_told_and_what_merely_runs_on_is_not_explained() -> None:
    refused = Canary([First(4, ("A", "B"), State.REFUSED, None, "vendor\nis blocked")], 1, unit="payload")
    assert refused.sentence() == (
        "the first payload was sent (1 refused), and somebody must look at it before the other row is sent; "
        "row 4 (A, B) was refused: vendor is blocked"
    )
    assert Canary([First(4, ("A",), State.RUNNING, "r1", "odd")], 5).sentence().endswith("has not ended yet")


def test_all_well_is_a_sentence_too() -> None:
    held = canary(State.COMPLETED, State.AWAITING_REVIEW)
    assert held.is_through and held.is_sent and not held.went_wrong
    assert held.sentence() == (
        "the first 2 rows were sent (1 awaits review, 1 completed), and somebody must look at them before "
        "the other 97 rows are sent"
    )


def test_rows_that_are_not_sent_yet_are_neither_wrong_nor_through() -> None:
    held = canary(State.COMPLETED, State.READY)
    assert (held.is_sent, held.went_wrong, held.is_through) == (False, False, False)
    assert "(1 not sent yet, 1 completed)" in held.sentence()


def test_each_row_is_a_line_with_its_run_and_its_output() -> None:
    rows = [First(2, ("00001",), State.COMPLETED, "run_1", '{"approved":true}'), First(3, ("00002",), State.IN_DOUBT)]
    assert Canary(rows, 9).lines() == [
        'row 2 (00001): completed, run run_1, {"approved":true}',
        "row 3 (00002): in doubt",
    ]
    assert canary(*[State.COMPLETED] * (SHOWN + 3)).lines()[-1] == "and 3 more"


def test_text_from_outside_cannot_steer_a_terminal() -> None:
    assert on_one_line("a\x1b[2Jb\r\n  c\u202ed") == "a\ufffd[2Jb c\ufffdd"
