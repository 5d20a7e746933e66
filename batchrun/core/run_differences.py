"""What the API says of a run now, beside what the journal says: the differences, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from batchrun.core import leading_json, payloads
from batchrun.core.lifecycle import API_EVENTS, ENDED
from batchrun.core.readings import Reading
from batchrun.core.settling import same_value
from batchrun.model import State


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the journal knows of a run. Payload and output are None where it does not know them, or not any more."""

    run_id: str
    state: State
    payload: bytes | None = None
    payload_id: bytes | None = None
    output: Any = None


def unread(reading: Reading) -> str | None:
    """Say why nothing was learnt of a run; None where something was."""
    if reading.refused is not None:
        return reading.refused
    return None if reading.event is not None or reading.missing else "the API gave no answer that can be read"


def differences(reading: Reading, known: Remembered) -> list[str]:
    """Say in what a reading differs from what is remembered; nothing where it does not, or was not read."""
    if reading.missing:
        return [f"the API knows no run {known.run_id}"]
    if reading.event is None:
        return []
    return [told for told in (_state(reading, known), _input(reading, known), _output(reading, known)) if told]


def _state(reading: Reading, known: Remembered) -> str | None:
    now = None if reading.event is None else API_EVENTS[reading.event]
    if now is known.state:
        return None
    said = f"the API says {reading.status_word}, the journal {known.state.value.replace('_', ' ')}"
    return said if known.state in ENDED else f"{said} (batchrun refresh takes it in)"


def same_input(reading: Reading, known: Remembered) -> bool | None:
    """Tell whether a run's input is the row's payload; None where only the payload's hash is left, and it differs."""
    if reading.event is None:
        return None
    if known.payload is not None:
        return same_value(reading.input, leading_json.parse(known.payload))
    # The API may write the same value in another way, so another hash proves nothing.
    is_same = known.payload_id is not None and payloads.payload_id(payloads.to_json(reading.input)) == known.payload_id
    return is_same or None


def _input(reading: Reading, known: Remembered) -> str | None:
    return "its input is not this row's payload" if same_input(reading, known) is False else None


def _output(reading: Reading, known: Remembered) -> str | None:
    if known.output is None or same_value(reading.output, known.output):
        return None
    return "its output is not the one in the journal"
