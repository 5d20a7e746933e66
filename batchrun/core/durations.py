"""Durations and rates as people write them: `60s`, `200ms`, `1h`, `5/s`, `300/min`, `unlimited`."""

from __future__ import annotations

import re
from math import inf

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|sec|m|min|h|d)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|sec|second|m|min|minute|h|hour)", re.ASCII)
_PER = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
_STEPS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def parse_duration(text: str) -> float:
    """Give seconds for `60s`, `500ms`, `2min`, `1h`; a bare number is seconds. Raise ValueError otherwise."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text}" is not a duration; write for example 60s, 500ms, 2min or 1h')
    return float(match[1]) * _SECONDS[match[2] or "s"]


def parse_rate(text: str) -> float:
    """Give sends a second for `5/s`, `300/min`, `1000/h`; infinity for `unlimited`. Raise ValueError otherwise."""
    if text.strip().lower() == "unlimited":
        return inf
    match = _RATE.fullmatch(text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise ValueError(f'"{text}" is not a rate; write for example 5/s, 300/min, 1000/h or unlimited')
    return float(match[1]) / _PER[match[2]]


def words(seconds: float) -> str:
    """Say a duration in at most two units: `2 min 5 s`, `1 h 3 min`, `0.4 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    parts = []
    for size, name in _STEPS:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])
