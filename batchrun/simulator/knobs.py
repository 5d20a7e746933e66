"""What the simulator can be told to do: one table of knobs, from which help, docs and parsing are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchrun.simulator import knob_values as read
from batchrun.simulator.knob_values import Above, NewVersion, RetryAfter, Span


class KnobError(ValueError):
    """Say all that is wrong with the knobs that were given; `faults` holds one sentence each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing to turn: its name, the default as it would be written, its unit, one line of help, its reader."""

    name: str
    default: str
    unit: str
    help: str
    read: Callable[[str], object]

    @property
    def field(self) -> str:
        """The name of the field of `Knobs` that holds the value."""
        return self.name.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Knobs:
    """All knobs, read. Spans are in milliseconds, shares go from 0 to 1, the rate is in starts a second."""

    latency: Span
    pending_time: Span
    run_time: Span
    failures: float
    refusals: float
    review_over: Above | None
    reviews: float
    second_review: float
    errors_429: float
    retry_after: RetryAfter
    rate_limit: float | None
    errors_500: float
    lost_answers: float
    deleted_key: bool
    schema: Path | None
    output: Path | None
    version_id: str | None
    new_version: NewVersion | None
    webhook_url: str | None
    webhook_header: str
    webhook_repeat: int


KNOBS: tuple[Knob, ...] = (
    Knob("latency", "0", "duration or range", "how long each answer takes", read.read_span),
    Knob("pending-time", "0", "duration or range", "how long a run stays pending", read.read_span),
    Knob(
        "run-time",
        "300ms..1.5s",
        "duration or range",
        "how long a run runs, to each pause and to its end",
        read.read_span,
    ),
    Knob("failures", "0", "share", "runs that end failed", read.read_share),
    Knob("refusals", "0", "share", "inputs that are answered 422, each time they come", read.read_share),
    Knob(
        "review-over", "none", "field=amount", "runs whose field is above the amount wait for a review", read.read_above
    ),
    Knob("reviews", "0", "share", "runs that wait for a review", read.read_share),
    Knob("second-review", "0", "share", "approved runs that wait for a second review", read.read_share),
    Knob("errors-429", "0", "share", "starts that are answered 429", read.read_share),
    Knob("retry-after", "1", "seconds, date or none", "what a 429 says in Retry-After", read.read_retry_after),
    Knob("rate-limit", "none", "rate", "starts above this rate are answered 429", read.read_rate),
    Knob("errors-500", "0", "share", "starts that are answered 500, and no run exists", read.read_share),
    Knob(
        "lost-answers", "0", "share", "starts whose run exists but whose connection closes unanswered", read.read_share
    ),
    Knob("deleted-key", "false", "true or false", "every call is answered 401", read.read_switch),
    Knob("schema", "none", "file", "a JSON Schema; data that does not conform is answered 422", read.read_file),
    Knob(
        "output",
        "none",
        "file",
        "a JSON object to answer as output; {path.to.field} puts in the input's",
        read.read_file,
    ),
    Knob("version-id", "none", "text", "the procedureVersionId to report; else made from the pin", read.read_name),
    Knob(
        "new-version",
        "none",
        "runs=text",
        "after so many runs, the procedureVersionId of those that follow",
        read.read_new_version,
    ),
    Knob(
        "webhook-url",
        "none",
        "address",
        "where webhooks are sent; they are signed with $RAPIDFOLIO_WEBHOOK_SECRET",
        read.read_url,
    ),
    Knob(
        "webhook-header",
        "X-Rapid-Signature",
        "header",
        "the header that holds a webhook's signature",
        read.read_header_name,
    ),
    Knob("webhook-repeat", "1", "times", "how often each webhook is sent", read.read_times),
)


def parse_knobs(pairs: Sequence[str] | Mapping[str, Any] = ()) -> Knobs:
    """Read `NAME=VALUE` texts, or a mapping, over the defaults; of a name given twice the last one counts.

    Raises `KnobError` with every unknown name and every bad value at once.
    """
    faults: list[str] = []
    given = dict(_named(pairs, faults))
    values: dict[str, Any] = {}
    for knob in KNOBS:
        text = given.pop(knob.name, knob.default)
        try:
            values[knob.field] = knob.read(text)
        except ValueError as fault:
            faults.append(f"knob {knob.name}: {text!r} {fault}")
    faults += [_unknown(name) for name in given]
    if faults:
        raise KnobError(faults)
    return Knobs(**values)


def knob_help() -> str:
    """Describe every knob, one a line, for `--help`."""
    width = max(len(knob.name) for knob in KNOBS)
    return "\n".join(f"  {knob.name:<{width}}  {knob.help} ({knob.unit}; {knob.default})" for knob in KNOBS)


def _named(pairs: Sequence[str] | Mapping[str, Any], faults: list[str]) -> Iterator[tuple[str, str]]:
    if isinstance(pairs, Mapping):
        yield from ((str(name), _text(value)) for name, value in pairs.items() if value is not None)
        return
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if equals:
            yield name.strip(), value.strip()
        else:
            faults.append(f"knob {pair!r} has no value; write NAME=VALUE")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unknown(name: str) -> str:
    from difflib import get_close_matches  # only a mistake pays for it

    near = get_close_matches(name.replace("_", "-").lower(), [knob.name for knob in KNOBS], n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(knob.name for knob in KNOBS)}"
    return f"unknown knob {name!r}{hint}"
