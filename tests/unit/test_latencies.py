"""Percentiles of durations, and completions over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from batchrun.core.latencies import SLICES, Course, over_time, percentiles


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentiles([]) == {}
    assert percentiles([3.0]) == dict.fromkeys(("p50", "p90", "p95", "p99", "max"), 3.0)
    hundred = [float(number) for number in range(100, 0, -1)]
    assert percentiles(hundred) == {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


START = datetime(2026, 10, 1, tzinfo=UTC)


def test_completions_over_time_only_rise_and_end_with_all_of_them() -> None:
    course = Course(START, (), (300.0, 1.0, 2.0, 100.0))
    slices = over_time(course)
    assert len(slices) == SLICES
    assert [count for _, count in slices] == sorted(count for _, count in slices)
    assert slices[-1] == (START + timedelta(seconds=300), 4)
    assert course.end == START + timedelta(seconds=300)
    at_once = over_time(Course(START, (), (0.0,)))
    assert at_once == ((START + timedelta(seconds=0.5), 1), (START + timedelta(seconds=1), 1))


def test_where_nothing_was_sent_or_nothing_has_ended_there_is_nothing_to_show() -> None:
    for course in (Course(None, (), ()), Course(START, (), ())):
        assert (over_time(course), course.end) == ((), None)
