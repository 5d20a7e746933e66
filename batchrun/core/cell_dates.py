"""How a cell becomes a date or a date-time: from an Excel date, from ISO text, or from text in the declared form."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from batchrun.core.cell_terms import Fault, Reading, is_midnight, unreadable
from batchrun.model import Cell, Number, Unreadable

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ISO_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)


def as_date(cell: Cell, reading: Reading) -> Any:
    """Give an ISO 8601 date from an Excel date, ISO text, or text in the declared format."""
    if isinstance(cell, datetime):
        if not is_midnight(cell):
            return Fault("not-a-date", f"a date is expected, and this has a time of day ({cell.time().isoformat()})")
        return cell.date().isoformat()
    if isinstance(cell, str):
        return _date_in(cell, reading)
    if isinstance(cell, Number):
        return Fault("not-a-date", "this is a number, not a date; format the cell as a date in Excel")
    return unreadable(cell) if isinstance(cell, Unreadable) else Fault("not-a-date", "a date is expected")


def _date_in(text: str, reading: Reading) -> Any:
    if reading.date_format is not None:
        parsed = _by_format(text, reading.date_format)
        return parsed.date().isoformat() if parsed and is_midnight(parsed) else _no_date(reading)
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
        return unreadable(cell) if isinstance(cell, Unreadable) else Fault("not-a-date-time", "a date-time is expected")
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
