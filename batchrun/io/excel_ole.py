"""Take the workbook's stream out of an OLE compound file, the container of .xls, by [MS-CFB]."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from batchrun.io.excel_package import DamagedXmlError

_NO_MORE = 0xFFFFFFFA  # from here on sector numbers are marks
_ENTRY = 128
_NAMES = ("Workbook", "Book")


def workbook_stream(content: bytes) -> bytes:
    """Give the stream that holds the workbook; raise DamagedXmlError where the container is broken."""
    try:
        return _CompoundFile(content).workbook()
    except (struct.error, IndexError):
        raise DamagedXmlError from None


class _CompoundFile:
    def __init__(self, content: bytes) -> None:
        self._content = content
        shift, mini_shift = struct.unpack_from("<HH", content, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise DamagedXmlError
        self._size, self._mini_size = 1 << shift, 1 << mini_shift
        self._directory, self._cutoff, mini_table = struct.unpack_from("<I4xII", content, 48)
        self._table = self._numbers(b"".join(self._sector(number) for number in self._table_sectors()))
        self._mini_table = self._numbers(b"".join(self._chain(mini_table)))

    def workbook(self) -> bytes:
        entries = b"".join(self._chain(self._directory))
        mini_stream = b""
        for place in range(0, len(entries) - _ENTRY + 1, _ENTRY):
            entry = entries[place : place + _ENTRY]
            name = entry[: max(0, struct.unpack_from("<H", entry, 64)[0] - 2)].decode("utf-16-le", "replace")
            start, size = struct.unpack_from("<II", entry, 116)
            if place == 0:
                mini_stream = b"".join(self._chain(start))
            elif name in _NAMES:
                chain = self._mini_chain(start, mini_stream) if size < self._cutoff else self._chain(start)
                return b"".join(chain)[:size]
        raise DamagedXmlError

    def _table_sectors(self) -> Iterator[int]:
        yield from (number for number in struct.unpack_from("<109I", self._content, 76) if number < _NO_MORE)
        following = struct.unpack_from("<I", self._content, 68)[0]
        for _ in range(len(self._content) // self._size):
            if following >= _NO_MORE:
                return
            numbers = self._numbers(self._sector(following))
            yield from (number for number in numbers[:-1] if number < _NO_MORE)
            following = numbers[-1]

    def _sector(self, number: int) -> bytes:
        place = (number + 1) * self._size
        return self._content[place : place + self._size]

    def _chain(self, start: int) -> Iterator[bytes]:
        for number in _followed(start, self._table):
            yield self._sector(number)

    def _mini_chain(self, start: int, stream: bytes) -> Iterator[bytes]:
        for number in _followed(start, self._mini_table):
            yield stream[number * self._mini_size : (number + 1) * self._mini_size]

    @staticmethod
    def _numbers(content: bytes) -> tuple[int, ...]:
        return struct.unpack(f"<{len(content) // 4}I", content[: len(content) // 4 * 4])


def _followed(start: int, table: tuple[int, ...]) -> Iterator[int]:
    number = start
    for _ in range(len(table) + 1):  # a chain that is longer runs in a circle
        if number >= _NO_MORE:
            return
        yield number
        number = table[number]
    raise DamagedXmlError
