"""Read what is whole in a JSON body that may have been cut anywhere."""

from __future__ import annotations

import json
from decimal import Decimal
from json.decoder import scanstring  # type: ignore[attr-defined]  # documented nowhere, there since 2.6
from typing import Any

_DECODER = json.JSONDecoder(parse_float=Decimal)
_SPACE = " \t\r\n"


def parse(body: bytes) -> Any:
    """Parse a whole JSON body with exact numbers; None where it is no JSON (or is JSON null)."""
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def leading_members(body: bytes) -> dict[str, Any]:
    """Give the members of a top-level object up to the first that is not whole; empty where it is no object.

    A string is whole at its closing quote, an object or list at its closing bracket. A number or a word is whole
    only when something follows it: `12` may have been going to be `123`.
    """
    text = body.decode("utf-8-sig", errors="replace")
    members: dict[str, Any] = {}
    place = _skip(text, 0)
    if text[place : place + 1] != "{":
        return {}
    while True:
        found = _member(text, _skip(text, place + 1))
        if found is None:
            return members
        name, value, place = found
        members[name] = value
        place = _skip(text, place)
        if text[place : place + 1] != ",":
            return members


def _member(text: str, place: int) -> tuple[str, Any, int] | None:
    if text[place : place + 1] != '"':
        return None
    try:
        name, place = scanstring(text, place + 1, True)
        place = _skip(text, place)
        if text[place : place + 1] != ":":
            return None
        value, place = _DECODER.raw_decode(text, _skip(text, place + 1))
    except (ValueError, RecursionError):
        return None
    open_ended = isinstance(value, int | float | Decimal) or value is None
    return None if open_ended and place >= len(text) else (name, value, place)


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place
