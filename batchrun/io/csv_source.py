"""Read CSV as a stream of text cells, strictly and with the file's own line numbers."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from types import TracebackType
from typing import Self

from batchrun.core.totals import counted
from batchrun.errors import BadInput
from batchrun.io.csv_delimiter import read_layout
from batchrun.io.csv_text import physical_lines, text_encoding
from batchrun.io.local_file import LocalFile
from batchrun.io.sheet_header import Columns, SkippedRows, blank_header, ignored_columns, plan_columns
from batchrun.io.source import SourceOptions
from batchrun.model import RowFault, SheetInfo, SourceRow, column_letters

Pick = Callable[[Sequence[str]], tuple[str, ...]]


class CsvSource:
    """A CSV file as a Source; its cells are text exactly as stored, and the empty text is an empty cell."""

    def __init__(self, file: LocalFile, options: SourceOptions) -> None:
        self._file = file
        self._encoding = text_encoding(file, options.encoding)
        layout = read_layout(file, self._encoding, options.header_row, options.delimiter, options.columns_needed)
        self._layout = layout
        self._columns = plan_columns(layout.headers, lambda position: self._address(position, layout.header_line))
        self._pick = _picker(self._columns)
        self._blank = SkippedRows("blank row")
        self._unused = ("source.sheet was not used: a CSV file has no sheets.",) if options.sheet is not None else ()
        self._info = SheetInfo(
            file_name=file.name,
            sheet=None,
            header_row=layout.header_line,
            header=self._columns.names,
            positions=self._columns.positions,
            ignored=self._columns.ignored,
        )

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
        return False

    def rows(self) -> Iterator[SourceRow]:
        """Stream the data rows; a row's number is the physical line on which it begins."""
        self._blank = SkippedRows("blank row")
        before, width, pick = self._layout.header_line - 1, self._columns.width, self._pick
        with physical_lines(self._file, self._encoding, before) as lines:
            # The csv module, not pandas: pandas cannot say on which line a row begins or that a quote never ends.
            reader = csv.reader(lines, delimiter=self._layout.delimiter, strict=True)
            line = before + 1
            try:
                next(reader, None)
                line = before + reader.line_num + 1
                for cells in reader:
                    if not any(cells):
                        self._blank.add(line)
                    elif len(cells) == width:
                        yield SourceRow(line, pick(cells))
                    else:
                        yield self._misshapen(line, cells)
                    line = before + reader.line_num + 1
            except csv.Error as error:
                raise self._broken(line, str(error)) from None
            except BlankHeaderError as error:
                raise blank_header(
                    self._address(error.position, self._layout.header_line), self._address(error.position, line)
                ) from None

    def notes(self) -> tuple[str, ...]:
        """Say what was skipped, dropped and ignored."""
        return (*self._unused, *self._blank.notes(), *ignored_columns(self._columns.ignored))

    def close(self) -> None:
        """Delete the temporary copy, if there is one."""
        self._file.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _address(self, position: int, line: int) -> str:
        return f"{self._file.name}!{column_letters(position)}{line}"

    def _misshapen(self, line: int, cells: Sequence[str]) -> SourceRow:
        width = self._columns.width
        there = counted(len(cells), "cell")
        if len(cells) < width:
            padded = (*cells, *[""] * (width - len(cells)))
            message = f"the row has {there}, but the header has {width}; add what is missing, or its delimiters."
            return SourceRow(line, self._pick(padded), (RowFault("too-few-cells", message),))
        message = (
            f"the row has {there}, but the header has {width}; remove what is too much, "
            "or put the cell that holds a delimiter into quotation marks."
        )
        return SourceRow(line, self._pick(cells[:width]), (RowFault("too-many-cells", message),))

    def _broken(self, line: int, reason: str) -> BadInput:
        place = f"{self._file.name}!{line}"
        if "unexpected end" in reason:
            return BadInput(f"{place}: a quotation mark opens in this row and is never closed; close it, or double it.")
        if "field larger" in reason:
            return BadInput(
                f"{place}: a cell of this row is longer than {csv.field_size_limit():,} characters; "
                "most often a quotation mark is not closed."
            )
        return BadInput(
            f"{place}: text follows a closing quotation mark in this row; double a quotation mark that is text."
        )


class BlankHeaderError(Exception):
    """A cell holds data where its column has no header."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def _picker(columns: Columns) -> Pick:
    """Give the function that takes the columns to read out of a row's cells, as quickly as it can be done."""
    if columns.width == len(columns.positions):
        return tuple
    chosen: Pick = itemgetter(*columns.positions)
    if len(columns.positions) == 1:
        only = columns.positions[0]
        chosen = lambda cells: (cells[only],)  # noqa: E731  a def would need a second name
    return _guarded(chosen, columns.blank) if columns.blank else chosen


def _guarded(pick: Pick, blank: Sequence[int]) -> Pick:
    def guarded(cells: Sequence[str]) -> tuple[str, ...]:
        for position in blank:
            if cells[position]:
                raise BlankHeaderError(position)
        return pick(cells)

    return guarded
