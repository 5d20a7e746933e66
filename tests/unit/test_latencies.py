"""Percentiles of durations, and completions over time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil

import pytest

from batchrun.core.latencies import SHARES, SLICES, Course

START = datetime(2026, 10, 1, tzinfo=UTC)


def course(ended: Sequence[float], seconds: Sequence[float] | None = None) -> Course:
    """Make a course of runs that ended so long after the first send, and took so long: all that time, if not told."""
    moments = [START + timedelta(seconds=after) for after in ended]
    course = Course(START, max(moments))
    for moment, took in zip(moments, seconds or ended, strict=True):
        course.add(moment - timedelta(seconds=took), moment)
    return course


def test_percentiles_are_values_that_were_seen() -> None:
    assert Course(START, None).percentiles() == {}
    assert course([3.0]).percentiles() == dict.fromkeys(("p50", "p90", "p95", "p99", "max"), 3.0)
    hundred = [float(number) for number in range(100, 0, -1)]
    assert course(hundred).percentiles() == {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


@pytest.mark.parametrize("seed", range(20))
def test_percentiles_lie_within_a_thousandth_of_the_nearest_rank(seed: int) -> None:
    dice = random.Random(seed)
    seconds = [dice.choice([0.0, round(dice.lognormvariate(0, 3), 6)]) for _ in range(dice.randrange(1, 400))]
    ordered, found = sorted(seconds), course(seconds).percentiles()
    for name, share in SHARES:
        exact = ordered[ceil(len(ordered) * share / 100) - 1]
        assert found[name] in seconds
        assert exact <= found[name] <= exact * 1.001 + 1e-6
    assert found["max"] == ordered[-1]


def test_what_is_kept_of_a_course_does_not_grow_with_its_runs() -> None:
    dice = random.Random(1)
    seconds = [round(dice.uniform(0.5, 1.5), 6) for _ in range(20_000)]
    assert len(course(seconds)._counts) < 1_200


def test_completions_over_time_only_rise_and_end_with_all_of_them() -> None:
    found = course([300.0, 1.0, 2.0, 100.0])
    slices = found.over_time()
    assert len(slices) == SLICES
    assert [count for _, count in slices] == sorted(count for _, count in slices)
    assert [slices[0][1], slices[13][1], slices[12][1]] == [2, 3, 2]  # slices of 7.5 s
    assert slices[-1] == (START + timedelta(seconds=300), 4)
    assert found.end == START + timedelta(seconds=300)
    assert course([0.0]).over_time() == ((START + timedelta(seconds=0.5), 1), (START + timedelta(seconds=1), 1))


def test_a_run_that_ended_before_the_first_left_by_the_servers_clock_took_no_time() -> None:
    found = course([-5.0, 4.0], [-4.0, 3.0])
    assert found.percentiles() == {"p50": 0.0, "p90": 3.0, "p95": 3.0, "p99": 3.0, "max": 3.0}
    assert [count for _, count in found.over_time()] == [1, 1, 1, 2]


def test_where_nothing_was_sent_or_nothing_has_ended_there_is_nothing_to_show() -> None:
    for empty in (Course(None, None), Course(START, None)):
        assert (empty.over_time(), empty.end, empty.span) == ((), None, 0.0)
