"""Read the number formats of .xls and .xlsb workbooks, which calamine keeps to itself, out of their records."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from batchrun.io.excel_numbers import NumberFormat, built_in_format, dated_cell, read_format
from batchrun.model import Unreadable

Record = tuple[int, bytes]

# .xlsb records, by [MS-XLSB]
_XLSB_FORMAT, _XLSB_STYLE, _XLSB_STYLES_BEGIN, _XLSB_STYLES_END, _XLSB_PROPERTIES = 44, 47, 617, 618, 153

# .xls records, by [MS-XLS]
_XLS_BEGIN, _XLS_DATES, _XLS_STYLE, _XLS_FORMAT = 0x809, 0x22, 0xE0, 0x41E
_EXCEL_97 = 0x600  # the version from which on texts say how they are encoded


class Styles:
    """Knows by style number what a number shows."""

    def __init__(self, codes: dict[int, str], styles: Sequence[int], *, since_1904: bool = False) -> None:
        custom = {number: read_format(code) for number, code in codes.items()}
        self._formats = [custom.get(number) or built_in_format(number) for number in styles]
        self._since_1904 = since_1904

    def shown(self, style: int) -> NumberFormat | None:
        """Give the format of a style, or nothing where it shows a number plainly."""
        found = self._formats[style] if style < len(self._formats) else NumberFormat()
        return found if found.kind != "number" or found.width or found.dressed else None

    def refusal(self, number: float, number_format: NumberFormat) -> Unreadable | None:
        """Say why what a style shows of a number cannot be used, if so."""
        if number_format.kind == "number":
            return None
        moment = dated_cell(number, number_format, since_1904=self._since_1904)
        return moment if isinstance(moment, Unreadable) else None


def xlsb_styles(styles: Iterable[Record], workbook: Iterable[Record]) -> Styles:
    """Read the styles part and the date system of an .xlsb workbook."""
    codes: dict[int, str] = {}
    numbers: list[int] = []
    within = False
    for kind, data in styles:
        if kind == _XLSB_FORMAT:
            size = struct.unpack_from("<I", data, 2)[0]
            codes[struct.unpack_from("<H", data)[0]] = data[6 : 6 + 2 * size].decode("utf-16-le", "replace")
        elif kind in (_XLSB_STYLES_BEGIN, _XLSB_STYLES_END):
            within = kind == _XLSB_STYLES_BEGIN
        elif kind == _XLSB_STYLE and within:
            numbers.append(struct.unpack_from("<H", data, 2)[0])
    since_1904 = any(kind == _XLSB_PROPERTIES and data[0] & 1 for kind, data in workbook)
    return Styles(codes, numbers, since_1904=since_1904)


def xls_styles(records: Iterable[Record]) -> Styles:
    """Read the formats, the styles and the date system of an .xls workbook."""
    codes: dict[int, str] = {}
    numbers: list[int] = []
    since_1904 = is_older = False
    for kind, data in records:
        if kind == _XLS_BEGIN:
            is_older = struct.unpack_from("<H", data)[0] < _EXCEL_97
        elif kind == _XLS_FORMAT:
            codes[struct.unpack_from("<H", data)[0]] = _older_text(data[2:]) if is_older else _xls_text(data[2:])
        elif kind == _XLS_STYLE:
            numbers.append(struct.unpack_from("<H", data, 2)[0])
        elif kind == _XLS_DATES:
            since_1904 = data[0] == 1
    return Styles(codes, numbers, since_1904=since_1904)


def _older_text(data: bytes) -> str:
    # Whatever the code page: all that a format says is ASCII, but for words in quotation marks.
    return data[1 : 1 + data[0]].decode("cp1252", "replace")


def _xls_text(data: bytes) -> str:
    length = struct.unpack_from("<H", data)[0]
    return data[3:].decode("utf-16-le" if data[2] & 1 else "latin-1", "replace")[:length]


def compact_number(value: int) -> float:
    """Unpack a number that either kind of file stores in 30 bits: whole or the upper part, at times a hundredfold."""
    if value & 2:
        number = float(value >> 2 if value < 1 << 31 else (value >> 2) - (1 << 30))
    else:
        number = float(struct.unpack("<d", b"\0\0\0\0" + struct.pack("<I", value & 0xFFFFFFFC))[0])
    return number / 100 if value & 1 else number
