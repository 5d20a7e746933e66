"""Webhook deliveries: which are genuine, and what they say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from batchrun.core.lifecycle import Event
from batchrun.core.webhooks import Signing, error_of, event_of, is_genuine, is_late, parse_delivery

SECRET = "whsec_test"
BODY = b'{"id":"d1","event":"run_completed"}'
DIGEST = hmac.new(SECRET.encode(), BODY, hashlib.sha256).digest()


def envelope(event: str, **data: object) -> bytes:
    return json.dumps({"id": "d1", "event": event, "createdAt": "2026-02-27T10:00:00.000Z", "data": data}).encode()


@pytest.mark.parametrize("given", [DIGEST.hex(), "sha256=" + DIGEST.hex(), f"  sha256={DIGEST.hex()} "])
def test_a_signature_may_stand_with_or_without_its_prefix(given: str) -> None:
    assert is_genuine(BODY, given, SECRET, Signing())


@pytest.mark.parametrize(
    "given", [None, "", "sha256=", "not hex", DIGEST.hex()[:-2], "00" * 32, "sha1=" + DIGEST.hex()]
)
def test_a_missing_or_false_signature_is_not_genuine(given: str | None) -> None:
    assert not is_genuine(BODY, given, SECRET, Signing())


def test_one_changed_byte_of_the_body_makes_it_false() -> None:
    assert not is_genuine(BODY + b" ", DIGEST.hex(), SECRET, Signing())


def test_header_prefix_and_encoding_are_settings() -> None:
    signing = Signing(header="X-Other", prefix="v1,", encoding="base64")
    assert is_genuine(BODY, "v1," + base64.b64encode(DIGEST).decode(), SECRET, signing)
    assert not is_genuine(BODY, "v1,****", SECRET, signing)


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"event":1}', b'{"id":"d"}', b"\xff\xfe"])
def test_what_is_no_envelope_is_no_delivery(body: bytes) -> None:
    assert parse_delivery(body) is None


def test_a_delivery_without_an_id_is_known_by_its_body() -> None:
    one, same, other = (parse_delivery(b'{"event":"a","data":%s}' % data) for data in (b"{}", b"{}", b'{"x":1}'))
    assert one is not None and same is not None and other is not None
    assert one.delivery_id == same.delivery_id != other.delivery_id


def test_a_delivery_whose_data_is_no_object_names_no_run() -> None:
    delivery = parse_delivery(b'{"id":"d","event":"run_completed","data":[1]}')
    assert delivery is not None and delivery.run_id is None


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (envelope("run_completed", runId="r", status="completed"), Event.COMPLETED),
        (envelope("run_completed", runId="r"), Event.COMPLETED),
        (envelope("run_completed", runId="r", status="strange"), Event.COMPLETED),
        (envelope("run_failed", runId="r", error="no"), Event.FAILED),
        (envelope("run_failed", runId="r", status="cancelled"), Event.CANCELLED),
        (envelope("human_review_requested", runId="r"), Event.AWAITING_REVIEW),
        (envelope("custom.told", runId="r"), None),
    ],
)
def test_what_an_event_says_of_its_run(body: bytes, event: Event | None) -> None:
    delivery = parse_delivery(body)
    assert delivery is not None
    assert event_of(delivery) is event


def test_the_error_of_a_failed_run_is_told() -> None:
    delivery = parse_delivery(envelope("run_failed", runId="r", error={"message": "limit reached"}))
    assert delivery is not None and error_of(delivery) == "limit reached"


LEFT = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("created_at", "left_at", "late"),
    [
        (LEFT - timedelta(milliseconds=1), LEFT, True),
        (LEFT, LEFT, True),
        (LEFT + timedelta(milliseconds=1), LEFT, False),
        (None, LEFT, True),
        (LEFT, None, False),
        (None, None, False),
    ],
)
def test_a_request_for_a_review_that_was_left_already_is_late(
    created_at: datetime | None, left_at: datetime | None, late: bool
) -> None:
    assert is_late(created_at, left_at) is late
