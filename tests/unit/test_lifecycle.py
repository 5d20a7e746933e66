"""The table of steps: what it holds may happen, and nothing else."""

from __future__ import annotations

from itertools import product

import pytest

from batchrun.core.lifecycle import (
    API_EVENTS,
    ENDED,
    NEEDS_ATTENTION,
    NEVER_SENT,
    OPEN,
    STEPS,
    TAKES_KEY,
    TAKES_KEY_ON_LIVE,
    UNSENT,
    Event,
    IllegalStep,
    event_of,
    is_known,
    may,
    step,
)
from batchrun.model import State

ALL = list(product(State, Event))
ILLEGAL = [pair for pair in ALL if pair not in STEPS]


def after(state: State) -> set[State]:
    return {then for (before, _), then in STEPS.items() if before is state}


@pytest.mark.parametrize(("state", "event"), STEPS)
def test_each_step_of_the_table_may_be_taken(state: State, event: Event) -> None:
    assert may(state, event)
    assert step(state, event) is STEPS[state, event]


@pytest.mark.parametrize(("state", "event"), ILLEGAL)
def test_any_other_step_raises(state: State, event: Event) -> None:
    assert not may(state, event)
    with pytest.raises(IllegalStep, match=f'"{state}" cannot take the step "{event}"') as raised:
        step(state, event)
    assert raised.value.exit_code == 3


def test_a_row_is_sent_only_from_ready() -> None:
    assert {state for (state, _), then in STEPS.items() if then is State.SENDING} == {State.READY}


def test_what_may_have_arrived_becomes_ready_only_by_a_proof_or_a_persons_word() -> None:
    back = {(state, event) for (state, event), then in STEPS.items() if then is State.READY}
    assert back == {
        (State.SENDING, Event.NOT_RECEIVED),
        (State.SENDING, Event.REPEAT),
        (State.IN_DOUBT, Event.NOT_RUN),
        (State.REFUSED, Event.RETRY),
        (State.FAILED, Event.RETRY),
        (State.CANCELLED, Event.RETRY),
    }


@pytest.mark.parametrize("state", [State.SENDING, State.IN_DOUBT, *sorted(OPEN)])
def test_a_sent_or_open_row_steps_to_any_state_of_the_api(state: State) -> None:
    assert {step(state, event) for event in API_EVENTS} == set(API_EVENTS.values())


def test_completed_invalid_and_duplicate_never_change() -> None:
    for state in (State.COMPLETED, *NEVER_SENT):
        assert after(state) == set()


def test_every_state_is_named_once_among_those_that_end_stay_open_or_were_not_sent() -> None:
    groups = [OPEN, ENDED, NEVER_SENT, UNSENT, frozenset({State.REFUSED, State.IN_DOUBT})]
    assert sorted(state for group in groups for state in group) == sorted(State)


def test_a_key_is_taken_from_sending_on_and_freed_by_a_refusal() -> None:
    assert set(State) - TAKES_KEY_ON_LIVE == {State.INVALID, State.DUPLICATE, State.READY, State.REFUSED}
    assert {State.FAILED, State.CANCELLED} == TAKES_KEY_ON_LIVE - TAKES_KEY


def test_a_row_needs_attention_exactly_where_it_ended_otherwise_than_completed() -> None:
    assert set(State) - NEEDS_ATTENTION == OPEN | UNSENT | {State.COMPLETED}


@pytest.mark.parametrize("word", ["pending", "running", "awaiting_review", "completed", "failed", "cancelled"])
def test_the_apis_own_words_are_the_apis_own_states(word: str) -> None:
    assert step(State.SENDING, event_of(word)).value == word
    assert is_known(word)


@pytest.mark.parametrize("word", ["", "timeout", "queued", "COMPLETED", "refused", "doubt", "not_received", "retry"])
def test_a_word_that_is_not_the_apis_counts_as_running(word: str) -> None:
    assert event_of(word) is Event.RUNNING
    assert is_known(word) is (word == "timeout")
