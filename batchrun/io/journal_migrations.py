"""Brings a journal of an older version up to date, one version at a time, after a copy was kept."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, update

from batchrun.io import system
from batchrun.io.journal_tables import VERSION, meta

# What each version added, as the statements that lead to it from the one before.
STEPS: dict[int, tuple[str, ...]] = {
    2: ("ALTER TABLE batches ADD COLUMN cancel_asked_at VARCHAR",),
    # Tables that are new are made before the steps: decisions, their answers, and every workbook by its place.
    3: (
        "ALTER TABLE rows ADD COLUMN leader INTEGER",
        "CREATE INDEX rows_by_leader ON rows (batch_id, leader) WHERE leader IS NOT NULL",
        "INSERT OR IGNORE INTO workbooks (path, batch_id, sha256, widths, kept, written_at) "
        "SELECT workbook, id, workbook_sha256, '{}', 0, created_at FROM batches "
        "WHERE workbook_sha256 IS NOT NULL AND name IS NOT NULL ORDER BY id DESC",
    ),
    4: (),  # new tables alone: versions seen, purges, adoptions, paces
}


def keep_copy(path: Path, version: int) -> Path:
    """Keep a copy of a journal beside it, as `journal.db.v1`; SQLite's own backup takes what is in the WAL too.

    The copy is whole or not there; one that another process brought up to date meanwhile replaces nothing.
    """
    copy = path.with_name(f"{path.name}.v{version}")
    beside = path.with_name(f"{copy.name}.{secrets.token_hex(6)}.tmp")
    beside.touch(mode=0o600)
    system.make_private(beside)
    try:
        if _backup(path, beside) == str(version):
            beside.replace(copy)
    finally:
        beside.unlink(missing_ok=True)
    return copy


def _backup(path: Path, copy: Path) -> str | None:
    """Copy a journal; give the version of what was copied."""
    source, target = sqlite3.connect(path), sqlite3.connect(copy)
    try:
        source.backup(target)
        found = target.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
        return None if found is None else str(found[0])
    finally:
        source.close()
        target.close()


def migrate(connection: Connection, version: int) -> None:
    """Take every step from a version to this program's, in the one transaction of the connection."""
    for number in range(version + 1, VERSION + 1):
        for statement in STEPS[number]:
            connection.exec_driver_sql(statement)
    connection.execute(update(meta).where(meta.c.name == "version").values(value=str(VERSION)))
