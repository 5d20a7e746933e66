"""How a cell becomes a date or a date-time: from an Excel date, from ISO text, or from text in the declared form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from batchrun.core.cell_terms import Fault, Reading, is_midnight, unreadable
from batchrun.core.date_forms import forms_of
from batchrun.model import Cell, Number, Unreadable

WAY_ON = "; correct the cell"

_NO_DAY = Fault("not-a-date", f"the calendar has no such day{WAY_ON}")
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
        return parsed.date().isoformat() if parsed and is_midnight(parsed) else _unlike(text, reading.date_format)
    if _ISO_DATE.fullmatch(text):
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            return _NO_DAY
    return _no_date(text)


def _unlike(text: str, date_format: str) -> Fault:
    """Say that a text has not the declared form, or no day."""
    return _NO_DAY if forms_of(text) == () else Fault("not-a-date", f"not a date in the form {date_format}{WAY_ON}")


def _no_date(text: str) -> Fault:
    """Say that a text is no date, and by which forms it would be one."""
    forms = forms_of(text)
    if forms == ():
        return _NO_DAY
    if forms and not is_midnight(datetime.strptime(text, forms[0])):
        forms = None
    return Fault("not-a-date", f"not a date such as 2026-10-31{WAY_ON}{_declared(forms)}")


def _declared(forms: Sequence[str] | None) -> str:
    """Say which forms may be declared, where there are any."""
    if not forms:
        return ""
    named = " or ".join(f"`date_format: '{form}'`" for form in forms)
    if len(forms) == 1:
        return f", or declare its form: {named}"
    return f", or declare which form is meant, {'both are' if len(forms) == 2 else 'each is'} possible: {named}"


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
        return _zoned(parsed, reading) if parsed else _unlike(cell, reading.date_format)
    match = _ISO_DATE_TIME.fullmatch(cell)
    try:
        parsed = datetime.fromisoformat(cell.upper().replace("Z", "+00:00")) if match else None
    except ValueError:
        parsed = None
    if parsed is None:
        forms = [form for form in forms_of(cell) or () if "%H" in form]
        said = f"{WAY_ON}{_declared(forms)}" if forms else ""
        return Fault("not-a-date-time", f"not a date-time such as 2026-10-31T14:30:00+01:00{said}")
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
