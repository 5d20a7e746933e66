"""Percentiles of durations, and completions over time: figures for the summary."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

SHARES = (("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99), ("max", 100))
SLICES = 40


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Give the nearest-rank percentiles; empty for no durations."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    return {name: ordered[max(0, ceil(len(ordered) * share / 100) - 1)] for name, share in SHARES}


def over_time(start: datetime, ends: Sequence[datetime]) -> tuple[tuple[datetime, int], ...]:
    """Give how many had ended by the end of each of some forty slices of time."""
    if not ends:
        return ()
    ordered = sorted(ends)
    span = max((ordered[-1] - start).total_seconds(), 1.0)
    slices, ended, found = min(SLICES, max(2, ceil(span))), 0, []
    for number in range(1, slices + 1):
        until = start + timedelta(seconds=span * number / slices)
        while ended < len(ordered) and (ordered[ended] <= until or number == slices):
            ended += 1
        found.append((until, ended))
    return tuple(found)
