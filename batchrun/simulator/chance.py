"""Chance that repeats: every draw is a function of the seed and of what was sent, never of the clock."""

from __future__ import annotations

import base64
from enum import IntEnum
from hashlib import blake2b

_BYTES_A_DRAW = 6
_OUTCOMES = float(1 << (8 * _BYTES_A_DRAW))


class Draw(IntEnum):
    """What is drawn for; each has its own bytes of the hash, so that turning one knob moves no other draw."""

    LATENCY = 0
    PENDING_TIME = 1
    RUN_TIME = 2
    FAILURE = 3
    REFUSAL = 4
    REVIEW = 5
    SECOND_REVIEW = 6
    ERROR_429 = 7
    ERROR_500 = 8
    LOST_ANSWER = 9


class Draws:
    """One event's draws, all taken from one hash."""

    __slots__ = ("_digest",)

    def __init__(self, seed: int, *event: bytes) -> None:
        self._digest = _hash(64, str(seed).encode(), *event)

    def of(self, draw: Draw) -> float:
        """Give a number from 0 up to, and without, 1."""
        first = draw * _BYTES_A_DRAW
        return int.from_bytes(self._digest[first : first + _BYTES_A_DRAW]) / _OUTCOMES

    def hits(self, draw: Draw, share: float) -> bool:
        """Say whether this event is among the share."""
        return share > 0 and self.of(draw) < share


def content_of(procedure: str, environment: str, data: bytes) -> bytes:
    """Name what was asked for, so that the same request finds the same fate in whatever order it comes."""
    return _hash(16, procedure.encode(), environment.encode(), data)


def token(size: int, *parts: bytes) -> str:
    """Make a name that looks like chance from `size` bytes (a multiple of 5): 8 characters for each 5."""
    return base64.b32encode(_hash(size, *parts)).decode().lower()


def _hash(size: int, *parts: bytes) -> bytes:
    # The lengths go in first, so that no two lists of parts can run together.
    lengths = ",".join(str(len(part)) for part in parts).encode()
    return blake2b(b"%b:%b" % (lengths, b"".join(parts)), digest_size=size).digest()
