"""Rows in doubt: what proves that a run belongs to a row, and what must hold before a row is called not run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from batchrun.core import leading_json
from batchrun.core.durations import words
from batchrun.core.readings import Reading

# A run that was created more than this before its row was sent cannot be that row's. Their clock and ours may differ.
CLOCKS_APART = timedelta(minutes=5)
# On live, a request that is younger than this may still be on its way.
YOUNGEST_ON_LIVE = timedelta(minutes=15)


def disproof(reading: Reading, run_id: str, payload: bytes, sent_at: datetime | None, *, twins: int) -> str | None:
    """Say why a reading does not prove that a run is a row's; None where it does.

    `twins` is the number of other rows in doubt with the same payload: then nobody can say whose the run is.
    """
    return next(_doubts(reading, run_id, payload, sent_at, twins), None)


def _doubts(reading: Reading, run_id: str, payload: bytes, sent_at: datetime | None, twins: int) -> Iterator[str]:
    if reading.missing:
        yield f"the API knows no run {run_id}"
    if reading.event is None:
        yield f"the run {run_id} could not be read{': ' + reading.refused if reading.refused else ''}; try again later"
    if twins:
        others = "another row in doubt has" if twins == 1 else f"{twins} other rows in doubt have"
        yield f"{others} the same payload, so nobody can say whose the run {run_id} is; look at it in the dashboard"
    if not same_value(reading.input, leading_json.parse(payload)):
        yield f"the run {run_id} was started with another input than this row's payload{_difference(reading, payload)}"
    if reading.created_at is None or sent_at is None:
        yield f"the API does not say when the run {run_id} was created"
    elif reading.created_at < sent_at - CLOCKS_APART:
        yield f"the run {run_id} is of {_time(reading.created_at)}, before this row was sent ({_time(sent_at)})"


def same_value(one: Any, other: Any) -> bool:
    """Compare JSON values: numbers by value (19.90 is 19.9), everything else by type and value."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | Decimal) and isinstance(other, int | Decimal):
        return Decimal(one) == Decimal(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_value(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    return type(one) is type(other) and bool(one == other)


def _difference(reading: Reading, payload: bytes) -> str:
    mine, theirs = leading_json.parse(payload), reading.input
    if not isinstance(mine, Mapping) or not isinstance(theirs, Mapping):
        return ""
    names = [name for name in {**mine, **theirs} if not same_value(mine.get(name), theirs.get(name))]
    return f" (they differ in {', '.join(names[:5])})" if names else ""


def too_young(sent_at: datetime | None, now: datetime) -> str | None:
    """Say why a row on live cannot be called not run yet; None where it can."""
    if sent_at is None or now - sent_at >= YOUNGEST_ON_LIVE:
        return None
    left = words((YOUNGEST_ON_LIVE - (now - sent_at)).total_seconds())
    return f"it was sent less than 15 minutes ago and may still arrive; wait {left}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
