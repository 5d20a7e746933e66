"""The long sheets' rows: spooled to a nameless file as XML, then spliced into the workbook that openpyxl made."""

from __future__ import annotations

import re
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Self

from batchrun.errors import Stopped
from batchrun.model import column_letters

MAX_ROWS = 1_048_575
"""Data rows that fit below a header row."""

_CHUNK = 1 << 20
_ROWS_A_WRITE = 500
_MOST_LINES = 8  # a log pasted into a cell must not fill the screen
_END_OF_ROWS = b"</sheetData>"
_DIMENSION = re.compile(rb"<dimension [^>]*/>")
_AFTER_IGNORED_ERRORS = re.compile(rb"(?=<drawing[ />]|<legacyDrawing[ />]|<tableParts[ />]|</worksheet>)")
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the same content makes the same file


class SheetBody:
    """The data rows of one sheet, from row 2 on; a context manager, since it holds a temporary file."""

    def __init__(self, folder: Path, columns: int) -> None:
        # Beside the target: the system's temporary folder may be memory, or too small.
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._letters = [column_letters(position) for position in range(columns)]
        self._waiting: list[str] = []
        self.rows = 0

    def append(self, cells: Sequence[str], lines: int = 1, *, hidden: bool = False) -> int:
        """Add one row, given what an Encoder gave for each column; answer its row number.

        The row is as high as `lines`, or as its cell with the most line breaks. A `hidden` one is there, unseen.
        """
        self.rows += 1
        number = self.rows + 1
        shown = "".join([f'<c r="{at}{number}"{xml}' for at, xml in zip(self._letters, cells, strict=True) if xml])
        if "\n" in shown:
            lines = max(lines, 1 + max(xml.count("\n") for xml in cells))
        # Excel finds the height of a wrapped row by itself, LibreOffice does not.
        height = f' ht="{min(lines, _MOST_LINES) * 13 + 2}" customHeight="1"' if lines > 1 else ""
        unseen = ' hidden="1"' if hidden else ""
        self._waiting.append(f'<row r="{number}"{height}{unseen}>{shown}</row>')
        if len(self._waiting) == _ROWS_A_WRITE:
            self._flush()
        return number

    @property
    def area(self) -> str:
        """Name the sheet's used area, header and all: `A1:AI121`."""
        return f"A1:{self._letters[-1]}{self.rows + 1}"

    def copy_to(self, out: IO[bytes]) -> None:
        """Write all rows to `out`."""
        self._flush()
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            out.write(chunk)

    def _flush(self) -> None:
        self._file.write("".join(self._waiting).encode())
        self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def splice(frame: BinaryIO, bodies: Mapping[str, SheetBody], replaced: Mapping[str, bytes], out: BinaryIO) -> None:
    """Copy the workbook `frame` to `out` with the rows of `bodies` (by part name) put under their header rows."""
    with zipfile.ZipFile(frame) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            part = zipfile.ZipInfo(name, _EARLIEST)
            part.compress_type = zipfile.ZIP_DEFLATED
            content = replaced.get(name) or source.read(name)
            with target.open(part, "w", force_zip64=name in bodies) as sink:
                if name in bodies:
                    _write_sheet(content, bodies[name], sink)
                else:
                    sink.write(content)


def _write_sheet(sheet: bytes, body: SheetBody, sink: IO[bytes]) -> None:
    top, bottom = sheet.split(_END_OF_ROWS)
    area = body.area
    sink.write(_DIMENSION.sub(f'<dimension ref="{area}"/>'.encode(), top, count=1))
    body.copy_to(sink)
    # Text that looks like a number is meant: without this Excel puts a green corner on every such cell.
    quiet = f'<ignoredErrors><ignoredError sqref="{area}" numberStoredAsText="1"/></ignoredErrors>'.encode()
    sink.write(_END_OF_ROWS + _AFTER_IGNORED_ERRORS.sub(quiet, bottom, count=1))


def verify(file: BinaryIO, expected: Mapping[str, int]) -> None:
    """Open the written workbook again and compare each sheet's number of data rows; Stopped where it differs."""
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            found = {name: _rows_in(archive, name) for name in expected}
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise Stopped(f"the workbook could not be read back: {error}", code="workbook-incomplete") from error
    if found != dict(expected):
        raise Stopped(
            f"the workbook holds {_total(found)} rows where {_total(expected)} were written", code="workbook-incomplete"
        )


def _rows_in(archive: zipfile.ZipFile, name: str) -> int:
    # In sheet XML text cannot hold "<", so the tag is its own proof; reading to the end checks the CRC as well.
    tag, count, rest = b"<row ", 0, b""
    with archive.open(name) as sheet:
        while chunk := sheet.read(_CHUNK):
            window = rest + chunk
            count += window.count(tag)
            rest = window[-(len(tag) - 1) :]
    return count - 1


def _total(rows: Mapping[str, int]) -> str:
    return f"{sum(rows.values()):,}"


def ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Join ascending row numbers into runs: 2, 3, 7 are 2-3 and 7-7."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
