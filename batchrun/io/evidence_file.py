"""Writes an auditor's pack: a zip file in which no byte could be otherwise, so that none can be altered unseen.

Header, directory and end hold nothing that could be otherwise: no times, no comments, no extra fields. The packed
bytes of each member have their SHA-256 in the manifest; the manifest itself is stored plain, under its CRC.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple

from batchrun.core.evidence import MANIFEST, Manifest, Member
from batchrun.errors import CouldNotStart

STORED, DEFLATED = 0, 8
LARGEST = 2**32 - 2  # of a zip file without the extensions for huge ones
MOST_MEMBERS = 2**16 - 2
_LOCAL, _CENTRAL, _END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")
_VERSION, _MADE_ON_UNIX, _UTF8_NAME = 20, 3 << 8, 0x800
_NO_TIME, _NO_DATE = 0, (1 << 5) | 1  # 1980-01-01, the first that a zip file can tell
_PRIVATE = 0o100600 << 16


class Entry(NamedTuple):
    """Where a member stands in the zip file, and how."""

    name: str
    method: int
    crc: int
    packed_size: int
    size: int
    offset: int

    def header(self) -> bytes:
        """Give the bytes before the member's own: there is one way to write them."""
        name = self.name.encode()
        numbers = (self.method, _NO_TIME, _NO_DATE, self.crc, self.packed_size, self.size, len(name), 0)
        return _LOCAL.pack(b"PK\x03\x04", _VERSION, _UTF8_NAME, *numbers) + name

    def listing(self) -> bytes:
        """Give the member's line in the zip file's directory."""
        name = self.name.encode()
        numbers = (self.method, _NO_TIME, _NO_DATE, self.crc, self.packed_size, self.size, len(name))
        place = (0, 0, 0, 0, _PRIVATE, self.offset)
        made = (_MADE_ON_UNIX | _VERSION, _VERSION, _UTF8_NAME)
        return _CENTRAL.pack(b"PK\x01\x02", *made, *numbers, *place) + name


def directory(entries: Sequence[Entry], offset: int) -> bytes:
    """Give the directory and the end of a zip file, from its entries and the place where it begins."""
    lines = b"".join(entry.listing() for entry in entries)
    count = len(entries)
    return lines + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(lines), offset, 0)


class PackWriter:
    """Writes the members of a pack one after another, each as a stream; the manifest comes last."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._entries: list[Entry] = []
        self.members: list[Member] = []

    def add(self, name: str, content: Iterable[bytes]) -> None:
        """Add a member, packed."""
        offset = self._file.tell()
        self._file.write(Entry(name, DEFLATED, 0, 0, 0, offset).header())  # its numbers are known afterwards
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        plain, packed = hashlib.sha256(), hashlib.sha256()
        crc = size = packed_size = 0
        for piece in content:
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            plain.update(piece)
            packed_size += self._write(packer.compress(piece), packed)
        packed_size += self._write(packer.flush(), packed)
        _refuse_huge(max(size, self._file.tell()))
        entry = Entry(name, DEFLATED, crc, packed_size, size, offset)
        self._file.seek(offset)
        self._file.write(entry.header())
        self._file.seek(0, 2)
        self._entries.append(entry)
        self.members.append(Member(name, size, plain.hexdigest(), packed_size, packed.hexdigest()))

    def finish(self, manifest: Manifest) -> str:
        """Write the manifest and the zip file's end; give the manifest's SHA-256."""
        content, offset = manifest.to_json(), self._file.tell()
        entry = Entry(MANIFEST, STORED, zlib.crc32(content), len(content), len(content), offset)
        self._file.write(entry.header() + content)
        end = self._file.tell()
        _refuse_huge(end)
        if len(self._entries) >= MOST_MEMBERS:
            raise CouldNotStart("the batch has more files than one evidence file can hold", code="too-large")
        self._file.write(directory([*self._entries, entry], end))
        return hashlib.sha256(content).hexdigest()

    def _write(self, piece: bytes, digest: hashlib._Hash) -> int:
        digest.update(piece)
        return self._file.write(piece)


def _refuse_huge(size: int) -> None:
    if size > LARGEST:
        raise CouldNotStart("the batch is too large for one evidence file, which ends at 4 GB", code="too-large")
