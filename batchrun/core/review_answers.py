"""What the answer to a decision means: one pure function over one table, of which the first line that matches wins.

A decision has an idempotency key, so whatever is not known may be sent again, with the same key. Source: reference
`Human Review API`; what it leaves open is judged as for a start (`answers`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from batchrun.core import leading_json
from batchrun.core.answers import MESSAGE_LENGTH, Fault, Seen, is_json, message_of, retry_after

_WRONG_ADDRESS = "this is not an address at which reviews are decided; check --review-url"
STOPPING_STATUSES = {
    401: "the API does not know the reviewer's key",
    402: "the API wants the account to be paid first",
    403: "the reviewer's key may not decide this review",
    405: _WRONG_ADDRESS,
    415: _WRONG_ADDRESS,
    451: "the API may not take decisions, for legal reasons",
}
_NO_WAY = {
    Fault.TLS_FAILED: "no secure connection could be made",
    Fault.PROXY_REFUSED: "the proxy on the way refused",
    Fault.BAD_URL: "the address of the reviews cannot be used",
}


_OF_A_DECISION = frozenset({"approved", "decision", "idempotencyKey", "runId"})


class DecisionOutcome(StrEnum):
    """What became of a decision."""

    ACCEPTED = "accepted"
    CONFLICT = "conflict"  # somebody decided before, with another key
    NOT_WAITING = "not_waiting"  # no such run, or it waits for no review
    REFUSED = "refused"  # this decision will never be taken as it is
    STOP = "stop"  # every decision would fare the same
    SLOW = "slow"
    AGAIN = "again"  # nobody knows, or nothing was reached: to be sent again with the same key


@dataclass(frozen=True, slots=True)
class DecisionVerdict:
    """What an answer means for its decision. `wait` is in seconds; `may_have_arrived` is False only where proved."""

    outcome: DecisionOutcome
    message: str | None = None
    wait: float | None = None
    may_have_arrived: bool = True
    line: str = ""


class Line(NamedTuple):
    """One line of the table."""

    name: str
    matches: Callable[[Seen], bool]
    outcome: DecisionOutcome
    may_have_arrived: bool
    message: Callable[[Seen], str | None]


def judge_decision(seen: Seen, now: datetime) -> DecisionVerdict:
    """Say what an exchange means; the first matching line of the table decides. `now` is aware, in UTC."""
    line = next(line for line in TABLE if line.matches(seen))
    wait = retry_after(seen, now) if line.outcome is DecisionOutcome.SLOW else None
    return DecisionVerdict(line.outcome, line.message(seen), wait, line.may_have_arrived, line.name)


def _is_taken(seen: Seen) -> bool:
    # For a repeated key the first decision comes back, in a form that is not documented: so it may be that instead.
    body = leading_json.parse(seen.body) if seen.whole and seen.fault is None else None
    if not isinstance(body, dict) or not _among(200, 300)(seen):
        return False
    return body.get("success") is True or ("success" not in body and not _OF_A_DECISION.isdisjoint(body))


def _among(first: int, end: int) -> Callable[[Seen], bool]:
    return lambda seen: seen.status is not None and first <= seen.status < end


def _status(*statuses: int) -> Callable[[Seen], bool]:
    return lambda seen: seen.status in statuses


def _in_json(*statuses: int) -> Callable[[Seen], bool]:
    return lambda seen: seen.status in statuses and is_json(seen)


def _faulted(*faults: Fault) -> Callable[[Seen], bool]:
    return lambda seen: seen.fault in faults and not seen.left and seen.status is None


def _words(plain: str) -> Callable[[Seen], str]:
    return lambda seen: plain + _noted(seen)


def _noted(seen: Seen) -> str:
    said = message_of(seen) if is_json(seen) else ""  # of a proxy's page nobody wants to read the source
    return f" ({seen.status}: {said})" if said else f" ({seen.status})"


def _stopped(seen: Seen) -> str:
    return STOPPING_STATUSES[seen.status or 0] + _noted(seen)


def _no_way(seen: Seen) -> str:
    return f"{_NO_WAY[seen.fault or Fault.BAD_URL]}: {seen.detail}"


def _elsewhere(seen: Seen) -> str:
    place = seen.headers.get("location", "")[:MESSAGE_LENGTH]
    named = f" to {place}" if place else ""
    return f"the address sends callers on{named}, where your key is not sent; check --review-url ({seen.status})"


def _unknown(seen: Seen) -> str:
    if seen.status is None:
        return seen.detail
    cut = "" if seen.fault is None else ", and its answer was cut short"
    if _among(200, 300)(seen):
        return f"the API did not clearly say that it took the decision{cut}{_noted(seen)}"
    return f"the API could not take the decision just now{cut}{_noted(seen)}"


_OUT = DecisionOutcome
TABLE: tuple[Line, ...] = (
    Line("taken", _is_taken, _OUT.ACCEPTED, True, lambda _seen: None),
    Line("never connected", _faulted(Fault.NOT_CONNECTED), _OUT.AGAIN, False, lambda seen: seen.detail),
    Line("no way there", _faulted(*_NO_WAY), _OUT.STOP, False, _no_way),
    Line("too many requests", _status(429), _OUT.SLOW, False, _words("the API is being asked too often")),
    Line("decided before", _status(409), _OUT.CONFLICT, False, _words("somebody has already decided this review")),
    Line(
        "not waiting", _in_json(404), _OUT.NOT_WAITING, False, _words("there is no such run, or it waits for no review")
    ),
    Line("refused", _in_json(400, 422), _OUT.REFUSED, False, _words("the API does not take this decision")),
    Line("too large", _status(413), _OUT.REFUSED, False, _words("the decision is larger than the API takes")),
    Line("stopping status", _status(*STOPPING_STATUSES), _OUT.STOP, False, _stopped),
    Line("doubtful status", _status(408, 425), _OUT.AGAIN, True, _unknown),
    Line("another 4xx", _among(400, 500), _OUT.STOP, True, _words(_WRONG_ADDRESS)),
    Line("redirect", _among(300, 400), _OUT.STOP, True, _elsewhere),
    Line("unknown", lambda _seen: True, _OUT.AGAIN, True, _unknown),
)
