"""How fast to send: steady, without catching up, halved by a 429 and won back."""

from __future__ import annotations

from math import inf

import pytest

from batchrun.core.pacing import (
    BURST_SECONDS,
    FIRST_SPACING,
    LONGEST_SPACING,
    SHORTEST_SPACING,
    SLOWEST_SHARE,
    Pace,
    RetryBudget,
    Spacing,
    Window,
    backoff,
    readings,
)


def sends(pace: Pace, start: float, count: int) -> list[float]:
    """Send as soon as the pace allows, by a perfect clock."""
    times, now = [], start
    for _ in range(count):
        now += pace.wait(now)
        pace.take(now)
        times.append(now)
    return times


@pytest.mark.parametrize("per_second", [0.5, 1.0, 2.5, 5.0, 300 / 60, 1000 / 3600, 50.0, 200.0])
def test_with_a_perfect_clock_at_least_97_percent_of_the_rate_is_used(per_second: float) -> None:
    times = sends(Pace(per_second), 0.0, 200)
    assert 0.97 * per_second <= 199 / (times[-1] - times[0]) <= per_second


def test_the_first_send_is_no_burst() -> None:
    times = sends(Pace(1000.0), 50.0, 3)
    assert times[0] == 50.0
    assert times[1] - times[0] == pytest.approx(0.001, rel=0.03)


@pytest.mark.parametrize("per_second", [5.0, 100.0, 1000.0])
def test_a_stall_is_not_caught_up(per_second: float) -> None:
    pace = Pace(per_second)
    sends(pace, 0.0, 10)
    at_once = 0
    while pace.wait(1000.0) <= 0:
        pace.take(1000.0)
        at_once += 1
    assert at_once <= BURST_SECONDS * per_second + 1


def test_an_unlimited_rate_never_waits() -> None:
    pace = Pace(inf)
    assert sends(pace, 3.0, 50) == [3.0] * 50
    assert pace.interval == 0.0
    assert not pace.is_slowed


def test_429_pauses_and_then_halves_the_pace() -> None:
    pace = Pace(10.0)
    sends(pace, 0.0, 3)
    pace.slow_down(1.0, 7.0)
    assert pace.wait(1.0) == 7.0
    assert pace.is_slowed
    times = sends(pace, 8.0, 6)
    assert times[5] - times[1] == pytest.approx(4 * 2 * 0.1, rel=0.03)


def test_a_volley_of_429s_halves_once_and_the_longest_pause_holds() -> None:
    pace = Pace(10.0)
    for pause in (1.0, 5.0, 2.0):
        pace.slow_down(0.0, pause)
    assert pace.interval == pytest.approx(0.2, rel=0.03)
    assert pace.wait(0.0) == 5.0


def test_the_pace_never_falls_below_a_sixty_fourth() -> None:
    pace = Pace(64.0)
    for number in range(20):
        pace.slow_down(float(number), 0.0)
    assert pace.interval == pytest.approx(1.0 / (64.0 * SLOWEST_SHARE), rel=0.03)


def test_the_pace_recovers_by_quiet_answers() -> None:
    pace = Pace(10.0)
    pace.slow_down(0.0, 0.0)
    slow = pace.interval
    for _ in range(24):
        pace.speed_up()
    assert pace.is_slowed
    assert pace.interval < slow
    for _ in range(5):
        pace.speed_up()
    assert not pace.is_slowed
    assert pace.interval == Pace(10.0).interval


def test_an_unlimited_pace_is_halved_from_what_it_reached() -> None:
    pace = Pace(inf)
    for number in range(50):
        pace.take(number * 0.02)
    pace.slow_down(1.0, 0.0)
    assert pace.interval == pytest.approx(1 / 25, rel=0.05)
    pace.slow_down(2.0, 0.0)
    assert pace.interval == pytest.approx(2 / 25, rel=0.05)
    for _ in range(50):
        pace.speed_up()
    assert pace.interval == 0.0


