"""Removes the temporary files that killed commands left beside what they wrote, and their copies of what they read."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from batchrun.io import system

DAY = 86_400.0
_FILE = re.compile(r"\.batchrun-[0-9a-f]{12}\.tmp(?:-(?:wal|shm|journal))?")
_COPY = re.compile(r"batchrun-(?:copy|input|sheets)-[a-z0-9_]{8}(?:\.xlsx)?")
_FOLDER = re.compile(r"\.batchrun-[a-z0-9_]{8}")
_WORKBOOK = "results.xlsx"  # what stands in such a folder, while an auditor's pack is made
_swept: set[tuple[Path, re.Pattern[str]]] = set()


def sweep(fresh: Path) -> None:
    """Remove what is nobody's from the folder of a file that this process has just made, once.

    Nobody's is what bears the name of a temporary file of ours, belongs to this user, was not written for a day by the
    disk's own clock, and is not held by a process. Whatever cannot be removed stays, and is not told.
    """
    folder, ours = fresh.parent, _COPY if _COPY.fullmatch(fresh.name) else _FILE
    if (folder, ours) in _swept:
        return
    _swept.add((folder, ours))
    with contextlib.suppress(OSError):
        latest = fresh.lstat().st_mtime - DAY
        with os.scandir(folder) as found:
            paths = [Path(one.path) for one in found if one.name.startswith((".batchrun-", "batchrun-"))]
        for path in paths:
            with contextlib.suppress(OSError):
                _remove_old(path, latest, ours)


def _remove_old(path: Path, latest: float, ours: re.Pattern[str]) -> None:
    if ours.fullmatch(path.name) and _is_nobodys(path, latest, stat.S_ISREG):
        path.unlink()
    elif _FOLDER.fullmatch(path.name) and _is_nobodys(path, latest, stat.S_ISDIR):
        inside = list(path.iterdir())
        if all(
            (one.name == _WORKBOOK or _FILE.fullmatch(one.name)) and one.lstat().st_mtime < latest for one in inside
        ):
            for one in inside:
                one.unlink()
            path.rmdir()


def _is_nobodys(path: Path, latest: float, kind: Callable[[int], bool]) -> bool:
    seen = path.lstat()
    return kind(seen.st_mode) and seen.st_mtime < latest and system.is_own(seen) and not system.is_held(path)
