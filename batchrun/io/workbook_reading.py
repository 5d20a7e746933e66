"""Reads a results workbook back: which batch, what was typed, how it was laid out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from batchrun.errors import BadDecisions, NotFound
from batchrun.io.doubts_sheet import DoubtTyped, typed_doubts
from batchrun.io.excel_package import open_package
from batchrun.io.excel_process import Row, WorkbookProcess
from batchrun.io.excel_protocol import Request
from batchrun.io.excel_rows import is_covered
from batchrun.io.sheet_header import header_name
from batchrun.io.temporary_copy import TemporaryCopy
from batchrun.io.workbook_name import batch_in
from batchrun.io.workbook_opening import LARGEST, most_unpacked, opened_workbook, plain_damage, refuse_other_files
from batchrun.io.workbook_results_layout import ROW, Layout, Table, results_layout
from batchrun.io.workbook_text import number_text
from batchrun.model import Cell, Number, Unreadable, column_letters

_RESULTS = re.compile(r"Results(?: ([2-9]|[1-9]\d+))?")
_OURS = re.compile(r"(?:Results|Problems)(?: (?:[2-9]|[1-9]\d+))?|Summary|Doubts")
_SEARCHED_LINES = 20  # somebody may have put a title above the header
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class TypedRow:
    """One line of a Results sheet as it stands in the file.

    `number` is what `_row` holds, None where that is no whole number. `cells` holds every filled cell whose column
    has a header, by that header; of two columns with one header the first.
    """

    sheet: str
    line: int
    number: int | None
    cells: Mapping[str, Cell]


class _Reading(NamedTuple):
    """A Results sheet that is being read: its table, and its lines below the header."""

    table: Table
    process: WorkbookProcess
    lines: Iterator[Row]


class WorkbookCopy:
    """A results workbook as it stood when it was opened; a context manager, since it holds a private copy."""

    def __init__(self, copy: TemporaryCopy, name: str, sha256: str) -> None:
        self.path = copy.path
        self.name = name
        self.sha256 = sha256
        self._held = ExitStack()
        self._held.callback(copy.release)
        try:
            self._look_over()
        except BaseException:
            self.close()
            raise

    def _look_over(self) -> None:
        refuse_other_files(self.path, self.name)
        with plain_damage(self.name):
            package = open_package(self.path, self.name)
            package.archive.close()
        self.titles = tuple(sheet.name for sheet in package.sheets)
        self._results = [sheet.name for sheet in package.sheets if sheet.has_rows and _RESULTS.fullmatch(sheet.name)]
        if "Results" not in self._results:
            raise NotFound(f"{self.name} has no sheet Results, so it is no results workbook of batchrun")
        with opened_workbook(self.path, self.name) as workbook:
            self.batch = batch_in(workbook)
            self._doubts = typed_doubts(workbook)
            self.names = {str(name): str(defined.attr_text) for name, defined in workbook.defined_names.items()}
        self._results.sort(key=_sheet_number)
        self._begun: dict[str, _Reading] = {}
        self._begun["Results"] = self._begin("Results")
        self._tables = {"Results": self._begun["Results"].table}
        self.header = tuple(name for name in self._tables["Results"].names if name)

    def tables(self) -> tuple[Table, ...]:
        """Give the tables of all Results sheets; a sheet without any column of batchrun's own is none of them."""
        tables = [self._table(sheet) for sheet in self._results]
        return tuple(table for table in tables if table.sheet == "Results" or _has_own_columns(table.names))

    def rows(self) -> Iterator[TypedRow]:
        """Stream the filled lines below the headers, in the file's order; a later call reads anew."""
        for table in self.tables():
            yield from self._rows(table.sheet)

    def address(self, sheet: str, line: int, column_name: str) -> str:
        """Name a cell by its column's header: `payouts.results.xlsx!Results!Q14`; the row where there is none such."""
        position = self._table(sheet).places().get(header_name(column_name))
        return f"{self.name}!{sheet}!{'' if position is None else column_letters(position)}{line}"

    def layout(self, known: Collection[str] = ()) -> Layout:
        """Give how the Results sheets are laid out, with the stored cells of the columns that are not `known`."""
        with plain_damage(self.name):
            return results_layout(self.path, self.name, self.tables(), known)

    def doubts(self) -> dict[int, DoubtTyped]:
        """Give what was typed on the Doubts sheet, by the source's row number, nothing checked."""
        return dict(self._doubts)

    def extra_sheets(self) -> tuple[str, ...]:
        """Name the sheets that batchrun did not write, in their order."""
        results = {table.sheet for table in self.tables()}
        return tuple(
            title for title in self.titles if title not in results and (title in self._results or not _is_ours(title))
        )

    def _table(self, sheet: str) -> Table:
        if sheet not in self._tables:
            reading = self._begin(sheet)
            reading.process.close()
            self._tables[sheet] = reading.table
        return self._tables[sheet]

    def _rows(self, sheet: str) -> Iterator[TypedRow]:
        reading = self._begun.pop(sheet, None) or self._begin(sheet)
        places = reading.table.places()
        try:
            with plain_damage(self.name):
                for line, cells in reading.lines:
                    if not all(cell is None or is_covered(cell) for cell in cells):
                        yield _typed_row(sheet, line, cells, places)
        finally:
            reading.process.close()

    def _begin(self, sheet: str) -> _Reading:
        with plain_damage(self.name):
            process = WorkbookProcess(Request(str(self.path), self.name, sheet, max_size=most_unpacked(self.path)))
            self._held.callback(process.close)
            lines = process.rows()
            first = list(islice(lines, _SEARCHED_LINES))
        if not first:
            raise NotFound(f"{self.name}!{sheet} is empty; batchrun writes its headers in the first line")
        above = next((count for count, (_, cells) in enumerate(first) if _has_own_columns(_names(cells))), 0)
        line, cells = first[above]
        table = Table(sheet, line, _names(cells))
        self._refuse_own_column_twice(table)
        return _Reading(table, process, chain(first[above + 1 :], lines))

    def _refuse_own_column_twice(self, table: Table) -> None:
        first: dict[str, int] = {}
        faults = []
        for position, name in enumerate(table.names):
            earlier = first.setdefault(name, position)
            if earlier != position and name.startswith("_"):
                places = [f"{self.name}!{table.sheet}!{column_letters(at)}{table.line}" for at in (earlier, position)]
                faults.append(f'the header "{name}" stands twice, in {places[0]} and in {places[1]}; delete one column')
        if faults:
            raise BadDecisions(faults)

    def close(self) -> None:
        """End what still reads, and delete the private copy."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_copy(path: Path) -> WorkbookCopy:
    """Open a private copy of a results workbook, so that what is read is what was there, whoever saves it meanwhile.

    NotFound where there is no such file, or it is no results workbook; BadDecisions where one of batchrun's own columns
    stands in it twice.
    """
    if not path.is_file():
        raise NotFound(f"there is no workbook at {path}")
    copy = TemporaryCopy("copy", ".xlsx")
    try:
        with copy.path.open("wb") as target:
            sha256 = _copied(path, target)
    except BaseException:
        copy.release()
        raise
    return WorkbookCopy(copy, path.name, sha256)


def _copied(path: Path, target: BinaryIO) -> str:
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as source:
            while block := source.read(_BLOCK):
                size += len(block)
                if size > LARGEST:
                    raise NotFound(f"{path.name} is larger than {LARGEST >> 20} MB, so it is no workbook of batchrun's")
                digest.update(block)
                target.write(block)
    except OSError as error:
        raise NotFound(f"{path.name} cannot be read ({error.strerror}); close it in other programs") from None
    return digest.hexdigest()


def _sheet_number(title: str) -> int:
    return int(title.partition(" ")[2] or 1)


def _is_ours(title: str) -> bool:
    return _OURS.fullmatch(title) is not None


def _has_own_columns(names: Iterable[str]) -> bool:
    return any(name.startswith("_") for name in names)


def _names(cells: Sequence[Cell]) -> tuple[str, ...]:
    return tuple(header_name(_text(cell)) for cell in cells)


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case Number():
            return number_text(cell)
        case Unreadable():
            return cell.shown
        case datetime():
            return cell.isoformat(" ")
        case _:
            return str(cell)


def _typed_row(sheet: str, line: int, cells: Sequence[Cell], places: Mapping[str, int]) -> TypedRow:
    filled = {
        name: cells[position]
        for name, position in places.items()
        if position < len(cells) and cells[position] is not None and cells[position] != ""
    }
    return TypedRow(sheet, line, whole_number(filled.get(ROW)), filled)


def whole_number(cell: Cell) -> int | None:
    """Give the whole number that a cell holds, also where it was typed as text; else None."""
    if isinstance(cell, Number):
        return int(cell.value) if cell.value == cell.value.to_integral_value() else None
    if isinstance(cell, str) and cell.strip().isascii() and cell.strip().isdigit():
        return int(cell)
    return None
