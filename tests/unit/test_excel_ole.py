"""The workbook's stream is found in a compound file of either kind of sector, and a broken one never hangs."""

from __future__ import annotations

import struct

import pytest

from batchrun.io.excel_ole import workbook_stream
from batchrun.io.excel_package import DamagedXmlError

FREE, END, TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def entry(name: str, start: int, size: int) -> bytes:
    encoded = name.encode("utf-16-le") + b"\0\0"
    return (encoded.ljust(64, b"\0") + struct.pack("<H", len(encoded))).ljust(116, b"\0") + struct.pack(
        "<III", start, size, 0
    )


def compound(content: bytes, *, mini_table: tuple[int, ...] = (1, 2, END), table_next: int = END) -> bytes:
    """Write a file of five sectors: table, directory, mini table, and two of the stream that holds short streams."""
    header = bytearray(512)
    struct.pack_into("<HH", header, 30, 9, 6)
    struct.pack_into("<IxxxxIIIII", header, 48, 1, 4096, 2, 1, END, 0)
    struct.pack_into("<109I", header, 76, 0, *[FREE] * 108)
    table = struct.pack("<128I", TABLE, END, END, 4, table_next, *[FREE] * 123)
    directory = (entry("Root Entry", 3, 1024) + entry("Other", 0, 0) + entry("Workbook", 0, len(content))).ljust(
        512, b"\0"
    )
    mini = struct.pack(f"<{len(mini_table)}I", *mini_table).ljust(512, b"\xff")
    return bytes(header) + table + directory + mini + content.ljust(1024, b"\0")


def test_a_short_stream_is_read_from_the_mini_sectors() -> None:
    content = bytes(range(150))
    assert workbook_stream(compound(content)) == content


def test_a_chain_that_runs_in_a_circle_is_damage() -> None:
    with pytest.raises(DamagedXmlError):
        workbook_stream(compound(bytes(150), mini_table=(1, 0)))
    with pytest.raises(DamagedXmlError):
        workbook_stream(compound(bytes(150), table_next=3))


def test_a_cut_file_is_damage() -> None:
    whole = compound(bytes(150))
    for length in (0, 40, 511, 600, 1200):
        with pytest.raises(DamagedXmlError):
            workbook_stream(whole[:length])
