"""Read what is whole in a JSON body that may have been cut anywhere."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from decimal import Decimal, InvalidOperation
from json.decoder import scanstring  # type: ignore[attr-defined]  # documented nowhere, there since 2.6
from typing import Any

# Beyond these a number is kept as the text that it is: an absurd one must not hide the run id after it.
MOST_DIGITS = 400
DEEPEST = 200
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")
_SPACE = " \t\r\n"


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= MOST_DIGITS else text


def _fraction(text: str) -> Decimal | str:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    return value if abs(value.adjusted()) <= MOST_DIGITS else text


# NaN and Infinity are no JSON, but some servers write them; as texts they stay what they are.
_DECODER = json.JSONDecoder(parse_float=_fraction, parse_int=_integer, parse_constant=str)


def parse(body: bytes) -> Any:
    """Parse a whole JSON body with exact numbers; None where it is no JSON (or is JSON null)."""
    try:
        value = _DECODER.decode(body.removeprefix(BOM_UTF8).decode())
        return value if _is_storable(body) else _storable(value)
    except (ValueError, RecursionError):
        return None


def _is_storable(body: bytes) -> bool:
    """Tell whether a JSON body can be stored beyond doubt, as nearly all can, at a glance instead of value by value.

    What was UTF-8 holds half a surrogate pair only where an escape says so.
    """
    return rb"\u" not in body and body.count(b"{") + body.count(b"[") < DEEPEST


def leading_members(body: bytes) -> dict[str, Any]:
    """Give the members of a top-level object up to the first that is not whole; empty where it is no object.

    A string is whole at its closing quote, an object or list at its closing bracket. A number or a word is whole
    only when something follows it: `12` may have been going to be `123`.
    """
    whole = parse(body)  # nearly all bodies are whole, and then this is many times quicker
    if isinstance(whole, dict):
        return whole
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
        name, value = _storable(name), _storable(value)
    except (ValueError, RecursionError):
        return None
    whole = place < len(text) or text[place - 1] in '"]}'
    return (name, value, place) if whole else None


def _storable(value: Any, room: int = DEEPEST) -> Any:
    """Give what a journal can hold: no half of a surrogate pair (JavaScript cuts texts so), no bottomless nesting."""
    if isinstance(value, str):
        return _HALF_PAIR.sub("\ufffd", value)
    if room == 0:
        raise RecursionError
    if isinstance(value, dict):
        return {_storable(name): _storable(member, room - 1) for name, member in value.items()}
    return [_storable(item, room - 1) for item in value] if isinstance(value, list) else value


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place
