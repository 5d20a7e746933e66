"""The one table of a row's states: what may happen to a row, and what it then is."""

from __future__ import annotations

from enum import StrEnum

from batchrun.errors import BatchrunError
from batchrun.model import State


class Event(StrEnum):
    """What can happen to a row. Events that bear the API's own words tell what the API said of the run."""

    INTENT = "intent"
    NOT_RECEIVED = "not_received"
    REFUSED = "refused"
    DOUBT = "doubt"
    KEY_TAKEN = "key_taken"
    RETRY = "retry"
    NOT_RUN = "not_run"
    REPEAT = "repeat"
    PENDING = "pending"
    RUNNING = "running"
    AWAITING_REVIEW = "awaiting_review"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class IllegalStep(BatchrunError):
    """A row was to take a step that the table does not hold: a fault of the program, never of the user."""

    exit_code = 3
    code = "illegal-step"

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f'a row that is "{state}" cannot take the step "{event}"; please report this as a bug')


API_EVENTS = {
    Event.PENDING: State.PENDING,
    Event.RUNNING: State.RUNNING,
    Event.AWAITING_REVIEW: State.AWAITING_REVIEW,
    Event.COMPLETED: State.COMPLETED,
    Event.FAILED: State.FAILED,
    Event.CANCELLED: State.CANCELLED,
}
OPEN = frozenset({State.PENDING, State.RUNNING, State.AWAITING_REVIEW})
ENDED = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})
NEVER_SENT = frozenset({State.INVALID, State.DUPLICATE})
UNSENT = frozenset({State.READY, State.SENDING})
NEEDS_ATTENTION = frozenset(
    {State.INVALID, State.DUPLICATE, State.REFUSED, State.FAILED, State.CANCELLED, State.IN_DOUBT}
)
# States in which a key is taken in its world whatever the environment, and those that free it in the sandbox only:
# on live a failed or cancelled run may have taken effect.
TAKES_KEY = frozenset({State.SENDING, State.IN_DOUBT, State.COMPLETED}) | OPEN
TAKES_KEY_ON_LIVE = TAKES_KEY | {State.FAILED, State.CANCELLED}

STEPS: dict[tuple[State, Event], State] = {
    (State.READY, Event.INTENT): State.SENDING,
    (State.READY, Event.KEY_TAKEN): State.DUPLICATE,
    (State.SENDING, Event.NOT_RECEIVED): State.READY,
    (State.SENDING, Event.REPEAT): State.READY,
    (State.SENDING, Event.REFUSED): State.REFUSED,
    (State.SENDING, Event.DOUBT): State.IN_DOUBT,
    (State.REFUSED, Event.RETRY): State.READY,
    (State.FAILED, Event.RETRY): State.READY,
    (State.CANCELLED, Event.RETRY): State.READY,
    (State.IN_DOUBT, Event.NOT_RUN): State.READY,
    **{
        (state, event): after
        for state in (State.SENDING, State.IN_DOUBT, *sorted(OPEN))
        for event, after in API_EVENTS.items()
    },
}


def step(state: State, event: Event) -> State:
    """Give the state after `event`; raise IllegalStep where the table holds none."""
    try:
        return STEPS[state, event]
    except KeyError:
        raise IllegalStep(state, event) from None


def may(state: State, event: Event) -> bool:
    """Tell whether the table holds this step."""
    return (state, event) in STEPS


def event_of(status: str) -> Event:
    """Give the event for a status word of the API; a word that is not known counts as running."""
    try:
        event = Event(status)
    except ValueError:
        return Event.RUNNING
    return event if event in API_EVENTS else Event.RUNNING


def is_end(status: str) -> bool:
    """Tell whether a status word is one of those that never change again."""
    return status in {state.value for state in ENDED}


def is_known(status: str) -> bool:
    """Tell whether a status word is one of the API's; `timeout` is the word of its documented 504."""
    return status == "timeout" or status in {event.value for event in API_EVENTS}
