"""Writes a sheet's rows as a fresh workbook, for a source that cannot be copied: each row in its own row number.

What a cell of a sheet cannot hold as it stands becomes an error cell: nothing may pass that nobody has corrected.
"""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from batchrun.core.cells import cut, shown
from batchrun.errors import CouldNotStart
from batchrun.io.marked_package import SheetPlace
from batchrun.io.workbook_cells import TEXT, WRAPPED, CellEncoders
from batchrun.io.workbook_style import SOURCE_HEADER, Styles, Widths, font, head, set_widths
from batchrun.io.workbook_text import LONGEST
from batchrun.model import Cell, SheetInfo, SourceRow, Unreadable, column_letters

AS_TYPED = "@"  # what somebody types into such a cell stays as typed: 00124 does not become 124
ERRORS = ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A")

_STYLES = "xl/styles.xml"
_NO_ROWS = re.compile(rb"<sheetData\s*/>|<sheetData>.*?</sheetData>", re.DOTALL)
_BAD_TITLE = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_LONGEST_GAP, _LAST_ROW = 1000, 1_048_576
_ROOM = 2 * LONGEST  # bytes in UTF-16
_CHUNK, _ROWS_A_WRITE = 1 << 20, 500
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True)
class Fresh:
    """How the workbook is to be: the sheet's name, how many empty sheets stand before it, and whether all is text.

    `guards` are the header's places of the cells that become errors in a row whose shape is broken, since otherwise
    nothing would tell it from a sound one.
    """

    info: SheetInfo
    title: str
    sheets_before: int
    is_text: bool
    guards: Sequence[int]


@dataclass(frozen=True, slots=True)
class Written:
    """Where the table lies in a fresh workbook, and what is not as in the source.

    `moved` has the new number of each row that could not keep its own; `lost` says by row and column what a cell held
    that is an error now.
    """

    place: SheetPlace
    moved: dict[int, int]
    lost: dict[tuple[int, int], str]


def write_fresh(fresh: Fresh, rows: Iterable[SourceRow], folder: Path, sink: BinaryIO) -> Written:
    """Write the workbook to `sink`; `folder` is for a temporary file."""
    from openpyxl import Workbook

    workbook = Workbook()
    styles = _OwnStyles(workbook)
    encoders = CellEncoders(styles.number)
    sheet = _sheet(workbook, fresh)
    with tempfile.TemporaryFile(dir=folder) as spool:
        body = _Body(fresh, encoders, styles, spool)
        body.write(rows)
        _dress(sheet, fresh, body.widths)
        frame = io.BytesIO()
        workbook.save(frame)
        part = sheet.path.lstrip("/")
        _splice(frame, part, spool, sink)
    column = max(fresh.info.positions) + 1
    return Written(SheetPlace(part, _STYLES, fresh.info.header_row, column, is_new=True), body.moved, body.lost)


class _OwnStyles:
    """The results workbook's looks, but text cells stay text whatever is typed into them."""

    def __init__(self, workbook: Any) -> None:
        from openpyxl.cell.cell import WriteOnlyCell
        from openpyxl.styles import Alignment

        self._others = Styles(workbook)
        header: Any = WriteOnlyCell(workbook.worksheets[0])
        head(header, "", SOURCE_HEADER)
        self.header: int = header.style_id
        self._text: dict[str, int] = {}
        for look in (TEXT, WRAPPED):
            cell: Any = WriteOnlyCell(workbook.worksheets[0])
            cell.font, cell.number_format = font(), AS_TYPED
            cell.alignment = Alignment(vertical="top", wrap_text=look == WRAPPED)
            self._text[look] = cell.style_id

    def number(self, look: str) -> int:
        """Give the number by which cells name the style of this look."""
        return self._text[look] if look in self._text else self._others.number(look)


def _sheet(workbook: Any, fresh: Fresh) -> Any:
    title = _BAD_TITLE.sub(" ", fresh.title).strip(" '")[:31] or "Rows"
    for number in range(1, fresh.sheets_before + 1):
        workbook.create_sheet(f"({number})")
    sheet = workbook.create_sheet(title)
    workbook.remove(workbook.worksheets[0])
    workbook.active = sheet
    return sheet


