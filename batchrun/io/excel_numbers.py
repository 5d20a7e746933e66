"""Turn the numbers that Excel stores into what a sheet shows: decimals, dates, and refusals to guess."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from batchrun.model import DressedNumber, Number, Unreadable

FormatKind = Literal["number", "date", "time", "duration", "regional"]

_FIRST_ROUNDED = 1e15  # from here on a whole number has 16 digits, and Excel keeps 15
_DAY_MS = 86_400_000
FIRST_DATE = datetime(1900, 3, 1)
_FIRST_DATE_1900 = 61.0  # that day's number: Excel counts a 29 February 1900 that never was
_LAST_DATE = datetime(9999, 12, 31, 23, 59, 59, 999_000)
_EPOCH_1900, _EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)
_ULPS = 16.0  # how far sums of dates and times drift from the millisecond that they mean

_FINER = re.compile(r"[.,]\d{3}\d*[1-9]", re.ASCII)  # than a millisecond, in ISO text
_LITERAL = re.compile(r'"[^"]*"?|\\.|_.|\*.|\[(?!hh?\]|mm?\]|ss?\])[^\]]*\]', re.IGNORECASE | re.DOTALL)
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_ERA = re.compile(r"^[^0#?]*[egb][^0#?]*$")
_CLOCK = re.compile(r"[hs]|am/pm|a/p", re.IGNORECASE)
_TOKENS = re.compile(r'"[^"]*"?|\\.|_.|\*.|\[[^\]]*\]|.', re.DOTALL)
_UNSEEN = re.compile(r"_.|\*.|\[(?!\$[^-\]]|DBNum)[^\]]*\]", re.IGNORECASE | re.DOTALL)  # colours, languages, padding
_ZEROS = re.compile(r"-?(0*)")
# What an identifier is dressed with: letters and digits, zeros with other signs, parts set apart, percent, thousands.
_DRESS = re.compile(
    r'"[^"]*[^\W_][^"]*"|\\[^\W_]|\[DBNum|^[^.#?eE]*0[^.#?eE]*0'
    r'|[0#](?:\\?[-/() ]|\\\.|"[^"]*")+[0#]|%|[0#],+(?![0#?,])',
    re.IGNORECASE,
)

_BUILT_IN = {
    1: "0",
    9: "0%",
    10: "0.00%",
    **dict.fromkeys((14, 15, 16, 17), "d"),
    **dict.fromkeys((18, 19, 20, 21, 45, 47), "h:mm:ss"),
    22: "d h:mm",
    46: "[h]:mm:ss",
}
_REGIONAL = frozenset((*range(27, 37), *range(50, 59)))  # dates in Chinese, Japanese, Korean and Thai Excel only


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """What a cell's number format makes of a number; `width` is as in `Number`."""

    kind: FormatKind = "number"
    width: int = 0
    dressed: bool = False


GENERAL = NumberFormat()


def built_in_format(number: int) -> NumberFormat:
    """Give the format that a file names by number only."""
    if number in _REGIONAL:
        return NumberFormat("regional")
    return read_format(_BUILT_IN.get(number, "General"))


def read_format(code: str) -> NumberFormat:
    """Tell what a number format's code shows."""
    # The literals go first: a semicolon within quotation marks parts no sections.
    kind = _kind(_LITERAL.sub("", code).split(";", 1)[0].lower())
    if kind != "number":
        return NumberFormat(kind)
    sections = [_UNSEEN.sub("", section) for section in _sections(code)]
    zeros = [found[1] for section in sections[:3] if (found := _ZEROS.fullmatch(section))]
    if sections[0] and len(zeros) == len(sections[:3]) and set(zeros) <= {zeros[0], ""}:
        return NumberFormat("number", len(zeros[0]))
    return NumberFormat("number", dressed=_DRESS.search(sections[0]) is not None)


def _sections(code: str) -> list[str]:
    sections = [""]
    for part in _TOKENS.findall(code):
        if part == ";":
            sections.append("")
        else:
            sections[-1] += part
    return sections


