"""Bring the input to a plain file on disk: standard input and gzip are unpacked into a temporary one."""

from __future__ import annotations

import gzip
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from batchrun.errors import BadInput
from batchrun.io.temporary_copy import TemporaryCopy

_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A readable file, the name that messages call it by, and our own copy of it where it is one."""

    path: Path
    name: str
    copy: TemporaryCopy | None = None

    def head(self) -> bytes:
        """Give the first 4 KiB."""
        with self.path.open("rb") as stream:
            return stream.read(4096)

    def release(self) -> None:
        """Delete the file if it is a temporary one."""
        if self.copy is not None:
            self.copy.release()


def local_file(path: Path, max_size: int) -> LocalFile:
    """Give the file, unpacked; `max_size` caps in bytes what is unpacked or read from standard input."""
    if str(path) == "-":
        return _unpacked_when_gzip(_spooled(sys.stdin.buffer, "stdin", max_size), max_size)
    _refuse_what_cannot_be_opened(path)
    return _unpacked_when_gzip(LocalFile(path, path.name), max_size)


def _refuse_what_cannot_be_opened(path: Path) -> None:
    if path.is_dir():
        raise BadInput(f"{path} is a folder; name the file in it.")
    try:
        path.open("rb").close()
    except FileNotFoundError:
        raise BadInput(f"there is no file {path}; check its name and folder.") from None
    except OSError as error:
        raise BadInput(
            f"{path} cannot be opened ({error.strerror}); close it in other programs and check that you may read it."
        ) from None


def _unpacked_when_gzip(file: LocalFile, max_size: int) -> LocalFile:
    if not file.head().startswith(_GZIP_MAGIC):
        return file
    try:
        with gzip.open(file.path) as stream:
            unpacked = _spooled(cast(BinaryIO, stream), file.name, max_size)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise BadInput(f"{file.name} is a damaged or incomplete gzip file; fetch or pack it once more.") from None
    finally:
        file.release()
    head = unpacked.head()
    what = "a workbook packed" if head.startswith(b"PK\x03\x04") else "packed twice"
    if head.startswith((b"PK\x03\x04", _GZIP_MAGIC)):
        unpacked.release()
        raise BadInput(f"{file.name} is {what} with gzip; unpack it first.")
    return unpacked


def _spooled(stream: BinaryIO, name: str, max_size: int) -> LocalFile:
    copy = TemporaryCopy("input")
    file = LocalFile(copy.path, name, copy)
    try:
        with copy.path.open("wb") as target:
            _copy(stream, target, name, max_size)
    except BaseException:
        file.release()
        raise
    return file


def _copy(stream: BinaryIO, target: BinaryIO, name: str, max_size: int) -> None:
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > max_size:
            raise BadInput(
                f"{name} is larger than {max_size // 1_048_576} MB when unpacked, which is the limit; "
                "split it, or raise the limit if you trust the file."
            )
        target.write(block)
