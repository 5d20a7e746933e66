"""Percentiles of durations, and completions over time: figures for the summary."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

SHARES = (("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99), ("max", 100))
SLICES = 40


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Give the nearest-rank percentiles; empty for no durations."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    return {name: ordered[max(0, ceil(len(ordered) * share / 100) - 1)] for name, share in SHARES}


class Course(NamedTuple):
    """When a batch's runs left and ended, in seconds: how long each took, and how long after the first send it ended.

    `start` is that first send, aware; None where nothing was sent.
    """

    start: datetime | None
    seconds: Sequence[float]
    ended: Sequence[float]

    @property
    def end(self) -> datetime | None:
        """The end of the run that ended last."""
        return None if self.start is None or not self.ended else self.start + timedelta(seconds=max(self.ended))


def over_time(course: Course) -> tuple[tuple[datetime, int], ...]:
    """Give how many had ended by the end of each of some forty slices of time."""
    if course.start is None or not course.ended:
        return ()
    ordered = sorted(course.ended)
    span = max(ordered[-1], 1.0)
    slices, ended, found = min(SLICES, max(2, ceil(span))), 0, []
    for number in range(1, slices + 1):
        until = span * number / slices
        while ended < len(ordered) and (ordered[ended] <= until or number == slices):
            ended += 1
        found.append((course.start + timedelta(seconds=until), ended))
    return tuple(found)