def _kind(shown: str) -> FormatKind:
    if "general" in shown:
        return "number"
    if _ELAPSED.search(shown):
        return "duration"
    clock = _CLOCK.search(shown) is not None
    rest = shown.replace("am/pm", "").replace("a/p", "")
    if "y" in rest or "d" in rest or ("m" in rest and not clock) or _ERA.search(rest):
        return "date"
    return "time" if clock else "number"


def number_cell(value: float, width: int = 0, *, dressed: bool = False) -> Number | Unreadable:
    """Give the shortest decimal of at most 15 significant digits, which is what Excel shows."""
    if -_FIRST_ROUNDED < value < _FIRST_ROUNDED:
        text = format(value, ".15g")
        exact = Decimal(text) if text != "-0" else Decimal(0)
        return DressedNumber(exact) if dressed else Number(exact, width)
    if not math.isfinite(value):
        return Unreadable("not-a-number", "the cell holds no number that can be written down; correct it.", str(value))
    return Unreadable(
        "too-many-digits",
        "the number has 16 digits or more, and Excel keeps only 15 of them; "
        "format the column as text and enter or import the value again.",
        format(Decimal(value), "f")[:80],
    )


def dated_cell(serial: float, number_format: NumberFormat, *, since_1904: bool) -> datetime | Unreadable:
    """Give the moment that a serial number means under a format that is not plain."""
    if number_format.kind == "regional":
        return Unreadable(
            "regional-format",
            "the cell's format shows a date in some language versions of Excel and a number in others; "
            "give it a plain date or number format.",
            repr(serial),
        )
    if number_format.kind != "date":
        return duration_cell(repr(serial))
    return _moment(serial, since_1904=since_1904)


def _moment(serial: float, *, since_1904: bool) -> datetime | Unreadable:
    # In the 1904 system the number 0 is a date, but one that only empty cells and times of day have.
    earliest, epoch = (1.0, _EPOCH_1904) if since_1904 else (_FIRST_DATE_1900, _EPOCH_1900)
    if not serial >= earliest:
        return date_too_early(repr(serial))
    milliseconds = round(serial * _DAY_MS) if serial < 4_000_000 else math.inf
    if milliseconds > (_LAST_DATE - epoch) / timedelta(milliseconds=1):
        return Unreadable("date-too-late", "the date lies after the year 9999; enter the right date.", repr(serial))
    if abs(serial - milliseconds / _DAY_MS) > _ULPS * math.ulp(serial):
        return time_too_fine(repr(serial))
    return epoch + timedelta(milliseconds=int(milliseconds))


def iso_cell(text: str) -> datetime | Unreadable:
    """Give the moment of a cell that stores its date as ISO 8601 text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        if text.startswith(("T", "PT")):
            return duration_cell(text[:80])
        return Unreadable("damaged-cell", "the cell holds a date that cannot be read; enter it again.", text[:80])
    if moment.tzinfo is not None:
        return Unreadable(
            "damaged-cell", "the cell holds a date with a time zone, which Excel does not show; enter it again.", text
        )
    if moment < FIRST_DATE:
        return date_too_early(text)
    return time_too_fine(text) if _FINER.search(text) else moment


def duration_cell(shown: str) -> Unreadable:
    """Refuse a time of day or a duration."""
    return Unreadable(
        "duration",
        "the cell shows a time of day or a duration, not a date; enter date and time together, or the value as text.",
        shown,
    )


def time_too_fine(shown: str) -> Unreadable:
    """Refuse a time that would have to be rounded."""
    return Unreadable(
        "time-too-fine",
        "the time has fractions finer than a millisecond, which a reader would have to round; "
        "round it in Excel or enter it again.",
        shown,
    )


def date_too_early(shown: str) -> Unreadable:
    """Refuse a date from before Excel's calendar is right."""
    return Unreadable(
        "date-too-early",
        "the date lies before 1 March 1900 (in workbooks from older Macs: 2 January 1904), where Excel's calendar "
        "cannot be trusted; enter the right date, or text.",
        shown,
    )
