"""Copies the whole journal into a new file while others write, through SQLite's own backup."""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from batchrun.errors import CouldNotStart
from batchrun.io import leftovers, system, whole_file

COUNTED = {
    "batches": "SELECT count(*) FROM batches WHERE name IS NOT NULL",
    "rows": "SELECT count(*) FROM rows WHERE batch_id IN (SELECT id FROM batches WHERE name IS NOT NULL)",
    "steps": "SELECT count(*) FROM events",
}


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that was written and checked."""

    path: Path
    batches: int
    rows: int
    sha256: str
    bytes: int


def backup(journal: Path, wanted: Path) -> Copied:
    """Copy the journal into a new file, whole or not at all; raise CouldNotStart where that cannot be."""
    try:
        return _backup(journal, wanted)
    except FileExistsError:
        raise CouldNotStart(f"{wanted} exists already and is left alone; choose another name with -o") from None
    except OSError as error:
        raise CouldNotStart(f"{wanted} could not be written: {error.strerror}") from None
    except sqlite3.Error as error:
        raise CouldNotStart(f"{journal} could not be copied to {wanted}: {error}; no copy was left") from None


def _backup(journal: Path, wanted: Path) -> Copied:
    if wanted.exists():
        raise FileExistsError
    _make_folder(wanted.parent)
    beside = wanted.parent / f".batchrun-{secrets.token_hex(6)}.tmp"
    try:
        beside.touch(mode=0o600)
        system.make_private(beside)
        leftovers.sweep(beside)
        # Not held: SQLite opens it by itself, and on a network drive a lock of ours would keep it out.
        counts = _copy(journal, beside)
        whole_file.sync(beside)
        sha256 = whole_file.sha256_of(beside)
        whole_file.rename_new(beside, wanted)
    finally:
        for path in (beside, *(beside.with_name(f"{beside.name}-{part}") for part in ("wal", "shm", "journal"))):
            path.unlink(missing_ok=True)
    whole_file.sync_folder(wanted.parent)
    return Copied(wanted, counts["batches"], counts["rows"], sha256, wanted.stat().st_size)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # which would read as if the copy itself were there
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _copy(journal: Path, copy: Path) -> dict[str, int]:
    """Copy, and hold the copy against itself and against what the journal held before."""
    with closing(sqlite3.connect(journal)) as source, closing(sqlite3.connect(copy)) as target:
        before = _counts(source)
        source.backup(target)
        target.execute(
            "PRAGMA journal_mode=DELETE"
        )  # one file that is whole by itself, also where nothing can be written
        found = [line for (line,) in target.execute("PRAGMA integrity_check(5)")]
        counts = _counts(target)
    if found != ["ok"]:
        raise CouldNotStart(f"the journal {journal} is damaged ({'; '.join(found)}); no copy was left", code="damaged")
    fewer = [name for name in ("batches", "steps") if counts[name] < before[name]]  # of these, none is ever removed
    if fewer:
        raise CouldNotStart(f"the copy lacks {' and '.join(fewer)} of {journal}; no copy was left", code="damaged")
    return counts


def _counts(journal: sqlite3.Connection) -> dict[str, int]:
    return {name: int(journal.execute(question).fetchone()[0]) for name, question in COUNTED.items()}
