"""Turns that several processes take from one pace."""

from __future__ import annotations

import pytest

from batchrun.core.shared_pace import (
    FURTHEST_SECONDS,
    HEADROOM,
    expected_wait,
    is_late,
    most_at_once,
    take_turns,
    was_set_back,
)

NOW = 1_790_000_000.0


def test_turns_begin_where_those_that_are_taken_end() -> None:
    first = take_turns(0.0, NOW, 10, 3)
    second = take_turns(first.end, NOW, 10, 2)
    assert first.moments()[0] == NOW
    assert second.moments()[0] == pytest.approx(NOW + 3 * HEADROOM / 10)
    assert len(first.moments() + second.moments()) == 5


def test_turns_that_passed_unused_are_not_caught_up() -> None:
    assert take_turns(NOW - 60, NOW, 10, 1).first == NOW


def test_a_clock_that_was_set_back_stands_nothing_still() -> None:
    assert take_turns(NOW + 3600, NOW, 10, 1).first == NOW
    assert take_turns(NOW + FURTHEST_SECONDS, NOW, 10, 1).first == NOW + FURTHEST_SECONDS


def test_a_slow_account_may_be_taken_far_ahead() -> None:
    assert take_turns(NOW + 600, NOW, 10 / 60, 1).first == NOW + 600


@pytest.mark.parametrize("per_second", [0.1, 1, 5, 50])
def test_however_many_wait_in_many_processes_no_turn_is_given_twice(per_second: float) -> None:
    """Turns that were taken far ahead looked like those of a clock that was set back, and were given again."""
    taken_until, moments = 0.0, []
    for _ in range(20):
        turns = take_turns(taken_until, NOW, per_second, 256)
        taken_until = turns.end
        moments += turns.moments()
    assert moments == sorted(moments)
    assert len(set(moments)) == len(moments)


def test_only_a_clock_that_lost_time_against_a_steady_one_was_set_back() -> None:
    assert was_set_back((NOW, 7.0), (NOW - 3600, 7.5))
    assert was_set_back((NOW, 7.0), (NOW + 1, 17.0))
    assert not was_set_back((NOW, 7.0), (NOW + 10.02, 17.0))
    assert not was_set_back((NOW, 7.0), (NOW + 9.98, 17.0))
    assert not was_set_back((NOW, 7.0), (NOW + 3600, 7.5))


def test_at_least_one_turn_is_taken() -> None:
    assert len(take_turns(0.0, NOW, 10, 0).moments()) == 1


@pytest.mark.parametrize("per_second", [1, 5, 50, 1000])
def test_no_window_holds_more_turns_than_the_rate_even_if_each_is_as_late_as_it_may_be(per_second: int) -> None:
    moments: list[float] = []
    while len(moments) < 3 * per_second:
        moments += take_turns(moments[-1] + HEADROOM / per_second if moments else 0.0, 0.0, per_second, 8).moments()
    late = moments[0] + 0.010  # one leaves late and opens the window, all others leave in time
    assert sum(late <= moment < late + 1 for moment in moments[1:]) + 1 <= per_second


def test_a_turn_is_late_once_it_has_passed_by_more_than_a_jitter() -> None:
    assert not is_late(NOW, NOW + 0.009)
    assert is_late(NOW, NOW + 0.011)


def test_who_waits_for_more_than_may_be_taken_at_once_lets_the_others_go_in_between() -> None:
    assert expected_wait(0.0, 0, 20) == 0.0
    assert expected_wait(0.3, 1, 20) == pytest.approx(0.3 + HEADROOM / 20)
    assert expected_wait(0.3, most_at_once(20), 20) == pytest.approx(0.3 + most_at_once(20) * HEADROOM / 20)
    assert expected_wait(0.3, most_at_once(20) + 1, 20) == pytest.approx(0.6 + (most_at_once(20) + 1) * HEADROOM / 20)
