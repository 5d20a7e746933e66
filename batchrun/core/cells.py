"""How a cell becomes a value: one coercer a type. The schema asks, the cell answers, and nothing is guessed.

Values are what JSON can hold: text, bool, int, Decimal, None. A cell that does not answer gives a Fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple

from batchrun.model import Cell, DressedNumber, Number, Unreadable

VALUE_LENGTH = 80
MOST_DIGITS = 15


class Fault(NamedTuple):
    """Why a cell gives no value: a stable code, and what to do in words."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How one column is read, beyond its type."""

    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None
    zone: tzinfo | None = None
    blanks: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_plain(self) -> bool:
        """Tell whether numbers are written as JSON writes them."""
        return self.thousands is None and self.decimal == "."


Coercer = Callable[[Cell, Reading], Any]

_DAMAGED = re.compile("[\x00\x80-\x9f\ufffd\ud800-\udfff]")
_SCIENTIFIC = re.compile(r"[-+]?\d(?:[.,]\d+)?E[+-]\d+", re.ASCII)
_PLAIN_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ISO_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)
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
        return cell.date().isoformat() if _is_midnight(cell) else cell.isoformat(sep=" ")
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


def cut(text: str) -> str:
    """Cut a value to 80 characters for a message."""
    return text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 1] + "…"


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
    return _unreadable(cell)


def is_plain_text(text: str) -> bool:
    """Tell, of the most of texts and quickly, that nothing in them can be damaged or shortened."""
    return text.isascii() and "E" not in text and "\0" not in text


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
    return _unreadable(cell)


def _number_in(text: str, reading: Reading) -> Any:
    if reading.is_plain and _PLAIN_NUMBER.fullmatch(text):
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
        return _unreadable(cell)
    return Fault(
        "not-a-boolean",
        "neither true nor false; say what it means, as in `map: {Y: true, N: false}`",
    )


def as_date(cell: Cell, reading: Reading) -> Any:
    """Give an ISO 8601 date from an Excel date, ISO text, or text in the declared format."""
    if isinstance(cell, datetime):
        if not _is_midnight(cell):
            return Fault("not-a-date", f"a date is expected, and this has a time of day ({cell.time().isoformat()})")
        return cell.date().isoformat()
    if isinstance(cell, str):
        return _date_in(cell, reading)
    if isinstance(cell, Number):
        return Fault("not-a-date", "this is a number, not a date; format the cell as a date in Excel")
    return _unreadable(cell) if isinstance(cell, Unreadable) else Fault("not-a-date", "a date is expected")


def _date_in(text: str, reading: Reading) -> Any:
    if reading.date_format is not None:
        parsed = _by_format(text, reading.date_format)
        return parsed.date().isoformat() if parsed and _is_midnight(parsed) else _no_date(reading)
    if _ISO_DATE.fullmatch(text):
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            return Fault("not-a-date", "no day of the calendar")
    return _no_date(reading)


def _no_date(reading: Reading) -> Fault:
    if reading.date_format is not None:
        return Fault("not-a-date", f"not a date in the form {reading.date_format}")
    return Fault(
        "not-a-date",
        "not a date such as 2026-10-31; declare its form, as in `date_format: '%d/%m/%Y'`",
    )


def _by_format(text: str, date_format: str) -> datetime | None:
    try:
        return datetime.strptime(text, date_format) if text.isascii() else None
    except ValueError:
        return None


def as_date_time(cell: Cell, reading: Reading) -> Any:
    """Give an ISO 8601 date-time with its zone; without one in the cell, `timezone:` says which."""
    if isinstance(cell, datetime):
        return _zoned(cell, reading)
    if not isinstance(cell, str):
        return (
            _unreadable(cell) if isinstance(cell, Unreadable) else Fault("not-a-date-time", "a date-time is expected")
        )
    if reading.date_format is not None:
        parsed = _by_format(cell, reading.date_format)
        return _zoned(parsed, reading) if parsed else _no_date(reading)
    match = _ISO_DATE_TIME.fullmatch(cell)
    try:
        parsed = datetime.fromisoformat(cell.upper().replace("Z", "+00:00")) if match else None
    except ValueError:
        parsed = None
    if parsed is None:
        return Fault("not-a-date-time", "not a date-time such as 2026-10-31T14:30:00+01:00")
    return _zoned(parsed, reading)


def _zoned(moment: datetime, reading: Reading) -> Any:
    if moment.tzinfo is not None:
        return moment.isoformat()
    if reading.zone is None:
        return Fault("no-time-zone", "the date-time has no zone; declare it, as in `timezone: Europe/Berlin`")
    early, late = (moment.replace(tzinfo=reading.zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        return Fault("ambiguous-time", f"the clocks change at {moment.isoformat(sep=' ')}, so this time is not certain")
    return early.isoformat()


def as_it_is(cell: Cell, reading: Reading) -> Any:
    """Give the cell's own type, where the schema asks for none or for several."""
    for kind, coercer in ((bool, as_boolean), (str, as_text), (Number, as_number), (datetime, as_date)):
        if isinstance(cell, kind):
            return coercer(cell, reading)
    return _unreadable(cell)


def _unreadable(cell: Cell) -> Fault:
    if isinstance(cell, Unreadable):
        return Fault(cell.code, cell.message)
    return Fault("empty", "the cell is empty")


def _is_midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)


COERCERS: Mapping[str, Coercer] = {
    "string": as_text,
    "number": as_number,
    "integer": as_integer,
    "boolean": as_boolean,
    "date": as_date,
    "date-time": as_date_time,
    "any": as_it_is,
}
