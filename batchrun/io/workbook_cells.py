"""How one value becomes the XML of one cell, exactly.

openpyxl blanks infinities, rounds decimals, makes formulas of text, and writes 4,500 rows of 25 columns a second
where this writes ten times as many; so openpyxl makes the workbook, and this the cells of its long sheets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from batchrun.io.workbook_text import compact_json, number_text, text_xml
from batchrun.model import DressedNumber, Number, Unreadable

Encoder = Callable[[Any], str]
"""Gives what follows a cell's reference (`<c r="A2"`), to the closing tag; the empty text where there is no cell."""

# The looks of cells: two words, and else number formats.
TEXT, WRAPPED = "text", "wrapped text"
DATE, DATE_TIME, SECONDS = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss", "0.00"
GENERAL, BOOLEAN = "General", '"TRUE";"TRUE";"FALSE"'  # LibreOffice would show booleans as 1 and 0
_EPOCH = datetime(1899, 12, 30)
_FIRST_SAFE_DAY = datetime(1900, 3, 1)  # before it Excel counts a 29 February 1900 that never was
_DAY = timedelta(days=1)
_EXACT = Decimal(10) ** 15
_GENERAL_DIGITS = 11  # Excel's General format shows longer numbers as 1.23E+11


def plain_number(value: Decimal) -> str | None:
    """Give the digits to write where 15 significant ones hold the value as it stands, else None."""
    if not value.is_finite() or abs(value) >= _EXACT:
        return None
    plain = format(value, "f")
    digits = plain.lstrip("-").replace(".", "").lstrip("0").rstrip("0" if "." in plain else "")
    return plain if len(digits) <= 15 and len(plain) < 300 else None


class CellEncoders:
    """The encoders of one workbook; `style` gives the number by which its cells name a look."""

    def __init__(self, style: Callable[[str], int]) -> None:
        self._style = style
        self._text, self._wrapped, self._boolean = (
            f' s="{style(TEXT)}" t="inlineStr"><is>',
            f' s="{style(WRAPPED)}" t="inlineStr"><is>',
            f' s="{style(BOOLEAN)}" t="b"><v>',
        )
        self._by_type: dict[type, Encoder] = {
            str: self.text,
            bool: lambda value: f"{self._boolean}{int(value)}</v></c>",
            int: lambda value: self._decimal(Decimal(value), ""),
            float: self._float,
            Decimal: lambda value: self._decimal(value, _own_places(value)),
            Number: self._number,
            DressedNumber: self._number,
            datetime: self.date,
            Unreadable: lambda value: self.text(value.shown),
            type(None): lambda _: "",
        }

    def styled(self, look: str) -> str:
        """Begin a cell of a look: a number format's code, TEXT or WRAPPED. What goes before `>` is still to come."""
        return f' s="{self._style(look)}"'

    def text(self, value: str) -> str:
        """Write text as text, whatever it looks like."""
        if not value:
            return ""
        # A cell of several lines is shown as such; Excel and LibreOffice then agree on the height of its row.
        return f"{self._wrapped if chr(10) in value else self._text}{text_xml(value)}</is></c>"

    def wrapped(self, value: str) -> str:
        """Write text that is shown whole, on as many lines as its column's width asks for."""
        return f"{self._wrapped}{text_xml(value)}</is></c>" if value else ""

    def any(self, value: Any) -> str:
        """Write a value by its type; objects and lists become compact JSON."""
        encode = self._by_type.get(type(value))
        return encode(value) if encode is not None else self.text(compact_json(value))

    def amount(self, decimals: int) -> Encoder:
        """Give the encoder of an amount column: numbers are shown with that many decimals."""
        shown = "#,##0" + ("." + "0" * decimals if decimals else "")

        def encode(value: Any) -> str:
            if isinstance(value, Number) and not value.width:
                return self._decimal(value.value, shown)
            return self.any(value)

        return encode

    def date(self, value: datetime) -> str:
        """Write a naive date as an Excel date; an aware one, or one that Excel cannot count, as ISO text."""
        if value.tzinfo is not None or value < _FIRST_SAFE_DAY:
            return self.text(value.isoformat())
        midnight = not (value.hour or value.minute or value.second or value.microsecond)
        if midnight:
            return self._styled(str((value - _EPOCH).days), DATE)
        return self._styled(repr((value - _EPOCH) / _DAY), DATE_TIME)

    def moment(self, value: datetime | None) -> str:
        """Write an aware time as an Excel date in UTC."""
        if value is None:
            return ""
        naive = value.astimezone(UTC).replace(tzinfo=None)
        return self._styled(repr((naive - _EPOCH) / _DAY), DATE_TIME)

    def seconds(self, value: float | None) -> str:
        """Write a duration in seconds, to the hundredth."""
        return "" if value is None else self._styled(repr(round(value, 3)), SECONDS)

    def _number(self, number: Number) -> str:
        if number.width:
            plain = plain_number(number.value)
            return self.text(number_text(number)) if plain is None else self._styled(plain, "0" * number.width)
        return self._decimal(number.value, "")

    def _decimal(self, value: Decimal, shown: str) -> str:
        plain = plain_number(value)
        if plain is None:
            return self.text(format(value, "f"))
        return self._styled(plain, shown or _long_format(plain))

    def _float(self, value: float) -> str:
        return self._decimal(Decimal(repr(value)), "") if math.isfinite(value) else self.text(repr(value))

    def _styled(self, digits: str, shown: str) -> str:
        return f' s="{self._style(shown or GENERAL)}"><v>{digits}</v></c>'


def _own_places(value: Decimal) -> str:
    exponent = value.as_tuple().exponent
    return "0." + "0" * -exponent if isinstance(exponent, int) and -15 <= exponent < 0 else ""


def _long_format(plain: str) -> str:
    if len(plain) < _GENERAL_DIGITS:
        return ""
    whole, _, places = plain.partition(".")
    if places:
        return "0." + "0" * len(places) if len(places) <= 15 else ""
    return "0" if len(whole.lstrip("-")) > _GENERAL_DIGITS else ""
