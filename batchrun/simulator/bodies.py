"""The bodies that callers post, checked field by field against the documents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from batchrun.simulator.exact_json import Member, NotJsonError, read_members
from batchrun.simulator.refusals import RefusedError

_UUID_V4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
_START_FIELDS = ("data", "metadata", "control")
_REVIEW_FIELDS = ("approved", "outputs", "rejectionReason", "idempotencyKey")
_LEAST_TIMEOUT, _MOST_TIMEOUT, _DEFAULT_TIMEOUT = 1000, 300_000, Decimal(60_000)


@dataclass(frozen=True, slots=True)
class Start:
    """A request to start a run. `raw` is `data` as it was sent; `timeout` is milliseconds, and counts when `sync`."""

    data: dict[str, Any]
    raw: bytes
    version: str | None
    sync: bool
    timeout: Decimal


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reviewer's decision as posted. `outputs` is the JSON object as it was sent."""

    approved: bool
    outputs: bytes | None
    reason: str | None
    key: str


def read_start(body: bytes) -> Start:
    """Read the body of a start, or refuse it with 400 and the field's name."""
    members = _object(body, _START_FIELDS)
    data = members.get("data")
    if data is None or not isinstance(data.value, dict):
        raise RefusedError(400, "data is required and must be an object")
    metadata = _part(members, "metadata", ("procedureVersion",))
    control = _part(members, "control", ("executionMode", "executionTimeout"))
    return Start(data.value, data.raw, _version(metadata), _is_sync(control), _timeout(control))


def read_verdict(body: bytes) -> Verdict:
    """Read the body of a review, or refuse it: 400 for its shape, 422 for what a field says."""
    members = _object(body, _REVIEW_FIELDS)
    values = {name: member.value for name, member in members.items()}
    approved, outputs, reason = values.get("approved"), values.get("outputs"), values.get("rejectionReason")
    if not isinstance(approved, bool):
        raise RefusedError(422, "approved is required and must be true or false")
    if outputs is not None and not isinstance(outputs, dict):
        raise RefusedError(422, "outputs must be an object")
    if reason is not None and not isinstance(reason, str):
        raise RefusedError(422, "rejectionReason must be a text")
    if not approved and not (reason or "").strip():
        raise RefusedError(422, "rejectionReason is required when approved is false")
    raw = members["outputs"].raw if approved and outputs is not None else None
    return Verdict(approved, raw, reason, _uuid(values.get("idempotencyKey")))


def _uuid(key: object) -> str:
    if not isinstance(key, str) or not _UUID_V4.fullmatch(key):
        raise RefusedError(422, "idempotencyKey is required and must be a UUID v4")
    return key.lower()


def _object(body: bytes, known: tuple[str, ...]) -> dict[str, Member]:
    try:
        members = read_members(body)
    except NotJsonError as fault:
        raise RefusedError(400, f"the body {fault}") from fault
    _refuse_unknown(members, known, "")
    return members


def _part(members: Mapping[str, Member], name: str, known: tuple[str, ...]) -> dict[str, Any]:
    part = members[name].value if name in members else {}
    if not isinstance(part, dict):
        raise RefusedError(400, f"{name} must be an object")
    _refuse_unknown(part, known, f"{name}.")
    return part


def _refuse_unknown(names: Iterable[str], known: tuple[str, ...], prefix: str) -> None:
    unknown = [f"{prefix}{name}" for name in names if name not in known]
    if unknown:
        raise RefusedError(400, f"unknown field: {', '.join(unknown)}")


def _version(metadata: Mapping[str, Any]) -> str | None:
    version = metadata.get("procedureVersion")
    if "procedureVersion" in metadata and not isinstance(version, str):
        raise RefusedError(400, "metadata.procedureVersion must be a text")
    return version


def _is_sync(control: Mapping[str, Any]) -> bool:
    mode = control.get("executionMode", "async")
    if mode not in ("async", "sync"):
        raise RefusedError(400, 'control.executionMode must be "async" or "sync"')
    return bool(mode == "sync")


def _timeout(control: Mapping[str, Any]) -> Decimal:
    timeout = control.get("executionTimeout", _DEFAULT_TIMEOUT)
    # In async mode it says nothing, but it is no fault: the reference's first example sends both.
    if not isinstance(timeout, Decimal) or not _LEAST_TIMEOUT <= timeout <= _MOST_TIMEOUT:
        raise RefusedError(400, f"control.executionTimeout must be a number from {_LEAST_TIMEOUT} to {_MOST_TIMEOUT}")
    return timeout