class _Body:
    """Turns rows into XML, and keeps them in their row numbers as long as a sheet can have them there."""

    def __init__(self, fresh: Fresh, encoders: CellEncoders, styles: _OwnStyles, spool: IO[bytes]) -> None:
        self.moved: dict[int, int] = {}
        self.lost: dict[tuple[int, int], str] = {}
        self.widths = Widths(fresh.info.header)
        self._fresh, self._encoders, self._styles, self._spool = fresh, encoders, styles, spool
        self._letters = [column_letters(position) for position in fresh.info.positions]
        self._text = encoders.styled(TEXT)
        self._waiting: list[str] = []

    def write(self, rows: Iterable[SourceRow]) -> None:
        """Write the header and all rows."""
        number = previous = self._fresh.info.header_row
        self._put(number, [self._header(name) for name in self._fresh.info.header])
        for row in rows:
            number += min(row.number - previous, _LONGEST_GAP)
            previous = row.number
            if number != row.number:
                self.moved[row.number] = number
            if number > _LAST_ROW:
                raise CouldNotStart(
                    f"--report: a sheet has room for {_LAST_ROW:,} rows, and {self._fresh.info.file_name} has more; "
                    "check some of its rows at a time, with --rows and a part of the file"
                )
            self._put(number, list(self._cells(row, number)))
            self.widths.see(row.cells)
        self._flush()

    def _cells(self, row: SourceRow, number: int) -> Iterator[str]:
        guards = self._fresh.guards if row.faults else ()
        for place, cell in enumerate(row.cells):
            error = _GUARD if place in guards else _error_of(cell)
            if error is not None:
                self.lost[number, self._fresh.info.positions[place]] = error.words + _held(cell)
                yield f'{self._text} t="e"><v>{error.shown}</v></c>'
            else:
                yield exact_text(cell, self._encoders.text) if isinstance(cell, str) else self._encoders.any(cell)

    def _header(self, name: str) -> str:
        return f' s="{self._styles.header}"' + self._encoders.text(name).partition('"')[2].partition('"')[2]

    def _put(self, number: int, cells: Sequence[str]) -> None:
        shown = "".join(f'<c r="{at}{number}"{xml}' for at, xml in zip(self._letters, cells, strict=True) if xml)
        self._waiting.append(f'<row r="{number}">{shown}</row>')
        if len(self._waiting) == _ROWS_A_WRITE:
            self._flush()

    def _flush(self) -> None:
        self._spool.write("".join(self._waiting).encode())
        self._waiting.clear()


class _Error(NamedTuple):
    shown: str
    words: str


_GUARD = _Error("#VALUE!", "once all of the row is right, write its key here again.")
_TOO_LONG = _Error("#VALUE!", f"the text is longer than the {LONGEST:,} characters that a sheet's cell can hold.")


def _error_of(cell: Cell) -> _Error | None:
    """Say which error stands for a cell that a sheet cannot hold as it is; None for all others."""
    if isinstance(cell, Unreadable):
        return _Error(cell.shown if cell.shown in ERRORS else "#VALUE!", cell.message)
    if isinstance(cell, str) and len(cell) > LONGEST // 2 and len(cell.encode("utf-16-le", "surrogatepass")) > _ROOM:
        return _TOO_LONG
    return None


def _held(cell: Cell) -> str:
    text = cut(shown(cell))
    return f' The cell held "{text}".' if text else " The cell held nothing."


def exact_text(text: str, encode: Callable[[str], str]) -> str:
    """Encode text so that it is read back sign by sign: control characters in Excel's own way, as `_x000D_`.

    Text that looks like that is written as `_x005F_x000D_`, which all readers undo.
    """
    if _UNSAFE.search(text) is None and _ESCAPE.search(text) is None:
        return encode(text)
    plain = _UNSAFE.sub(lambda found: f"_x{ord(found[0]):04X}_", _ESCAPE.sub("_x005F_", text)).translate(_MARKUP)
    start, _, end = encode("\n" if "\n" in text else "x").partition("<is>")
    return f'{start}<is><t xml:space="preserve">{plain}</t></is>{end.rpartition("</is>")[2]}'


def _dress(sheet: Any, fresh: Fresh, widths: Widths) -> None:
    from openpyxl.styles import Alignment

    every = [8.0] * (max(fresh.info.positions) + 1)
    for position, width in zip(fresh.info.positions, widths.widths(), strict=True):
        every[position] = width
    set_widths(sheet, every)
    if fresh.is_text:
        for position in fresh.info.positions:
            column = sheet.column_dimensions[column_letters(position)]
            column.font, column.number_format, column.alignment = font(), AS_TYPED, Alignment(vertical="top")
    sheet.freeze_panes = f"A{fresh.info.header_row + 1}"


def _splice(frame: BinaryIO, part: str, rows: IO[bytes], sink: BinaryIO) -> None:
    """Copy the workbook that openpyxl made, with the rows put into its sheet."""
    rows.seek(0)
    with zipfile.ZipFile(frame) as source, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            content = source.read(entry)
            own = zipfile.ZipInfo(entry.filename)
            own.compress_type = zipfile.ZIP_STORED if entry.filename == part else zipfile.ZIP_DEFLATED
            with target.open(own, "w", force_zip64=entry.filename == part) as out:
                if entry.filename != part:
                    out.write(content)
                    continue
                found = _NO_ROWS.search(content)
                assert found is not None  # noqa: S101  openpyxl has just written it
                out.write(content[: found.start()] + b"<sheetData>")
                while chunk := rows.read(_CHUNK):
                    out.write(chunk)
                out.write(b"</sheetData>" + content[found.end() :])
