"""Read a sheet of a workbook as a Source: header, hidden rows and gaps; the parsing happens in another process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from batchrun.core.totals import counted
from batchrun.errors import BadInput
from batchrun.io.excel_process import Row, WorkbookProcess
from batchrun.io.excel_protocol import Request
from batchrun.io.local_file import LocalFile
from batchrun.io.sheet_header import (
    Columns,
    SkippedRows,
    blank_header,
    ignored_columns,
    plan_columns,
    rows_named,
)
from batchrun.io.source import SourceOptions
from batchrun.model import Cell, Number, SheetInfo, SourceRow, Unreadable, column_letters

_LONGEST_GAP = 1000


class ExcelSource:
    """A sheet of an .xlsx, .xlsm, .xlsb, .xls or .ods file as a Source."""

    def __init__(self, file: LocalFile, options: SourceOptions) -> None:
        self._file = file
        self._options = options
        self._request = Request(
            path=str(file.path.resolve()),
            name=file.name,
            sheet=options.sheet,
            double_read=options.double_read,
            max_size=options.max_size,
        )
        self._process = WorkbookProcess(self._request)
        self._facts = self._process.facts
        self._unread: Iterator[Row] | None = self._process.rows()
        try:
            self._open_table()
        except BaseException:
            self._process.close()
            raise

    def _open_table(self) -> None:
        assert self._unread is not None  # noqa: S101  nothing has been read yet
        number, cells = _header_row(self._unread, self._options.header_row, self._place())
        headers = [_header_text(cell, self._address(column, number)) for column, cell in enumerate(cells)]
        self._columns = plan_columns(headers, lambda column: self._address(column, number))
        self._info = SheetInfo(
            file_name=self._file.name,
            sheet=self._facts.sheet,
            header_row=number,
            header=self._columns.names,
            positions=self._columns.positions,
            ignored=self._columns.ignored,
        )
        self._hidden = [row for row in self._facts.hidden if row > number]
        self._blank, self._skipped = SkippedRows("blank row"), SkippedRows("hidden row")
        if self._hidden and self._options.hidden_rows in (None, "refuse"):
            raise self._hidden_rows_found()

    @property
    def info(self) -> SheetInfo:
        """Say where the rows come from."""
        return self._info

    @property
    def file(self) -> LocalFile:
        """Give the file that is read."""
        return self._file

    @property
    def columns(self) -> Columns:
        """Say what became of the header row's columns."""
        return self._columns

    @property
    def is_slow(self) -> bool:
        """Tell whether reading the rows once more takes long."""
        return True

    def rows(self) -> Iterator[SourceRow]:
        """Stream the data rows, by number; a later call reads the file anew."""
        self._blank, self._skipped = SkippedRows("blank row"), SkippedRows("hidden row")
        skipped = frozenset(self._hidden if self._options.hidden_rows == "skip" else ())
        previous = self._info.header_row
        for number, cells in self._data_rows():
            self._count_gap(previous, number)
            previous = number
            read = self._read(number, cells)
            if number in skipped:
                self._skipped.add(number)
            elif any(cell is not None for cell in read):
                yield SourceRow(number, read)
            else:
                self._blank.add(number)

    def notes(self) -> tuple[str, ...]:
        """Say what was skipped, dropped and ignored."""
        return (
            *self._facts.notes,
            *self._included(),
            *self._skipped.notes(),
            *self._blank.notes(),
            *ignored_columns(self._columns.ignored),
        )

    def close(self) -> None:
        """End the reading process, and delete the temporary copy if there is one."""
        self._process.close()
        self._file.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _place(self) -> str:
        return f"{self._file.name}!{self._facts.sheet}"

    def _address(self, column: int, row: int) -> str:
        return f"{self._place()}!{column_letters(column)}{row}"

    def _included(self) -> Iterator[str]:
        if self._hidden and self._options.hidden_rows == "include":
            count = len(self._hidden)
            yield f"{counted(count, 'hidden row')} read like all others ({rows_named(self._hidden, count)})."

    def _hidden_rows_found(self) -> BadInput:
        count = len(self._hidden)
        which = rows_named(self._hidden, count)
        return BadInput(
            f"{self._place()} has {counted(count, 'hidden row')} with data ({which}), hidden "
            "by hand or by a filter; write source.hidden_rows: include to read them, or skip to leave them out."
        )

    def _data_rows(self) -> Iterator[Row]:
        unread, self._unread = self._unread, None
        if unread is None:
            self._process.close()
            self._process = WorkbookProcess(self._request)
            header = self._info.header_row
            unread = (row for row in self._process.rows() if row[0] > header)
        return unread

    def _count_gap(self, previous: int, number: int) -> None:
        if number - previous - 1 > _LONGEST_GAP:
            raise BadInput(
                f"{self._place()} has values in row {number:,}, {number - previous - 1:,} blank rows below row "
                f"{previous:,}; delete the blank rows between if those values belong to the table, else delete them."
            )
        for blank in range(previous + 1, number):
            self._blank.add(blank)

    def _read(self, number: int, cells: Sequence[Cell]) -> tuple[Cell, ...]:
        width, positions = self._columns.width, self._columns.positions
        if len(positions) == len(cells):
            return tuple(cells)
        for column in (*self._columns.blank, *range(width, len(cells))):
            if column < len(cells) and not _is_vacant(cells[column]):
                raise blank_header(self._address(column, self._info.header_row), self._address(column, number))
        return tuple([cells[position] for position in positions])


def _header_row(rows: Iterator[Row], wanted: int | None, place: str) -> Row:
    for number, cells in rows:
        if wanted is None or number == wanted:
            return number, cells
        if number > wanted:
            break
    if wanted is None:
        raise BadInput(f"{place} is empty; it must have a header row and rows below it.")
    raise BadInput(f"{place} has nothing in row {wanted}, which source.header_row says holds the headers; correct it.")


def _header_text(cell: Cell, address: str) -> str:
    if _is_vacant(cell):
        return ""
    if isinstance(cell, Number):
        return format(cell.value, "f").zfill(cell.width)
    if isinstance(cell, Unreadable):
        raise BadInput(f"{address} should hold a header, but {cell.message}")
    return cell.isoformat(" ") if isinstance(cell, datetime) else str(cell)


def _is_vacant(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, Unreadable) and cell.code == "merged-cell")
