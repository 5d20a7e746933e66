"""The door to the report of a check: a marked copy of the user's own workbook, or a fresh one where that cannot be."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from batchrun.errors import BadCommandLine, CouldNotStart
from batchrun.io.excel_package import actual_paths, open_package, relations, workbook_kind
from batchrun.io.marked_fresh import Fresh, write_fresh
from batchrun.io.marked_package import Copied, SheetPlace, mark_package
from batchrun.io.marks import COLUMN, RowMarks, marks_of
from batchrun.io.source import OLE_MAGIC, ZIP_MAGIC, Source
from batchrun.io.whole_file import whole_file
from batchrun.io.xml_spans import CannotEditError, spans
from batchrun.model import Problem

_ANY_SIZE = 1 << 62  # whoever reads the rows has refused what is too large
_ENDINGS = {
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml": ".xlsx",
    "application/vnd.ms-excel.sheet.macroEnabled.main+xml": ".xlsm",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml": ".xltx",
    "application/vnd.ms-excel.template.macroEnabled.main+xml": ".xltm",
}


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """Where a report shall lie, and how it is made: `why_fresh` is None where the workbook itself is copied.

    `seen` tells the input as it was before its rows were read.
    """

    path: Path
    seen: tuple[int, int]
    why_fresh: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written: its place, what is marked in it, and in sentences what is particular about it."""

    path: Path
    cells: int
    rows: int
    notes: tuple[str, ...] = ()


def plan_report(path: Path, source: Source) -> ReportPlan:
    """Decide how the report is made; raise BadCommandLine where it cannot lie at this place."""
    target = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  a link that leads nowhere is to be seen as it is
    _refuse_taken(target, source)
    ending, why_fresh = _kind_of_copy(source)
    if target.suffix.lower() != ending:
        kind = "a fresh workbook" if why_fresh else f"a copy of {source.file.name}"
        raise BadCommandLine(
            f"--report: the report is {kind}, so its name must end in {ending}, not as {path.name} does"
        )
    return ReportPlan(target, _seen(source), why_fresh)


def write_report(
    plan: ReportPlan, source: Source, problems: Sequence[Problem], key: Sequence[int], sheet: str | int | None
) -> Report:
    """Write the report, whole or not at all; CouldNotStart where that cannot be.

    `key` holds the key's places in the header, and `sheet` is what the job calls the sheet.
    """
    marks = marks_of(problems, source.info)
    try:
        with whole_file(plan.path) as file:
            copied, notes = _write(plan, source, marks, _Names(tuple(key), sheet), file)
            _refuse_changed(plan, source)
            _refuse_taken(plan.path, source)
    except OSError as error:
        raise CouldNotStart(f"--report: {plan.path} could not be written ({error.strerror})") from None
    if copied.comments < copied.cells:
        notes.append(f"Only the first {copied.comments:,} marked cells have a comment; {COLUMN} tells every problem.")
    return Report(plan.path, copied.cells, sum(bool(one.notes) for one in marks.values()), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Names:
    key: tuple[int, ...]
    sheet: str | int | None


def _write(
    plan: ReportPlan, source: Source, marks: dict[int, RowMarks], names: _Names, file: BinaryIO
) -> tuple[Copied, list[str]]:
    why = plan.why_fresh
    if why is None:
        try:
            return _marked_copy(source, marks, file), []
        except CannotEditError as reason:
            why = f"{source.file.name} cannot be marked itself, since {reason}"
            if plan.path.suffix.lower() != ".xlsx":
                raise BadCommandLine(f"--report: {why}; name an .xlsx file, and its rows are written there") from None
            file.seek(0)
            file.truncate()
    copied, moved = _fresh_copy(plan, source, marks, names, file)
    notes = [f"{why}, so the report is a fresh workbook with its rows."]
    return copied, notes + (["Row numbers in the report differ from those of the file."] if moved else [])


def _marked_copy(source: Source, marks: dict[int, RowMarks], file: BinaryIO) -> Copied:
    package = open_package(source.file.path, source.file.name)
    with package.archive as archive:
        part = next((sheet.path for sheet in package.sheets if sheet.name == source.info.sheet), "")
        if not part or package.styles is None:
            raise CannotEditError("it has no cell styles of its own")
        column, is_new = _problems_column(source)
        place = SheetPlace(part, package.styles, source.info.header_row, column, is_new)
        return mark_package(archive, place, marks, file)


def _fresh_copy(
    plan: ReportPlan, source: Source, marks: dict[int, RowMarks], names: _Names, file: BinaryIO
) -> tuple[Copied, bool]:
    info, sheet, folder = source.info, names.sheet, plan.path.parent
    title = info.sheet or (sheet if isinstance(sheet, str) else "Rows")
    before = sheet - 1 if isinstance(sheet, int) else 0
    fresh = Fresh(info, title, before, is_text=info.sheet is None, guards=names.key)
    with tempfile.TemporaryFile(dir=folder) as plain:
        made = write_fresh(fresh, source.rows(), folder, plain)
        there = {made.moved.get(row, row): one for row, one in marks.items()}
        for (row, column), words in made.lost.items():
            there.setdefault(row, RowMarks()).cells[column] = [words]
        with zipfile.ZipFile(plain) as archive:
            return mark_package(archive, made.place, there, file), bool(made.moved)


def _problems_column(source: Source) -> tuple[int, bool]:
    """Give the place of an earlier report's column, else the first place right of the table."""
    columns = source.columns
    others = [place for place in range(columns.width) if place not in {*columns.positions, *columns.blank}]
    known = dict(zip(reversed(columns.ignored), reversed(others), strict=True)).get(COLUMN)
    return (max(*columns.positions, *others, -1) + 1, True) if known is None else (known, False)


def _kind_of_copy(source: Source) -> tuple[str, str | None]:
    """Give the ending that the report must have, and why it is no copy."""
    file = source.file
    if not file.head().startswith((ZIP_MAGIC, OLE_MAGIC)):
        return ".xlsx", f"{file.name} is text"
    kind = workbook_kind(file.path, file.name, _ANY_SIZE)
    if kind != "xlsx":
        return ".xlsx", f"{file.name} is an .{kind} file, which cannot be written again as it is"
    with open_package(file.path, file.name).archive as archive:
        return _ending(archive), None


def _ending(archive: zipfile.ZipFile) -> str:
    actual = actual_paths(archive)
    main = next((target for _, kind, target in relations(archive, actual, "") if kind == "officeDocument"), "")
    types = spans(archive.read(actual["[content_types].xml"]), {"Override"})
    found = (span.attributes for span in types)
    own = next((one.get("ContentType", "") for one in found if one.get("PartName", "").lstrip("/") == main), "")
    return _ENDINGS.get(own, ".xlsx")


def _refuse_taken(target: Path, source: Source) -> None:
    if not target.exists():
        if target.is_symlink():
            raise BadCommandLine(f"--report: {target} is a link that leads nowhere; name another file")
        return
    if target.samefile(source.file.path):
        raise BadCommandLine(f"--report: {target.name} is the sheet that is checked; name another file for the report")
    raise BadCommandLine(f"--report: there is a file {target} already, and it is not written over; name another one")


def _seen(source: Source) -> tuple[int, int]:
    state = source.file.path.stat()
    return state.st_size, state.st_mtime_ns


def _refuse_changed(plan: ReportPlan, source: Source) -> None:
    if _seen(source) != plan.seen:
        raise CouldNotStart(
            f"--report: {source.file.name} was changed while it was checked, so no report was written; check it again"
        )
