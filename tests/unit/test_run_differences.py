"""A run as the API tells it, held against what the journal remembers."""

from __future__ import annotations

from decimal import Decimal

from batchrun.core.lifecycle import Event
from batchrun.core.payloads import payload_id
from batchrun.core.readings import Reading
from batchrun.core.run_differences import Remembered, differences, same_input, unread
from batchrun.model import State

PAYLOAD = b'{"invoice":"1","amount":19.90}'
INPUT = {"invoice": "1", "amount": Decimal("19.9")}
KNOWN = Remembered("run_1", State.COMPLETED, PAYLOAD, payload_id(PAYLOAD), {"ok": True})
SAME = Reading(event=Event.COMPLETED, status_word="completed", input=INPUT, output={"ok": True})


def test_a_run_that_is_as_it_was_differs_in_nothing() -> None:
    assert differences(SAME, KNOWN) == []
    assert same_input(SAME, KNOWN) is True
    assert unread(SAME) is None


def test_each_difference_is_told() -> None:
    other = Reading(event=Event.FAILED, status_word="failed", input={"invoice": "2"}, output=None)
    assert differences(other, KNOWN) == [
        "the API says failed, the journal completed",
        "its input is not this row's payload",
        "its output is not the one in the journal",
    ]


def test_a_run_that_went_on_is_told_with_the_command_that_takes_it_in() -> None:
    (told,) = differences(SAME, Remembered("run_1", State.AWAITING_REVIEW, PAYLOAD))
    assert told == "the API says completed, the journal awaiting review (batchrun refresh takes it in)"


def test_a_run_that_is_gone_is_a_difference_and_one_that_was_not_read_is_none() -> None:
    assert differences(Reading(missing=True), KNOWN) == ["the API knows no run run_1"]
    assert unread(Reading(missing=True)) is None
    assert (differences(Reading(), KNOWN), same_input(Reading(), KNOWN)) == ([], None)
    assert unread(Reading()) == "the API gave no answer that can be read"
    assert unread(Reading(refused="no such key")) == "no such key"


def test_a_purged_payload_is_known_by_its_hash_and_another_hash_proves_nothing() -> None:
    purged = Remembered("run_1", State.COMPLETED, None, payload_id(PAYLOAD))
    as_sent = Reading(
        event=Event.COMPLETED, status_word="completed", input={"invoice": "1", "amount": Decimal("19.90")}
    )
    assert same_input(as_sent, purged) is True
    assert same_input(SAME, purged) is None
    assert differences(SAME, purged) == []
    assert same_input(SAME, Remembered("run_1", State.COMPLETED)) is None
