"""Write a whole file or none: beside the target, then renamed over it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file to write and read; it becomes `path` once the block ends well.

    Until then `path` stays as it was, also when this process is killed. Folders are made, a link is followed, and
    the permissions of an older file are kept. OSError (disk full, or the target open in Excel on Windows) is left
    to the caller, and the temporary file is removed.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.parent / f".batchrun-{secrets.token_hex(6)}.tmp"
    try:
        with beside.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            beside.chmod(target.stat().st_mode)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` as the whole of `path`, or leave it as it was."""
    with whole_file(path) as file:
        file.write(data)


def _sync_folder(folder: Path) -> None:
    # Makes the rename itself survive a power cut. Windows cannot open a folder, some network shares cannot sync one;
    # there the file's own sync is all there is.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
