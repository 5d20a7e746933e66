"""What is left of a batch once its payloads and cells are removed: the words for it, and the bare webhook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batchrun.core import leading_json, payloads
from batchrun.core.lifecycle import ENDED, NEVER_SENT
from batchrun.model import State

_OVER = frozenset({*ENDED, *NEVER_SENT, State.REFUSED})
REMOVED = "its text was removed from the journal"
_KEPT_OF_ENVELOPE = ("id", "event", "createdAt")
_KEPT_OF_DATA = ("runId", "procedureId", "environment", "status")


def unfinished(counts: Mapping[State, int]) -> dict[State, int]:
    """Give those states of a batch's rows that are not the end of them: such a batch keeps all that it holds."""
    return {state: count for state, count in counts.items() if state not in _OVER}


def bare_delivery(body: bytes) -> bytes:
    """Give a webhook's envelope without what was reviewed or put out: what still tells a run's state."""
    envelope = leading_json.parse(body)
    if not isinstance(envelope, dict):
        return b"{}"
    told = envelope.get("data")
    bare: dict[str, Any] = _words(envelope, _KEPT_OF_ENVELOPE)
    if isinstance(told, dict):
        bare["data"] = _words(told, _KEPT_OF_DATA)
    return payloads.to_json(bare)


def _words(told: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    return {name: word for name in names if isinstance(word := told.get(name), str)}


def sentence(batch: str, at: str) -> str:
    """Say that a batch was purged; `at` is the journal's time of it."""
    return f"the payloads and cells of {batch} were removed from the journal on {at[:10]} (batchrun purge)"
