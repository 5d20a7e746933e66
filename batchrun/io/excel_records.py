"""Walk the records of .xlsb and .xls sheets for what calamine does not tell of them."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from batchrun.io.excel_blemishes import Blemishes
from batchrun.io.excel_ole import workbook_stream
from batchrun.io.excel_package import DamagedXmlError, actual_paths, protected, relations
from batchrun.io.excel_record_styles import Record, Styles, compact_number, xls_styles, xlsb_styles
from batchrun.io.excel_refusals import merged_cells
from batchrun.io.excel_sheet import UNCOMPUTED, error_cell
from batchrun.io.excel_survey import Area
from batchrun.model import Unreadable

_ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}

# .xlsb records, by [MS-XLSB]
_ROW_HEADER, _BUNDLE_SHEET, _MERGED = 0, 156, 176
_ERROR_VALUES = frozenset((3, 11))
_COMPACT_NUMBER = 2
_NUMBERS = frozenset((_COMPACT_NUMBER, 5, 9))
_BLANK = 1
_VALUES = frozenset((*range(2, 12), 62))
# Cells that stand right of the one before and do not say so; calamine passes over them.
_SHORT_BLANK, _SHORT_VALUES = 12, frozenset(range(13, 19))
_NO_SUCH_TEXT = Unreadable("damaged-cell", "the cell refers to a text that the file does not hold; enter it again.")
_UNREAD = Unreadable(
    "unread-cell",
    "the file holds this cell in a short form that is not read; open the file in Excel and save it.",
)

# .xls records, by [MS-XLS]
_FORMULA, _END_OF_STREAM, _BOUND_SHEET, _BOOL_OR_ERROR, _ROW, _BEGIN_OF_STREAM = 0x06, 0x0A, 0x85, 0x205, 0x208, 0x809
_ROW_OF_RKS, _NUMBER, _RK, _RECALCULATED = 0xBD, 0x203, 0x27E, 0x1C1
_PASSWORD, _TEXTS, _TEXT = 0x2F, 0xFC, 0xFD
_NO_TEXT = 3
_XLS_VALUES = frozenset((_FORMULA, _BOOL_OR_ERROR, _ROW_OF_RKS, 0xD6, _TEXT, _NUMBER, 0x204, _RK))


def xlsb_blemishes(path: Path, sheet: str) -> Blemishes:
    """Find the error cells, hidden rows and merged cells of an .xlsb sheet."""
    with zipfile.ZipFile(path) as archive:
        content = archive.read(_xlsb_part(archive, sheet))
        styles = _xlsb_styles(archive)
    try:
        return _xlsb_walked(content, styles)
    except (struct.error, IndexError):
        raise DamagedXmlError from None


def _xlsb_styles(archive: zipfile.ZipFile) -> Styles:
    actual = actual_paths(archive)
    styles = archive.read(actual["xl/styles.bin"]) if "xl/styles.bin" in actual else b""
    return xlsb_styles(_xlsb_records(styles), _xlsb_records(archive.read(actual["xl/workbook.bin"])))


def _xlsb_walked(content: bytes, styles: Styles) -> Blemishes:
    blemishes, row, column = Blemishes(), 0, -1
    merged: list[Area] = []
    for kind, data in _xlsb_records(content):
        if kind == _ROW_HEADER:
            row, column = struct.unpack_from("<I", data)[0] + 1, -1
            if data[11] & 0x10:
                blemishes.hide(row, row)
        elif kind == _BLANK or kind in _VALUES:
            column = struct.unpack_from("<I", data)[0]
        elif kind == _SHORT_BLANK or kind in _SHORT_VALUES:
            column += 1
        elif kind == _MERGED:
            top, bottom, left, right = struct.unpack_from("<4I", data)
            merged.append((top + 1, left, bottom + 1, right))
        if kind in _VALUES or kind in _SHORT_VALUES:
            blemishes.fill(row)
            _note_xlsb_value(blemishes, styles, (row, column), kind, data)
    blemishes.refused.extend(merged_cells(merged))
    return blemishes


def _note_xlsb_value(blemishes: Blemishes, styles: Styles, place: tuple[int, int], kind: int, data: bytes) -> None:
    row, column = place
    if kind in _SHORT_VALUES:
        blemishes.refuse(row, row, column, column, _UNREAD)
    elif kind in _ERROR_VALUES:
        blemishes.refuse(row, row, column, column, error_cell(_ERRORS.get(data[8], "#ERROR")))
    elif kind in _NUMBERS:
        style = struct.unpack_from("<I", data, 4)[0]
        _note_number(blemishes, styles, (row, column, style & 0xFFFFFF), _xlsb_number(kind, data))


def _xlsb_number(kind: int, data: bytes) -> float:
    if kind == _COMPACT_NUMBER:
        return compact_number(struct.unpack_from("<I", data, 8)[0])
    return float(struct.unpack_from("<d", data, 8)[0])


def _note_number(blemishes: Blemishes, styles: Styles, place: tuple[int, int, int], number: float) -> None:
    row, column, style = place
    shown = styles.shown(style)
    if shown is None:
        return
    blemishes.formats[row, column] = shown
    why = styles.refusal(number, shown)
    if why is not None:
        blemishes.refuse(row, row, column, column, why)


def _xlsb_part(archive: zipfile.ZipFile, sheet: str) -> str:
    actual = actual_paths(archive)
    targets = {number: target for number, _, target in relations(archive, actual, "xl/workbook.bin")}
    for kind, data in _xlsb_records(archive.read(actual["xl/workbook.bin"])):
        if kind == _BUNDLE_SHEET:
            relation, end = _wide_text(data, 8)
            if _wide_text(data, end)[0] == sheet:
                return actual[targets[relation].lower()]
    raise DamagedXmlError


def _wide_text(data: bytes, start: int) -> tuple[str, int]:
    end = start + 4 + 2 * struct.unpack_from("<I", data, start)[0]
    return data[start + 4 : end].decode("utf-16-le"), end


def _xlsb_records(content: bytes) -> Iterator[Record]:
    place = 0
    while place < len(content):
        kind, place = _variable(content, place, 2)
        size, place = _variable(content, place, 4)
        yield kind, content[place : place + size]
        place += size


def _variable(content: bytes, place: int, most: int) -> tuple[int, int]:
    value = 0
    for count in range(most):
        byte = content[place + count]
        value |= (byte & 0x7F) << (7 * count)
        if not byte & 0x80:
            return value, place + count + 1
    return value, place + most


def xls_blemishes(path: Path, sheet: str, name: str) -> Blemishes:
    """Find the error cells and hidden rows of an .xls sheet; its merged cells calamine tells."""
    try:
        stream = workbook_stream(path.read_bytes())
        workbook = list(_xls_records(stream, 0))
        if any(kind == _PASSWORD for kind, _ in workbook):  # calamine knows only the newer way to encrypt
            raise protected(name)
        return _xls_walked(_xls_records(stream, _xls_sheet_place(workbook, sheet)), workbook)
    except (struct.error, IndexError):
        raise DamagedXmlError from None


def _xls_walked(records: Iterable[Record], workbook: Sequence[Record]) -> Blemishes:
    blemishes, styles = Blemishes(), xls_styles(workbook)
    is_computed = any(kind == _RECALCULATED for kind, _ in workbook)
    texts = next((struct.unpack_from("<I", data, 4)[0] for kind, data in workbook if kind == _TEXTS), 0)
    for kind, data in records:
        if kind == _ROW:
            row, flags = struct.unpack_from("<H10xH", data)
            if flags & 0x20:
                blemishes.hide(row + 1, row + 1)
        elif kind in _XLS_VALUES:
            row, column = struct.unpack_from("<HH", data)
            blemishes.fill(row + 1)
            error = _xls_error(kind, data)
            if error is not None:
                blemishes.refuse(row + 1, row + 1, column, column, error_cell(_ERRORS.get(error, "#ERROR")))
            elif kind == _TEXT and struct.unpack_from("<I", data, 6)[0] >= texts:
                blemishes.refuse(row + 1, row + 1, column, column, _NO_SUCH_TEXT)
            elif kind == _FORMULA and not is_computed and _looks_uncomputed(data[6:14]):
                blemishes.refuse(row + 1, row + 1, column, column, UNCOMPUTED)
            for style, number in _xls_numbers(kind, data):
                _note_number(blemishes, styles, (row + 1, column, style), number)
                column += 1
    return blemishes


def _xls_numbers(kind: int, data: bytes) -> Iterator[tuple[int, float]]:
    """Give the style and the value of each number in a record of cells, from its first column on."""
    if kind == _NUMBER or (kind == _FORMULA and data[12:14] != b"\xff\xff"):
        yield struct.unpack_from("<Hd", data, 4)
    elif kind in (_RK, _ROW_OF_RKS):
        for place in range(4, len(data) - 5, 6):
            style, value = struct.unpack_from("<HI", data, place)
            yield style, compact_number(value)


def _looks_uncomputed(result: bytes) -> bool:
    """Tell whether a formula's result is 0 or nothing, which libraries write; Excel computes it on opening.

    Excel and LibreOffice note in the workbook that they have computed it, and their results are what they are.
    """
    return result == bytes(8) or (result[6:] == b"\xff\xff" and result[0] == _NO_TEXT)


def _xls_error(kind: int, data: bytes) -> int | None:
    if kind == _BOOL_OR_ERROR and data[7]:
        return data[6]
    if kind == _FORMULA and data[12:14] == b"\xff\xff" and data[6] == 2:
        return data[8]
    return None


def _xls_sheet_place(workbook: Sequence[Record], sheet: str) -> int:
    for kind, data in workbook:
        if kind == _BOUND_SHEET:
            place: int = struct.unpack_from("<I", data)[0]
            length, wide = data[6], data[7] & 1
            name = data[8:].decode("utf-16-le" if wide else "latin-1", "replace")[:length]
            # BIFF5, of Excel 95, has no flag byte before the name and another code page.
            if sheet in (name, data[7 : 7 + length].decode("cp1252", "replace")):
                return place
    raise DamagedXmlError


def _xls_records(stream: bytes, place: int) -> Iterator[Record]:
    """Give the records from a place to the end of that substream; charts within it are substreams of their own."""
    depth = 0
    while place + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, place)
        depth += (kind == _BEGIN_OF_STREAM) - (kind == _END_OF_STREAM)
        if depth == 1:
            yield kind, stream[place + 4 : place + 4 + size]
        elif depth <= 0:
            return
        place += 4 + size
