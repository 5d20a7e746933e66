"""Reads an auditor's pack, which may be anything: every byte is held against the manifest, and nothing is unpacked."""

from __future__ import annotations

import contextlib
import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from batchrun.core.evidence import MANIFEST, Fault, Manifest, Newer, name_faults, parse_manifest
from batchrun.errors import CouldNotStart, NotFound
from batchrun.io.evidence_file import DEFLATED, STORED, Entry, directory

BLOCK = 1 << 18
LARGEST_MANIFEST = 64 << 20
LONGEST_LINE = 64 << 20
# Beyond both, it is a bomb: rows of real sheets shrink to a tenth, not to a three-hundredth.
MUCH, SHRUNK = 2 << 30, 300
# What Python's zip reader raises for files that are none, or not whole.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, struct.error, OverflowError)


class Broken(Exception):
    """A pack that cannot be read far enough to be weighed; `fault` says why."""

    def __init__(self, member: str | None, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(member, message)


class Pack:
    """One open pack. `manifest_sha256` is the hash of its manifest as it stands there."""

    def __init__(self, file: BinaryIO, size: int, archive: zipfile.ZipFile) -> None:
        self._file = file
        self._size = size
        self._archive = archive
        self._infos = archive.infolist()
        content = self._manifest_bytes()
        self.manifest_sha256 = hashlib.sha256(content).hexdigest()
        self.manifest = _parsed(content)
        self._members = {member.name: member for member in self.manifest.members}
        self._places = {info.filename: info for info in self._infos}

    @property
    def names(self) -> list[str]:
        """The names of all members, in the zip file's order."""
        return [info.filename for info in self._infos]

    def faults(self) -> Iterator[Fault]:
        """Hold the whole file against its manifest, member by member, then byte by byte."""
        if self._is_bomb():
            yield Fault(None, "it would unpack to far more than any batch holds, so it was not unpacked")
            return
        told = list(name_faults(self.names, [member.name for member in self.manifest.members]))
        told += self._member_faults({fault.member for fault in told})
        yield from told
        if not told and (fault := self._any_frame_fault()) is not None:
            yield fault

    def sha256(self, name: str) -> str | None:
        """Give a member's hash; None where there is no such member."""
        member = self._members.get(name)
        return None if member is None else member.sha256

    def chunks(self, name: str) -> Iterator[bytes]:
        """Give a member's bytes, a piece at a time; raise Broken where they are not those of the manifest."""
        member = self._members[name]
        digest, size = hashlib.sha256(), 0
        for piece in self._unpacked(self._places[name]):
            digest.update(piece)
            size += len(piece)
            if size > member.size:
                break
            yield piece
        if size != member.size:
            raise Broken(name, f"it was altered: it is not the {member.size:,} bytes long that the manifest says")
        if digest.hexdigest() != member.sha256:
            told = f"its SHA-256 is {digest.hexdigest()}, and the manifest says {member.sha256}"
            raise Broken(name, f"it was altered: {told}")

    def lines(self, name: str) -> Iterator[bytes]:
        """Give the lines of a member, a few in memory at a time."""
        rest = b""
        for piece in self.chunks(name):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
            if len(rest) > LONGEST_LINE:
                raise Broken(name, "it has a line that is longer than any row can be")
        if rest:
            yield rest

    def _manifest_bytes(self) -> bytes:
        infos = [info for info in self._infos if info.filename == MANIFEST]
        if not infos:
            raise Broken(MANIFEST, "it is missing, so this is no evidence of batchrun, or no longer")
        if len(infos) > 1:
            raise Broken(MANIFEST, f"it is in the zip file {len(infos)} times, so nobody can say which one counts")
        if infos[0].file_size > LARGEST_MANIFEST:
            raise Broken(MANIFEST, "it is far larger than any manifest of batchrun")
        return b"".join(self._unpacked(infos[0]))

    def _unpacked(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        if info.compress_type not in (STORED, DEFLATED):
            raise Broken(info.filename, "it is packed in a way that batchrun does not use")
        try:
            with self._archive.open(info) as member:
                while piece := member.read(BLOCK):
                    yield piece
        except _UNREADABLE:
            told = "it was altered or damaged: what comes out of the zip file is not what was put in"
            raise Broken(info.filename, told) from None

    def _is_bomb(self) -> bool:
        total = sum(info.file_size for info in self._infos)
        return total > MUCH and total > SHRUNK * self._size

    def _member_faults(self, told: set[str | None]) -> Iterator[Fault]:
        for member in self.manifest.members:
            if member.name in told:
                continue
            try:
                for _ in self.chunks(member.name):
                    pass
            except Broken as broken:
                yield broken.fault

    def _any_frame_fault(self) -> Fault | None:
        try:
            return self._frame_fault()
        except _UNREADABLE:  # numbers that no zip file of this kind can hold
            return _frame(None)

    def _frame_fault(self) -> Fault | None:
        """Write the zip file's own bytes once more, and hold them against those that are there."""
        place, entries, differ = 0, [], []
        for info in self._infos:
            entry = Entry(
                info.filename, info.compress_type, info.CRC, info.compress_size, info.file_size, info.header_offset
            )
            entries.append(entry)
            if entry.offset != place or not self._stands(entry):
                differ.append(info.filename)
            place = entry.offset + len(entry.header()) + entry.packed_size
        if differ:
            return _frame(differ[0] if len(differ) == 1 else None)
        in_order = [entry.name for entry in entries] == [*self._members, MANIFEST]
        end = directory(entries, place)
        return None if in_order and self._bytes(place, len(end) + 1) == end else _frame(None)

    def _stands(self, entry: Entry) -> bool:
        """Tell whether a member stands in the zip file as batchrun would write it there."""
        header, member = entry.header(), self._members.get(entry.name)
        if self._bytes(entry.offset, len(header)) != header:
            return False
        if member is None:  # the manifest, which is stored as it is, under its CRC
            return entry.method == STORED
        place = entry.offset + len(header)
        return entry.method == DEFLATED and self._packed_sha256(place, entry.packed_size) == member.packed_sha256

    def _bytes(self, place: int, count: int) -> bytes:
        self._file.seek(place)
        return self._file.read(count)

    def _packed_sha256(self, place: int, count: int) -> str:
        digest, left = hashlib.sha256(), count
        self._file.seek(place)
        while left and (piece := self._file.read(min(left, BLOCK))):
            digest.update(piece)
            left -= len(piece)
        return digest.hexdigest()


def _frame(member: str | None) -> Fault:
    where = "around this member " if member is not None else ""
    return Fault(
        member,
        f"the zip file's own bytes {where}are not as batchrun writes them: some were changed, or the file was packed "
        "again by another program; what its members say is as the manifest has it",
    )


def _parsed(content: bytes) -> Manifest:
    try:
        return parse_manifest(content)
    except Newer as newer:
        raise CouldNotStart(
            f"this evidence was made by a newer batchrun ({newer}), in a form that this one does not know; "
            "install a newer batchrun",
            code="newer",
        ) from None
    except ValueError as error:
        raise Broken(MANIFEST, f"it was altered: {error}") from None


@contextlib.contextmanager
def open_pack(path: Path) -> Iterator[Pack]:
    """Open a pack; raise NotFound where there is no file, Broken where it is no zip file with a manifest."""
    with _opened(path) as file:
        size = file.seek(0, 2)
        if not size:
            raise Broken(None, "it is empty")
        try:
            archive = zipfile.ZipFile(file)
        except _UNREADABLE:
            file.seek(0)
            begins_well = file.read(4) == b"PK\x03\x04"
            why = "it was cut off, or its end was altered" if begins_well else "it is no zip file, or no longer one"
            raise Broken(None, f"it cannot be opened as a zip file: {why}") from None
        with archive:
            yield Pack(file, size, archive)


def _opened(path: Path) -> BinaryIO:
    if path.exists() and not path.is_file():
        raise NotFound(f"{path} is no file; name the evidence file, a .zip")
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from None
