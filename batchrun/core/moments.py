"""How the journal's times, texts such as 2026-10-31T09:12:44.105Z, read for people."""

from __future__ import annotations


def to_the_second(at: str) -> str:
    """Write a time to the second: `2026-10-31 09:12:44`."""
    return at[:19].replace("T", " ")


def to_the_minute(at: str) -> str:
    """Write a time to the minute: `2026-10-31 09:12`."""
    return at[:16].replace("T", " ")
