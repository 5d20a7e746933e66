"""Percentiles of durations, and completions over time: figures for the summary, in memory that does not grow."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from math import ceil, log

SHARES = (("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99), ("max", 100))
SLICES = 40
# Durations within a thousandth of each other are told as the longest of them.
_STEPS = 1000
_SHORTEST = 1e-6


class Course:
    """When a batch's runs left and ended: told run by run, of which only counts are kept.

    `start` is the first send, aware; None where nothing was sent. `end` is the end of the run that ended last.
    """

    def __init__(self, start: datetime | None, end: datetime | None) -> None:
        self.start = start
        self.end = end
        self.span = (end - start).total_seconds() if start is not None and end is not None else 0.0
        self._shown = max(self.span, 1.0)
        self._slices = [0] * min(SLICES, max(2, ceil(self._shown)))
        self._counts: Counter[int] = Counter()
        self._longest: dict[int, float] = {}

    def add(self, left: datetime, ended: datetime) -> None:
        """Count a run that has ended, by its own times; a server's clock may be before ours."""
        seconds = max(0.0, (ended - left).total_seconds())
        step = int(log(max(seconds, _SHORTEST)) * _STEPS)
        self._counts[step] += 1
        self._longest[step] = max(seconds, self._longest.get(step, 0.0))
        after = (ended - (self.start or left)).total_seconds()
        place = ceil(after / self._shown * len(self._slices)) - 1
        self._slices[min(max(place, 0), len(self._slices) - 1)] += 1

    def percentiles(self) -> dict[str, float]:
        """Give the nearest-rank percentiles in seconds, each a duration that was seen; empty where nothing ended."""
        found: dict[str, float] = {}
        runs, passed = self._counts.total(), 0
        for step in sorted(self._counts):
            passed += self._counts[step]
            for name, share in SHARES[len(found) :]:
                if passed < ceil(runs * share / 100):
                    break
                found[name] = self._longest[step]
        return found

    def over_time(self) -> tuple[tuple[datetime, int], ...]:
        """Give how many had ended by the end of each of some forty slices of time."""
        if self.start is None or not self._counts:
            return ()
        found, ended, length = [], 0, self._shown / len(self._slices)
        for number, more in enumerate(self._slices, start=1):
            ended += more
            found.append((self.start + timedelta(seconds=length * number), ended))
        return tuple(found)
