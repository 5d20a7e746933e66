"""Text that any spreadsheet opens: nothing executes, nothing breaks the file, nothing is lost in silence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from batchrun.model import Number

LONGEST = 32_767
"""Excel's limit for one cell, in UTF-16 units."""

# Not writable in XML, or invisible: C0 (but tab and line feed), DEL and C1, surrogates, the two non-characters.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_MARKUP = re.compile("[&<>]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Excel and calamine read `_x000D_` as a carriage return, also where it is split into runs; `_x005F_` is the underscore.
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_NEEDS_WORK = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff&<>]|_x[0-9A-Fa-f]{4}_|^ | $")


def safe_text(text: str) -> str:
    r"""Escape what no cell can hold (`\x07`, `\ud800`) and cut what is too long, both visibly.

    A line break of Windows becomes a line feed, which is what a cell holds for one.
    """
    return _cut(_UNSAFE.sub(_visible, text.replace("\r\n", "\n")), len(text))


def escaped(text: str) -> str:
    """Write text that looks like an escape (`_x0041_`) so that Excel and our own readers give it back as it stands."""
    return _LOOKS_ESCAPED.sub("_x005F_", text)


def text_xml(text: str) -> str:
    """Give the content of an inline string element for any text."""
    if len(text) <= LONGEST // 2 and _NEEDS_WORK.search(text) is None:
        return f"<t>{text}</t>"
    return _run_xml(escaped(safe_text(text)))


def number_text(number: Number) -> str:
    """Write a number cell as the sheet shows it: plain digits, with the zeros that its format asks for."""
    plain = format(number.value, "f")
    if not number.width or not plain.lstrip("-").isdigit():
        return plain
    sign = "-" if plain.startswith("-") else ""
    return sign + plain.lstrip("-").zfill(number.width)


def compact_json(value: Any) -> str:
    """Write JSON without spaces; decimals stand as they are."""
    match value:
        case Mapping():
            pairs = (f"{json.dumps(str(key), ensure_ascii=False)}:{compact_json(item)}" for key, item in value.items())
            return "{" + ",".join(pairs) + "}"
        case list() | tuple():
            return "[" + ",".join(map(compact_json, value)) + "]"
        case Decimal():
            return format(value, "f")
        case _:
            return json.dumps(value, ensure_ascii=False)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _cut(text: str, original: int) -> str:
    if _units(text) <= LONGEST:
        return text
    mark = f"… [cut: {original:,} characters in all]"
    kept = text[: LONGEST - len(mark)]
    while _units(kept) + len(mark) > LONGEST:
        kept = kept[: len(kept) - (_units(kept) + len(mark) - LONGEST + 1) // 2]
    return kept + mark


def _units(text: str) -> int:
    return len(text) if text.isascii() or len(text) > 2 * LONGEST else len(text.encode("utf-16-le")) // 2


def _run_xml(run: str) -> str:
    space = ' xml:space="preserve"' if run != run.strip() else ""
    return f"<t{space}>{_MARKUP.sub(lambda match: _ENTITIES[match[0]], run)}</t>"
