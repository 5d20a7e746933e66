"""Durations and rates as people write them, and as they are said."""

from __future__ import annotations

from math import inf

import pytest

from batchrun.core.durations import parse_duration, parse_rate, words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("500ms", 0.5), ("2min", 120), ("2m", 120), ("1h", 3600), ("1d", 86400), ("7", 7), (" 1.5 s ", 1.5)],
)
def test_a_duration_is_a_number_with_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1e3s", "1 week", "1,5s", "٣s", "60 s s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "per_second"),
    [("5/s", 5), ("300/min", 5), ("1800 / hour", 0.5), ("0.5/sec", 0.5), ("Unlimited", inf), ("60/M", 1)],
)
def test_a_rate_is_a_number_of_sends_in_a_time(text: str, per_second: float) -> None:
    assert parse_rate(text) == per_second


@pytest.mark.parametrize("text", ["", "5", "0/s", "0.0/h", "-5/s", "5/d", "five/s", "5/0s", "inf/s"])
def test_anything_else_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (0.4, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3785, "1 h 3 min"),
        (90061, "1 d 1 h"),
    ],
)
def test_a_duration_is_said_in_at_most_two_units(seconds: float, text: str) -> None:
    assert words(seconds) == text
