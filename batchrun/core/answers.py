"""What an answer means: one pure function over one table, of which the first line that matches wins.

The table is DESIGN's: the row's event and what the batch does next. Only a connection that was never made proves
that a request was not received.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, NamedTuple

from batchrun.core import leading_json, lifecycle
from batchrun.core.lifecycle import Event

RETRY_AFTER_CAP = 15 * 60.0
MESSAGE_LENGTH = 300
STOPPING_STATUSES = frozenset({401, 402, 403, 404, 405, 415, 451})
DOUBTFUL_STATUSES = frozenset({408, 409, 425})


class Fault(StrEnum):
    """How an exchange ended when no whole answer came."""

    NOT_CONNECTED = "not_connected"  # DNS, refused, connect timeout, pool timeout
    TLS_FAILED = "tls_failed"
    BAD_URL = "bad_url"
    PROXY_REFUSED = "proxy_refused"
    BROKEN = "broken"  # whatever else: unknown


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one exchange: whatever came, even when it was cut.

    `left` says that the request's header had begun to leave. `whole` says that the body came to its declared end.
    Header names are in lower case.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = True
    fault: Fault | None = None
    detail: str = ""
    left: bool = True
    route: str = ""


class Effect(StrEnum):
    """What an answer does to the batch."""

    GOES_ON = "goes_on"
    REFUSAL = "refusal"  # counts towards --max-errors
    DOUBT = "doubt"  # counts towards five in a row
    UNREACHED = "unreached"  # spends the retry budget
    SLOWS = "slows"
    STOPS = "stops"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means for its row, and for the batch. `wait` is in seconds."""

    event: Event
    effect: Effect
    run_id: str | None = None
    status_word: str | None = None
    output: Any = None
    error: str | None = None
    wait: float | None = None
    line: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What the meaning of an answer depends on besides itself. `now` is aware, in UTC."""

    now: datetime
    accepted_before: bool = False
    not_run: frozenset[int] = frozenset()
    repeatable: bool = False


class Line(NamedTuple):
    """One line of the table."""

    name: str
    matches: Callable[[Seen, Context], bool]
    verdict: Callable[[Seen, Context], Verdict]


def judge(seen: Seen, context: Context) -> Verdict:
    """Say what an exchange means; the first matching line of the table decides."""
    line = next(line for line in TABLE if line.matches(seen, context))
    verdict = line.verdict(seen, context)
    event = Event.REPEAT if verdict.event is Event.DOUBT and context.repeatable else verdict.event
    return Verdict(
        event=event,
        effect=verdict.effect,
        run_id=verdict.run_id,
        status_word=verdict.status_word,
        output=verdict.output,
        error=verdict.error,
        wait=verdict.wait,
        line=line.name,
    )


def run_id_in(seen: Seen) -> str | None:
    """Give the whole run id that a body holds at its top level, even when the body was cut later."""
    run_id = leading_json.leading_members(seen.body).get("runId") if b'"runId"' in seen.body else None
    return run_id if isinstance(run_id, str) and run_id.strip() else None


def is_json(seen: Seen) -> bool:
    """Tell whether the API itself spoke: a proxy answers in HTML or plain text."""
    return "json" in seen.headers.get("content-type", "").lower() or leading_json.parse(seen.body) is not None


def message_of(seen: Seen) -> str:
    """Give an answer's message: `error`, `message` or `detail` of a JSON body, else its first 300 characters."""
    members = leading_json.leading_members(seen.body)
    for name in ("error", "message", "detail"):
        text = text_of(members.get(name))
        if text:
            return text
    return seen.body.decode("utf-8", errors="replace").strip()[:MESSAGE_LENGTH]


