"""Knobs: one table, every fault at once."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest

from batchrun.simulator.knob_values import Above, NewVersion, RetryAfter, Span
from batchrun.simulator.knobs import KNOBS, KnobError, Knobs, knob_help, parse_knobs


def test_the_table_and_the_knobs_have_the_same_names() -> None:
    assert sorted(knob.field for knob in KNOBS) == sorted(field.name for field in fields(Knobs))


def test_the_defaults_spoil_nothing() -> None:
    knobs = parse_knobs()
    assert knobs == parse_knobs({}) == parse_knobs({knob.name: knob.default for knob in KNOBS})
    assert knobs.run_time == Span(300, 1500)
    assert (knobs.failures, knobs.errors_429, knobs.lost_answers, knobs.deleted_key) == (0, 0, 0, False)


@pytest.mark.parametrize(
    ("pair", "field", "value"),
    [
        ("latency=50ms", "latency", Span(50, 50)),
        ("latency = 20ms .. 1.5s", "latency", Span(20, 1500)),
        ("run-time=0", "run_time", Span(0, 0)),
        ("pending-time=2min", "pending_time", Span(120_000, 120_000)),
        ("failures=2%", "failures", 0.02),
        ("failures=0.02", "failures", 0.02),
        ("failures=100 %", "failures", 1.0),
        ("review-over=invoice.total=99.50", "review_over", Above(("invoice", "total"), Decimal("99.50"))),
        ("review-over=none", "review_over", None),
        ("retry-after=7", "retry_after", RetryAfter(7)),
        ("retry-after=none", "retry_after", RetryAfter(None)),
        ("rate-limit=300/min", "rate_limit", 5.0),
        ("rate-limit=5", "rate_limit", 5.0),
        ("deleted-key=yes", "deleted_key", True),
        ("webhook-url=http://127.0.0.1:1/x", "webhook_url", "http://127.0.0.1:1/x"),
        ("webhook-repeat=3", "webhook_repeat", 3),
        ("version-id=pv_7", "version_id", "pv_7"),
        ("new-version=10 = pv_8", "new_version", NewVersion(10, "pv_8")),
        ("new-version=none", "new_version", None),
        (f"schema={__file__}", "schema", Path(__file__)),
    ],
)
def test_a_value_is_read_as_it_is_written(pair: str, field: str, value: object) -> None:
    assert getattr(parse_knobs([pair]), field) == value


def test_a_mapping_may_hold_what_yaml_holds() -> None:
    knobs = parse_knobs({"deleted-key": True, "failures": 0.5, "webhook-repeat": 2, "latency": 0, "schema": None})
    assert (knobs.deleted_key, knobs.failures, knobs.webhook_repeat, knobs.schema) == (True, 0.5, 2, None)


def test_of_a_knob_given_twice_the_last_one_counts() -> None:
    assert parse_knobs(["failures=1%", "failures=3%"]).failures == 0.03


def test_every_fault_is_told_at_once_with_the_nearest_name() -> None:
    with pytest.raises(KnobError) as caught:
        parse_knobs(["failurs=1%", "review_over=amount=1", "latency=fast", "reviews=120%", "reviews", "xyzzy=1"])
    assert list(caught.value.faults) == [
        "knob 'reviews' has no value; write NAME=VALUE",
        "knob latency: 'fast' is no duration; write it like 50ms, 1.5s or 200ms..2s",
        "knob reviews: '120%' is no share; write it like 2% or 0.02, from 0 to 1",
        "unknown knob 'failurs'; did you mean failures?",
        "unknown knob 'review_over'; did you mean review-over?",
        f"unknown knob 'xyzzy'; there are {', '.join(knob.name for knob in KNOBS)}",
    ]
    assert str(caught.value) == "\n".join(caught.value.faults)


@pytest.mark.parametrize(
    "pair",
    [
        "latency=5",
        "latency=80ms..20ms",
        "latency=-1s",
        "latency=",
        "failures=-1%",
        "failures=nan",
        "failures=x",
        "review-over=amount",
        "review-over=amount=NaN",
        "review-over=.=5",
        "retry-after=soon",
        "retry-after=-1",
        "new-version=pv_2",
        "new-version=3=",
        "new-version=-1=pv_2",
        "rate-limit=0",
        "rate-limit=5/day",
        "deleted-key=perhaps",
        "webhook-url=127.0.0.1",
        "webhook-header=X Sig",
        "webhook-repeat=0",
        "schema=/no/such/file",
    ],
)
def test_a_value_that_needs_a_guess_is_a_fault(pair: str) -> None:
    with pytest.raises(KnobError, match=pair.partition("=")[0]):
        parse_knobs([pair])


def test_help_has_a_line_for_each_knob() -> None:
    lines = knob_help().splitlines()
    assert [line.split()[0] for line in lines] == [knob.name for knob in KNOBS]
    assert "300ms..1.5s" in knob_help()


def test_retry_after_is_worded_in_seconds_as_a_date_or_not_at_all() -> None:
    assert RetryAfter(5).header(0) == "5"
    assert RetryAfter(2, as_date=True).header(0.9) == "Thu, 01 Jan 1970 00:00:02 GMT"
    assert RetryAfter(None).header(0) is None
