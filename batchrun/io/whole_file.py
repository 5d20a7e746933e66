"""Write a whole file or none: beside the target, then renamed over it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from batchrun.io import leftovers, system

_BLOCK = 1 << 20
NOTHING = ""
"""In place of a SHA-256: nothing may lie there."""


class ChangedMeanwhile(OSError):
    """The target is another file than the one that was to be replaced, so it was left alone."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EBUSY, "it was changed meanwhile", str(path))


@contextlib.contextmanager
def whole_file(path: Path, *, unless_changed: str | None = None) -> Iterator[BinaryIO]:
    """Yield a binary file to write and read; it becomes `path` once the block ends well.

    Until then `path` stays as it was, also when this process is killed. Folders are made, a link is followed, and
    the permissions of an older file are kept. OSError (disk full, or the target open in Excel on Windows) is left
    to the caller, and the temporary file is removed. `unless_changed` is the SHA-256 that the older file must still
    have right before it is replaced; ChangedMeanwhile where it has another, or is gone. With NOTHING, ChangedMeanwhile
    where a file has come to lie there.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.parent / f".batchrun-{secrets.token_hex(6)}.tmp"
    try:
        with beside.open("x+b") as file:
            system.hold(file)
            leftovers.sweep(beside)
            yield file
            file.flush()
            os.fsync(file.fileno())
        _put(beside, target, unless_changed)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def _put(beside: Path, target: Path, unless_changed: str | None) -> None:
    if unless_changed == NOTHING:
        try:
            rename_new(beside, target)
        except FileExistsError:
            raise ChangedMeanwhile(target) from None
        beside.unlink(missing_ok=True)
        return
    if unless_changed is not None:
        _refuse_changed(target, unless_changed)
    if target.exists():
        beside.chmod(target.stat().st_mode)
    beside.replace(target)


@contextlib.contextmanager
def new_file(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Yield a binary file to write and read; it becomes the new file `path` once the block ends well.

    FileExistsError where something has that name by then, and it stays as it is. Folders are made. A `private` file is
    its owner's alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / f".batchrun-{secrets.token_hex(6)}.tmp"
    try:
        beside.touch(mode=0o600 if private else 0o666, exist_ok=False)
        with beside.open("r+b") as file:
            system.hold(file)
            leftovers.sweep(beside)
            yield file
            file.flush()
            os.fsync(file.fileno())
        rename_new(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_new(path: Path, data: bytes) -> None:
    """Write `data` as the whole of a new file; FileExistsError where one has that name, and it stays as it is."""
    with new_file(path) as file:
        file.write(data)


def rename_new(beside: Path, path: Path) -> None:
    """Give a finished file its name; FileExistsError where one has it already, and it stays as it is."""
    try:
        path.hardlink_to(beside)  # unlike a rename, it never replaces
    except FileExistsError:
        raise
    except OSError:  # no hard links on this disk
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "it exists already", str(path)) from None
        beside.rename(path)


def sha256_of(path: Path) -> str:
    """Give the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return sha256_of_open(file)


def sha256_of_open(file: BinaryIO) -> str:
    """Give the SHA-256 of a whole open file."""
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _refuse_changed(target: Path, sha256: str) -> None:
    try:
        found = sha256_of(target)
    except FileNotFoundError:
        raise ChangedMeanwhile(target) from None
    if found != sha256:
        raise ChangedMeanwhile(target)


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` as the whole of `path`, or leave it as it was."""
    with whole_file(path) as file:
        file.write(data)


def sync(path: Path) -> None:
    """Bring what was written to a file onto the disk."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut, where the system can."""
    # Windows cannot open a folder, some network shares cannot sync one; there the file's own sync is all there is.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
