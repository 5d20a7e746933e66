"""How a cell becomes a value: one coercer a type. The schema asks, the cell answers, and nothing is guessed.

Values are what JSON can hold: text, bool, int, Decimal, None. A cell that does not answer gives a Fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from batchrun.core.cell_dates import as_date, as_date_time
from batchrun.core.cell_terms import Coercer, Fault, Reading, cut, is_midnight, unreadable
from batchrun.model import Cell, DressedNumber, Number, Unreadable

__all__ = [
    "COERCERS",
    "Coercer",
    "Fault",
    "Reading",
    "are_plain_texts",
    "as_boolean",
    "as_date",
    "as_date_time",
    "as_integer",
    "as_it_is",
    "as_number",
    "as_text",
    "cut",
    "damage_in",
    "is_blank",
    "is_plain_number",
    "is_plain_text",
    "number_text",
    "plain",
    "shown",
]

MOST_DIGITS = 15


_DAMAGED = re.compile("[\x00\x80-\x9f\ufffd\ud800-\udfff]")
_SCIENTIFIC = re.compile(r"[-+]?\d(?:[.,]\d+)?E[+-]\d+", re.ASCII)
_PERHAPS_SCIENTIFIC = re.compile(r"E[-+]\d")
_PLAIN_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_SPACES = " \u00a0\u202f"


def is_blank(cell: Cell, reading: Reading) -> bool:
    """Tell whether a cell is empty, or holds a text that this column declares to mean empty."""
    return cell is None or cell == "" or (isinstance(cell, str) and cell in reading.blanks)


def shown(cell: Cell) -> str:
    """Give a cell as text for keys, maps and messages: numbers plain, with the zeros that their format shows."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Number):
        return number_text(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if is_midnight(cell) else cell.isoformat(sep=" ")
    return cell.shown if isinstance(cell, Unreadable) else ""


def number_text(number: Number) -> str:
    """Write a number plainly: never with an exponent, without `.0`, and zero-filled where its format is zeros."""
    text = plain(number.value)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    return sign + digits.zfill(number.width)


def plain(value: Decimal) -> str:
    """Write a Decimal without an exponent, with the decimals that it has."""
    return format(value, "f")


def damage_in(text: str) -> Fault | None:
    """Find what was damaged before it came to us: such text must not be sent on."""
    if text.isascii() and "\0" not in text:
        return None
    found = _DAMAGED.search(text)
    if found is None:
        return None
    return Fault(
        "damaged-text",
        f"the text holds a damaged character (U+{ord(found[0]):04X}); type the cell again, or save the file as UTF-8",
    )


def as_text(cell: Cell, _reading: Reading) -> Any:
    """Give text as it stands; a whole number without `.0`; a number whose format is zeros as it is shown."""
    if isinstance(cell, str):
        return _checked_text(cell)
    if isinstance(cell, Number):
        return _text_of_number(cell)
    if isinstance(cell, bool):
        return Fault("not-text", "this is a TRUE/FALSE cell, but text is expected; add a `map:` for it")
    if isinstance(cell, datetime):
        return Fault("not-text", "this is a date cell, but text is expected; add `type: date` to send it as 2026-10-31")
    return unreadable(cell)


def is_plain_text(text: str) -> bool:
    """Tell, of the most of texts and quickly, that nothing in them can be damaged or shortened."""
    return text.isascii() and "E" not in text and "\0" not in text


def are_plain_texts(together: str) -> bool:
    """Tell, of many texts run together, that each of them is sent as it stands; a no means: look at each."""
    if not (together.isascii() and "\0" not in together) and _DAMAGED.search(together) is not None:
        return False
    return _PERHAPS_SCIENTIFIC.search(together) is None


def _checked_text(text: str) -> Any:
    if "E" in text and _SCIENTIFIC.fullmatch(text):
        return Fault(
            "scientific-text",
            "Excel has turned a long number into this short form and its digits are lost; "
            "format the column as Text and fill in the whole value again",
        )
    return damage_in(text) or text


def _text_of_number(cell: Number) -> Any:
    if cell.value != cell.value.to_integral_value():
        return Fault(
            "not-text", "this is a number with decimals, but text is expected; format the cell as Text in Excel"
        )
    if isinstance(cell, DressedNumber):
        return Fault(
            "not-text",
            "the cell's number format shows more than this number's digits, and text is expected; "
            "format the cell as Text in Excel and enter the whole of it",
        )
    return _too_long(cell) or number_text(cell)


def _too_long(cell: Number) -> Fault | None:
    if len(plain(cell.value).lstrip("-").split(".")[0].lstrip("0")) <= MOST_DIGITS:
        return None
    return Fault(
        "too-many-digits",
        "this number has 16 digits or more and Excel has rounded it; "
        "format the column as Text and fill in the whole value again",
    )


def as_number(cell: Cell, reading: Reading) -> Any:
    """Give an exact Decimal from an Excel number, or from text in the declared form."""
    if isinstance(cell, Number):
        return _too_long(cell) or cell.value
    if isinstance(cell, str):
        return _number_in(cell, reading)
    if isinstance(cell, bool):
        return Fault("not-a-number", "this is a TRUE/FALSE cell, but a number is expected")
    if isinstance(cell, datetime):
        return Fault("not-a-number", "this is a date cell, but a number is expected; format the cell as a number")
    return unreadable(cell)


def is_plain_number(text: str) -> bool:
    """Tell whether a text is a number as JSON writes numbers; zeros before it do no harm."""
    return _PLAIN_NUMBER.fullmatch(text) is not None


def _number_in(text: str, reading: Reading) -> Any:
    if reading.is_plain and is_plain_number(text):
        return Decimal(text)
    if "E" in text and _SCIENTIFIC.fullmatch(text):
        return _checked_text(text)
    written = text
    if reading.thousands is not None:
        written = _without_groups(text, reading)
    if reading.decimal != ".":
        written = "" if "." in written else written.replace(reading.decimal, ".", 1)
    if _PLAIN_NUMBER.fullmatch(written):
        return Decimal(written)
    return Fault("not-a-number", f"not a number{_number_hint(text, reading)}")


def _without_groups(text: str, reading: Reading) -> str:
    mark = f"[{_SPACES}]" if reading.thousands in tuple(_SPACES) else re.escape(reading.thousands or "")
    point = re.escape(reading.decimal)
    grouped = re.fullmatch(rf"-?\d{{1,3}}(?:{mark}\d{{3}})+(?:{point}\d+)?", text, re.ASCII)
    return re.sub(mark, "", text) if grouped else text


def _number_hint(text: str, reading: Reading) -> str:
    if text != text.strip():
        return "; it has a space before or after it"
    if "," in text and reading.decimal == ".":
        return (
            '; if a comma is the decimal sign, write `decimal: ","` in the job, if it groups digits, `thousands: ","`'
        )
    if "." in text and reading.decimal != ".":
        return f'; the job says that "{reading.decimal}" is the decimal sign'
    return ""


def as_integer(cell: Cell, reading: Reading) -> Any:
    """Give an int from a number that is whole."""
    value = as_number(cell, reading)
    if isinstance(value, Fault):
        return value
    if value != value.to_integral_value():
        return Fault("not-an-integer", f"a whole number is expected; this is {cut(plain(value))}")
    return int(value)


def as_boolean(cell: Cell, _reading: Reading) -> Any:
    """Give a bool from an Excel boolean, or from exactly true or false in any case."""
    if isinstance(cell, bool):
        return cell
    word = cell.lower() if isinstance(cell, str) else ""
    if word in ("true", "false"):
        return word == "true"
    if isinstance(cell, Unreadable):
        return unreadable(cell)
    return Fault(
        "not-a-boolean",
        "neither true nor false; say what it means, as in `map: {Y: true, N: false}`",
    )


def as_it_is(cell: Cell, reading: Reading) -> Any:
    """Give the cell's own type, where the schema asks for none or for several."""
    for kind, coercer in ((bool, as_boolean), (str, as_text), (Number, as_number), (datetime, as_date)):
        if isinstance(cell, kind):
            return coercer(cell, reading)
    return unreadable(cell)


COERCERS: Mapping[str, Coercer] = {
    "string": as_text,
    "number": as_number,
    "integer": as_integer,
    "boolean": as_boolean,
    "date": as_date,
    "date-time": as_date_time,
    "any": as_it_is,
}
