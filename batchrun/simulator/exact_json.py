"""JSON without loss: numbers are read as Decimals, and each member's own text is kept."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(parse_int=Decimal, parse_float=Decimal)


class NotJsonError(ValueError):
    """Say why a text is no JSON object; the words fit behind "the body"."""


class Member(NamedTuple):
    """An object's member: its value, and the bytes that it stood in."""

    value: Any
    raw: bytes


def read_members(body: bytes) -> dict[str, Member]:
    """Read a JSON object, each member with its raw text."""
    try:
        orjson.loads(body)  # strict about syntax, UTF-8, surrogates and depth; what follows may trust the text
        text = body.decode()
        return _members(text, _past_space(text, 0))
    except (orjson.JSONDecodeError, RecursionError) as fault:
        raise NotJsonError(f"is no JSON: {fault}") from fault


def read_exactly(raw: bytes) -> Any:
    """Read JSON that is known to be sound, with every number as a Decimal."""
    return json.loads(raw, parse_int=Decimal, parse_float=Decimal)


def write_exactly(value: object) -> bytes:
    """Write JSON; a Decimal is written as it stands."""
    return orjson.dumps(value, default=_as_it_stands)


def field_at(data: object, path: tuple[str, ...]) -> Any:
    """Find the value at a path of names; None where there is none."""
    for name in path:
        if not isinstance(data, dict):
            return None
        data = data.get(name)
    return data


def _members(text: str, at: int) -> dict[str, Member]:
    if text[at] != "{":
        raise NotJsonError("must be a JSON object")
    members: dict[str, Member] = {}
    at = _past_space(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = _past_space(text, _past_space(text, at) + 1)
        value, end = _DECODER.raw_decode(text, start)
        if name in members:
            raise NotJsonError(f"has the field {name!r} twice")
        members[name] = Member(value, text[start:end].encode())
        at = _past_space(text, end)
        at = _past_space(text, at + 1) if text[at] == "," else at
    return members


def _past_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _as_it_stands(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} is not written")