def test_a_standstill_is_not_taken_for_the_pace_that_an_unlimited_one_reached() -> None:
    pace = Pace(inf)
    for number in range(64):
        pace.take(number / 1000 + (10.0 if number >= 32 else 0.0))
    pace.slow_down(10.064, 0.0)
    assert 1 / pace.interval > 50


def test_an_unlimited_pace_that_sent_nothing_yet_is_slowed_to_half_a_send_a_second() -> None:
    pace = Pace(inf)
    pace.slow_down(0.0, 0.0)
    assert pace.interval == pytest.approx(2.0, rel=0.03)


def test_a_window_is_full_at_its_rate_and_opens_when_the_oldest_send_has_left_it() -> None:
    window = Window(3.0)
    for _ in range(3):
        assert window.wait(10.0) == 0.0
        window.take(10.0)
    assert 1.0 <= window.wait(10.0) <= 1.03
    assert 0.25 <= window.wait(10.75) <= 0.28
    assert window.wait(11.03) == 0.0


def test_a_rate_below_one_a_second_spans_more_than_a_second() -> None:
    window = Window(0.25)
    window.take(0.0)
    assert 3.0 <= window.wait(1.0) <= 3.12


def test_an_unlimited_window_is_always_open() -> None:
    window = Window(inf)
    window.take(0.0)
    assert window.wait(0.0) == 0.0


@pytest.mark.parametrize(
    ("attempt", "chance", "seconds"), [(1, 1.0, 0.5), (2, 1.0, 1.0), (3, 0.5, 1.0), (9, 1.0, 30.0), (10**9, 1.0, 30.0)]
)
def test_backoff_doubles_up_to_its_cap_with_full_jitter(attempt: int, chance: float, seconds: float) -> None:
    assert backoff(attempt, base=0.5, cap=30.0, chance=chance) == seconds
    assert backoff(attempt, base=0.5, cap=30.0, chance=0.0) == 0.0


def test_a_hold_stands_all_still_and_slows_nothing() -> None:
    pace = Pace(10)
    pace.take(0.0)
    pace.hold(0.0, 2.0)
    pace.hold(0.0, 1.0)
    assert (pace.wait(0.5), pace.is_held(1.9), pace.is_held(2.0), pace.is_slowed) == (1.5, True, False, False)


def test_a_retry_budget_is_spent_refilled_and_never_overflows() -> None:
    budget = RetryBudget(start=10.0, most=10.0, cost=5.0, gain=2.0)
    budget.refill()
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    for _ in range(3):
        budget.refill()
    assert [budget.spend(), budget.spend()] == [True, False]
    budget.begin_anew()
    assert [budget.spend() for _ in range(3)] == [True, True, False]


def test_nothing_lies_between_readings_where_nobody_listens() -> None:
    spacing = Spacing()
    spacing.hear(listening=False, told=False)
    spacing.learn(news=True)
    spacing.learn(news=False)
    assert spacing.seconds == 0.0


def test_readings_without_news_go_apart_and_news_brings_them_together() -> None:
    spacing = Spacing()
    spacing.hear(listening=True, told=False)
    assert spacing.seconds == FIRST_SPACING
    for _ in range(20):
        spacing.learn(news=False)
        spacing.hear(listening=True, told=False)
    assert spacing.seconds == LONGEST_SPACING
    spacing.learn(news=True)
    assert spacing.seconds == LONGEST_SPACING / 4
    for _ in range(20):
        spacing.learn(news=True)
        spacing.hear(listening=True, told=False)
    assert spacing.seconds == SHORTEST_SPACING
    spacing.hear(listening=True, told=True)
    assert spacing.seconds == FIRST_SPACING
    spacing.hear(listening=False, told=False)
    assert spacing.seconds == 0.0


@pytest.mark.parametrize(
    ("per_second", "senders", "expected"),
    [(inf, 32, (inf, 32)), (1000.0, 32, (200.0, 8)), (50.0, 4, (50.0, 4)), (1 / 60, 8, (5.0, 8))],
)
def test_runs_are_read_at_the_job_s_pace_within_bounds_and_without_any_where_it_sets_none(
    per_second: float, senders: int, expected: tuple[float, int]
) -> None:
    assert readings(per_second, senders) == expected
