"""Over any clock: no second holds more than the rate, nothing is caught up, and the retry budget is finite."""

from __future__ import annotations

from bisect import bisect_left
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from batchrun.core.pacing import Pace, RetryBudget, Window, backoff

RATES = st.sampled_from([0.5, 1.0, 2.5, 5.0, 7.3, 20.0, 100.0])
# How late a sender wakes up, and how long it then stalls: mostly a little, sometimes much.
DELAYS = st.lists(st.one_of(st.floats(0, 0.02), st.floats(0, 3.0), st.just(0.0)), min_size=20, max_size=120)


def sends(per_second: float, delays: list[float]) -> list[float]:
    """Send as the gate does, by pace and window together, waking up late by the given delays."""
    pace, window, now, times = Pace(per_second), Window(per_second), 1000.0, []
    for late in delays:
        while (wait := max(pace.wait(now), window.wait(now))) > 0:
            now += wait
        now += late
        pace.take(now)
        window.take(now)
        times.append(now)
    return times


@settings(max_examples=60, deadline=None)
@given(RATES, DELAYS)
def test_no_window_of_a_second_holds_more_than_the_rate(per_second: float, delays: list[float]) -> None:
    times = sends(per_second, delays)
    for index, start in enumerate(times):
        inside = bisect_left(times, start + 1.0 - 1e-6) - index
        assert inside <= ceil(per_second)


@settings(max_examples=60, deadline=None)
@given(RATES, DELAYS)
def test_over_any_stretch_the_rate_is_never_exceeded_by_more_than_a_burst(
    per_second: float, delays: list[float]
) -> None:
    times = sends(per_second, delays)
    for first in range(0, len(times), 7):
        for last in range(first + 1, len(times), 5):
            # Late senders may come closer than the interval, but what they lost is not made up for.
            assert last - first <= (times[last] - times[first] + 0.010 + max(delays)) * per_second + 1


@settings(max_examples=60, deadline=None)
@given(RATES, st.lists(st.floats(0, 0.01), min_size=60, max_size=60))
def test_a_little_jitter_costs_little(per_second: float, delays: list[float]) -> None:
    times = sends(per_second, delays)
    perfect = (len(times) - 1) / per_second
    assert times[-1] - times[0] <= perfect * 1.03 + sum(delays) + 0.010


@settings(max_examples=60, deadline=None)
@given(RATES, st.lists(st.tuples(st.booleans(), st.floats(0, 2.0)), max_size=60))
def test_whatever_429s_come_the_pace_stays_between_its_bounds_and_recovers(
    per_second: float, events: list[tuple[bool, float]]
) -> None:
    pace, now = Pace(per_second), 0.0
    normal = pace.interval
    for slow, seconds in events:
        now += seconds
        if slow:
            pace.slow_down(now, seconds)
            assert pace.wait(now) >= seconds - 1e-9
        else:
            pace.speed_up()
        assert normal <= pace.interval <= 64.001 * normal
    for _ in range(50):
        pace.speed_up()
    assert pace.interval == normal


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), max_size=300))
def test_retries_never_exceed_what_was_there_and_what_was_refilled(successes: list[bool]) -> None:
    budget, spent, refilled = RetryBudget(start=60, most=100, cost=5, gain=2), 0, 0
    for success in successes:
        if success:
            budget.refill()
            refilled += 2
        else:
            spent += budget.spend()
        assert spent * 5 <= 60 + refilled


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10**6), st.floats(0.001, 10), st.floats(0.001, 100), st.floats(0, 1, exclude_max=True))
def test_a_backoff_is_never_negative_and_never_above_its_cap(
    attempt: int, base: float, cap: float, chance: float
) -> None:
    assert 0 <= backoff(attempt, base, cap, chance) <= cap
