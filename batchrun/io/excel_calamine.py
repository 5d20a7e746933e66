"""Read sheets with calamine: the second opinion on .xlsx, and the only reader of .xls, .xlsb and .ods."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from batchrun.io.excel_numbers import FIRST_DATE, date_too_early, duration_cell, number_cell
from batchrun.io.excel_package import damaged, protected
from batchrun.io.excel_parts import decoded
from batchrun.model import Cell, Unreadable

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

Value = int | float | str | bool | time | date | datetime | timedelta
_ISO_DURATION = re.compile(r"PT\d+H\d+M[\d.,]+S")  # what calamine makes of durations in .ods files
_MILLISECOND = timedelta(milliseconds=1)
# Errors that Excel has had since 2018; calamine gives up on a whole sheet that holds one of them.
_NEWER_ERROR = re.compile(rb"<((?:\w+:)?v)>#(?!DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!|GETTING_DATA)[A-Z_/0-9]+[!?]?<")


@contextmanager
def plain_faults(name: str) -> Iterator[None]:
    """Turn calamine's errors into sentences."""
    from python_calamine import CalamineError, PasswordError

    try:
        yield
    except PasswordError:
        raise protected(name) from None
    except CalamineError as error:
        if "assword" in str(error):
            raise protected(name) from None
        raise damaged(name) from None


def open_workbook(path: Path, name: str) -> CalamineWorkbook:
    """Open a workbook of any kind."""
    from python_calamine import CalamineWorkbook

    with plain_faults(name):
        return CalamineWorkbook.from_path(path)


def second_reading(path: Path, name: str, sheet: str, part: str) -> CalamineSheet:
    """Read a sheet of an .xlsx file; one that holds newer errors is read from a copy that has older ones instead."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        return CalamineWorkbook.from_path(path).get_sheet_by_name(sheet)
    except CalamineError:
        with plain_faults(name):
            return CalamineWorkbook.from_filelike(_with_older_errors(path, part)).get_sheet_by_name(sheet)


def _with_older_errors(path: Path, part: str) -> io.BytesIO:
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            target.writestr(entry, _NEWER_ERROR.sub(rb"<\1>#N/A<", content) if entry.filename == part else content)
    copy.seek(0)
    return copy


def numbered_rows(sheet: CalamineSheet) -> Iterator[tuple[int, Sequence[Value]]]:
    """Stream all rows from the first on, each with its number and with its columns from A on."""
    # calamine pads the rows above the first that holds something, but not the columns left of it.
    left = [""] * (sheet.start[1] if sheet.start else 0)
    for number, values in enumerate(sheet.iter_rows(), 1):
        yield number, left + values if left else values


def agrees(cell: float | Cell, other: Value) -> bool:
    """Tell whether calamine's value is the one that the first reader has; refusals agree with anything."""
    if isinstance(cell, str):
        return isinstance(other, str) and (cell == other or cell == decoded(other))
    if isinstance(cell, bool) or isinstance(other, bool):
        return cell is other
    if isinstance(cell, float):
        return isinstance(other, int | float) and cell == other
    if isinstance(cell, datetime):
        return _is_same_moment(cell, other)
    return isinstance(cell, Unreadable) or (cell is None and other == "")


def _is_same_moment(moment: datetime, other: Value) -> bool:
    if isinstance(other, datetime):
        return abs(moment - other) <= _MILLISECOND
    return isinstance(other, date) and moment == datetime.combine(other, time())


def sole_reading(value: Value) -> Cell:
    """Turn calamine's value into a cell, where no other reader knows the format."""
    if isinstance(value, str):
        return duration_cell(value) if _ISO_DURATION.fullmatch(value) else value or None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return number_cell(float(value))
    if isinstance(value, time | timedelta):
        return duration_cell(str(value))
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment if moment >= FIRST_DATE else date_too_early(str(value))
