"""Webhook deliveries: whether one is genuine, and what it says of a run. Source: reference `Human Review API`.

The header's name and the signature's exact form are documented nowhere, so they are settings: by default the
hex of HMAC-SHA256 over the raw body, with or without `sha256=` before it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from batchrun.core import leading_json, lifecycle
from batchrun.core.answers import text_of
from batchrun.core.lifecycle import Event
from batchrun.core.readings import parse_time

REVIEW_REQUESTED = "human_review_requested"
_ENDS = {"run_completed": "completed", "run_failed": "failed"}

Encoding = Literal["hex", "base64"]


@dataclass(frozen=True, slots=True)
class Signing:
    """How deliveries are signed."""

    header: str = "X-Rapid-Signature"
    prefix: str = "sha256="
    encoding: Encoding = "hex"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery. `event_name` may be one that is not known: it is kept, and changes nothing."""

    delivery_id: str
    event_name: str
    created_at: datetime | None
    run_id: str | None
    procedure_id: str | None
    environment: str | None
    data: Mapping[str, Any]


def is_genuine(body: bytes, given: str | None, secret: str, signing: Signing) -> bool:
    """Check a signature over the raw body, in constant time."""
    if given is None:
        return False
    try:
        text = given.strip().removeprefix(signing.prefix)
        sent = binascii.unhexlify(text) if signing.encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.new(secret.encode(), body, hashlib.sha256).digest(), sent)


def parse_delivery(body: bytes) -> Delivery | None:
    """Read an envelope; None where the body is none. One without an id is known by the hash of its body."""
    envelope = leading_json.parse(body)
    if not isinstance(envelope, dict) or not isinstance(envelope.get("event"), str):
        return None
    told = envelope.get("data")
    data: Mapping[str, Any] = told if isinstance(told, dict) else {}
    named = envelope.get("id")
    return Delivery(
        delivery_id=named if isinstance(named, str) and named else hashlib.sha256(body).hexdigest(),
        event_name=envelope["event"],
        created_at=parse_time(envelope.get("createdAt")),
        run_id=_text(data, "runId"),
        procedure_id=_text(data, "procedureId"),
        environment=_text(data, "environment"),
        data=data,
    )


def _text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    return value if isinstance(value, str) and value else None


def event_of(delivery: Delivery) -> Event | None:
    """Give what a delivery says happened to its run; None for an event that says nothing of a run's state."""
    if delivery.event_name == REVIEW_REQUESTED:
        return Event.AWAITING_REVIEW
    word = _ENDS.get(delivery.event_name)
    if word is None:
        return None
    told = delivery.data.get("status")
    return lifecycle.event_of(told) if isinstance(told, str) and lifecycle.is_end(told) else lifecycle.event_of(word)


def error_of(delivery: Delivery) -> str | None:
    """Give the error that a delivery tells."""
    return text_of(delivery.data.get("error")) or None


def is_late(created_at: datetime | None, left_at: datetime | None) -> bool:
    """Tell whether a request for a review is about one that its row has left already.

    A request that bears no time cannot be told from an earlier one, so it is late once any review was left.
    """
    if left_at is None:
        return False
    return created_at is None or created_at <= left_at