def text_of(value: Any) -> str:
    """Give an error field's text; APIs send a string, or an object that holds one."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dict):
        return next((text for name in ("message", "error", "detail") if (text := text_of(value.get(name)))), str(value))
    return "" if value is None else str(value)


def retry_after(seen: Seen, now: datetime) -> float | None:
    """Give the seconds of a Retry-After header (seconds or an HTTP date), at most 15 minutes; None without one."""
    text = seen.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), RETRY_AFTER_CAP)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max((when - _their_clock(seen, now)).total_seconds(), 0.0), RETRY_AFTER_CAP)


def _their_clock(seen: Seen, now: datetime) -> datetime:
    # Their date is by their clock, so it is compared with the Date header of the same answer where there is one.
    try:
        stated = parsedate_to_datetime(seen.headers.get("date", ""))
    except (ValueError, OverflowError):
        return now
    return stated if stated.tzinfo else stated.replace(tzinfo=UTC)


def _accepted(seen: Seen, _: Context) -> Verdict:
    members = leading_json.leading_members(seen.body)
    word = members.get("status")
    word = word if isinstance(word, str) else "running"
    return Verdict(
        event=lifecycle.event_of(word),
        effect=Effect.GOES_ON,
        run_id=run_id_in(seen),
        status_word=word,
        output=members.get("output"),
        error=text_of(members.get("error")) or None if word != "timeout" else None,
    )


def _fixed(event: Event, effect: Effect) -> Callable[[Seen, Context], Verdict]:
    return lambda seen, _: Verdict(event=event, effect=effect, error=_said(seen))


def _said(seen: Seen) -> str:
    if seen.status is None:
        return seen.detail
    said = message_of(seen)
    cut = "" if seen.fault is None else "; the answer was cut short"
    return f"the API answered {seen.status}" + (f": {said}" if said else "") + cut


def _slowed(seen: Seen, context: Context) -> Verdict:
    wait = retry_after(seen, context.now)
    return Verdict(event=Event.NOT_RECEIVED, effect=Effect.SLOWS, wait=wait, error=_said(seen))


def _faulted(*faults: Fault) -> Callable[[Seen, Context], bool]:
    return lambda seen, _: seen.fault in faults and not seen.left and seen.status is None


def _status(test: Callable[[int], bool]) -> Callable[[Seen, Context], bool]:
    return lambda seen, _: seen.status is not None and test(seen.status)


def _in_json(*statuses: int) -> Callable[[Seen, Context], bool]:
    return lambda seen, _: seen.status in statuses and is_json(seen)


def _other_4xx(seen: Seen) -> bool:
    return seen.status is not None and 400 <= seen.status < 500


TABLE: tuple[Line, ...] = (
    Line("run id", lambda seen, _: run_id_in(seen) is not None, _accepted),
    Line("never connected", _faulted(Fault.NOT_CONNECTED), _fixed(Event.NOT_RECEIVED, Effect.UNREACHED)),
    Line(
        "no way there",
        _faulted(Fault.TLS_FAILED, Fault.BAD_URL, Fault.PROXY_REFUSED),
        _fixed(Event.NOT_RECEIVED, Effect.STOPS),
    ),
    Line(
        "known as not run",
        lambda seen, context: seen.status in context.not_run,
        _fixed(Event.NOT_RECEIVED, Effect.UNREACHED),
    ),
    Line("too many requests", _status(lambda status: status == 429), _slowed),
    Line("doubtful status", _status(lambda status: status in DOUBTFUL_STATUSES), _fixed(Event.DOUBT, Effect.DOUBT)),
    Line("refused", _in_json(400, 422), _fixed(Event.REFUSED, Effect.REFUSAL)),
    Line("too large", _status(lambda status: status == 413), _fixed(Event.REFUSED, Effect.REFUSAL)),
    Line(
        "stopping status",
        _status(lambda status: status in STOPPING_STATUSES),
        _fixed(Event.NOT_RECEIVED, Effect.STOPS),
    ),
    Line(
        "another 4xx before an acceptance",
        lambda seen, context: _other_4xx(seen) and not context.accepted_before,
        _fixed(Event.NOT_RECEIVED, Effect.STOPS),
    ),
    Line("another 4xx", lambda seen, _: _other_4xx(seen), _fixed(Event.DOUBT, Effect.DOUBT)),
    Line("redirect", _status(lambda status: 300 <= status < 400), _fixed(Event.DOUBT, Effect.STOPS)),
    Line("unknown", lambda _seen, _context: True, _fixed(Event.DOUBT, Effect.DOUBT)),
)
