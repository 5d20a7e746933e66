"""A run's story, told at any moment."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from batchrun.simulator.answers import moment, run_view
from batchrun.simulator.pace import Bucket
from batchrun.simulator.runs import Decision, Fate, Run, Stage, Status, stage_at, story

FATE = Fate(pending=10, stretches=(100,), error=None, output=b'{"approved":true}')
RUN = Run(1, "run_a", b"c", "proc", "sandbox", "pv_default", b'{"amount": 19.90}', 1000, FATE)
PAUSED = replace(RUN, fate=replace(FATE, stretches=(100, 50, 25)))
YES = Decision("k1", 2000, True, None, None)
NO = Decision("k2", 2000, False, None, "No")


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (999, "pending"),
        (1000, "pending"),
        (1010, "running"),
        (1109, "running"),
        (1110, "completed"),
        (9e9, "completed"),
    ],
)
def test_a_plain_run_waits_runs_and_completes(now: int, status: str) -> None:
    assert stage_at(RUN, now).status == status


def test_a_run_of_no_time_is_completed_at_once() -> None:
    assert stage_at(replace(RUN, fate=replace(FATE, pending=0, stretches=(0,))), 1000).status is Status.COMPLETED


def test_a_run_fated_to_fail_fails_with_its_error() -> None:
    assert stage_at(replace(RUN, fate=replace(FATE, error="Oh")), 5000) == Stage(1110, Status.FAILED, "Oh")


def test_a_review_lasts_until_somebody_decides() -> None:
    assert story(PAUSED)[-1] == Stage(1110, Status.AWAITING_REVIEW)
    assert stage_at(PAUSED, 10**12).status is Status.AWAITING_REVIEW


def test_an_approved_run_runs_on_from_the_decision_and_may_pause_again() -> None:
    once = replace(PAUSED, decisions=(YES,))
    assert story(once)[-2:] == [Stage(2000, Status.RUNNING), Stage(2050, Status.AWAITING_REVIEW)]
    twice = replace(once, decisions=(YES, replace(YES, key="k3", at=3000)))
    assert story(twice)[-2:] == [Stage(3000, Status.RUNNING), Stage(3025, Status.COMPLETED)]


def test_a_rejected_run_fails_at_the_decision() -> None:
    assert story(replace(PAUSED, decisions=(NO,)))[-1] == Stage(2000, Status.FAILED, "No")


def test_a_cancelled_run_has_no_later_stage() -> None:
    assert [stage.status for stage in story(replace(RUN, cancelled=1050))] == ["pending", "running", "cancelled"]
    assert [stage.status for stage in story(replace(RUN, cancelled=1005))] == ["pending", "cancelled"]


def test_a_view_lays_reviewers_outputs_over_the_runs_own_exactly() -> None:
    first = replace(YES, outputs=b'{"amount": 10.50, "x": 1}')
    second = replace(YES, key="k3", at=3000, outputs=b'{"x": 2.0}')
    view = run_view(replace(PAUSED, decisions=(first, second)), 4000)
    assert orjson.dumps(view["output"]) == b'{"approved":true,"amount":10.50,"x":2.0}'
    assert orjson.dumps(view["input"]) == b'{"amount": 19.90}'


def test_times_are_utc_with_milliseconds() -> None:
    assert moment(1_772_186_400_007) == "2026-02-27T10:00:00.007Z"
    assert moment(None) is None


def test_a_bucket_has_room_for_a_second_and_fills_at_the_rate() -> None:
    bucket = Bucket(2.0, now=0)
    assert [bucket.take(now) for now in (0, 0, 0, 499, 500, 500, 60_000, 60_000, 60_000)] == [
        *(True, True, False),
        *(False, True, False),
        *(True, True, False),
    ]
