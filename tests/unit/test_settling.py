"""Rows in doubt: what proves that a run is a row's, and when a row may be called not run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from batchrun.core.lifecycle import Event
from batchrun.core.readings import Reading
from batchrun.core.settling import CLOCKS_APART, YOUNGEST_ON_LIVE, disproof, same_value, too_young

SENT = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
PAYLOAD = b'{"ref":"A1","amount":19.90}'
SECOND = timedelta(seconds=1)


def reading(**more: Any) -> Reading:
    parts: dict[str, Any] = {
        "event": Event.COMPLETED,
        "input": {"ref": "A1", "amount": Decimal("19.9")},
        "created_at": SENT,
    }
    return Reading(**{**parts, **more})


def why_not(sent_at: datetime | None = SENT, twins: int = 0, **more: Any) -> str | None:
    return disproof(reading(**more), "r1", PAYLOAD, sent_at, twins=twins)


def test_the_same_input_created_when_the_row_was_sent_proves_a_run() -> None:
    assert why_not() is None
    assert why_not(created_at=SENT - CLOCKS_APART) is None
    assert why_not(created_at=SENT + timedelta(days=3)) is None


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({"missing": True, "event": None}, "the API knows no run r1"),
        ({"event": None}, "could not be read; try again later"),
        ({"event": None, "refused": "401"}, "could not be read: 401; try again later"),
        ({"twins": 1}, "another row in doubt has the same payload"),
        ({"twins": 2}, "2 other rows in doubt have the same payload"),
        ({"input": {"ref": "A2", "amount": Decimal("19.9")}}, "(they differ in ref)"),
        ({"input": {"ref": "A1"}}, "(they differ in amount)"),
        ({"input": None}, "with another input than this row's payload"),
        ({"created_at": None}, "does not say when the run r1 was created"),
        ({"sent_at": None}, "does not say when the run r1 was created"),
        ({"created_at": SENT - CLOCKS_APART - SECOND}, "before this row was sent (2026-10-01 12:00:00 UTC)"),
    ],
)
def test_anything_else_proves_nothing_and_says_why(more: dict[str, Any], part: str) -> None:
    said = why_not(**more)
    assert said is not None
    assert part in said


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Decimal("19.90"), Decimal("19.9"), True),
        (5, Decimal("5.0"), True),
        (1, True, False),
        (True, True, True),
        (0, False, False),
        ("5", 5, False),
        (None, None, True),
        (None, "", False),
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        ([1], [1, 2], False),
        ({"a": [Decimal("1.0")]}, {"a": [1]}, True),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, {"a": 2}, False),
        ({"a": None}, {}, False),
    ],
)
def test_values_are_compared_by_value_and_type(one: object, other: object, same: bool) -> None:
    assert same_value(one, other) is same_value(other, one) is same


def test_on_live_a_young_request_may_still_arrive() -> None:
    assert too_young(SENT, SENT + timedelta(minutes=5)) == (
        "it was sent less than 15 minutes ago and may still arrive; wait 10 min"
    )
    assert too_young(SENT, SENT + YOUNGEST_ON_LIVE) is None
    assert too_young(None, SENT) is None
