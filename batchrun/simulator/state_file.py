"""The file that keeps runs over a stop or a kill: SQLite, written before a call is answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import orjson

from batchrun.simulator.runs import Decision, Fate, Run

_APPLICATION = 0x52415053  # marks the file as ours, so that no other database is written into
_RUN_FIELDS = "number, id, content, procedure, environment, version_id, data, created"
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, content BLOB NOT NULL,
    procedure TEXT NOT NULL, environment TEXT NOT NULL, version_id TEXT NOT NULL, data BLOB NOT NULL,
    created INTEGER NOT NULL, fate BLOB NOT NULL, cancelled INTEGER);
CREATE TABLE IF NOT EXISTS decisions (key TEXT PRIMARY KEY, run_id TEXT NOT NULL, at INTEGER NOT NULL,
    approved INTEGER NOT NULL, outputs BLOB, reason TEXT);
CREATE TABLE IF NOT EXISTS refused (content BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told (run_id TEXT, stage INTEGER, PRIMARY KEY (run_id, stage)) WITHOUT ROWID;
"""


class StateError(Exception):
    """The state file cannot be used."""


class StateFile:
    """One open state file. Each change is committed by itself (13 µs); a kill loses none, a power cut may."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = _opened(path)
        except sqlite3.Error as fault:
            raise StateError(f"The state file {path} cannot be used: {fault}.") from fault

    def runs(self) -> Iterator[Run]:
        """Give back every run, in the order of acceptance."""
        decided = self._decisions()
        for row in self._db.execute(f"SELECT {_RUN_FIELDS}, fate, cancelled FROM runs ORDER BY number"):  # noqa: S608  # a constant
            facts: tuple[int, str, bytes, str, str, str, bytes, int] = row[:8]
            yield Run(*facts, _fate(row[8]), tuple(decided.get(facts[1], ())), row[9])

    def refused(self) -> dict[bytes, int]:
        """Give back how often a start of each content was refused."""
        return dict(self._db.execute("SELECT content, times FROM refused"))

    def told(self) -> set[tuple[str, int]]:
        """Give back which stages of which runs were delivered as webhooks."""
        return set(self._db.execute("SELECT run_id, stage FROM told"))

    def add(self, run: Run) -> None:
        """Keep an accepted run."""
        facts = (run.number, run.id, run.content, run.procedure, run.environment, run.version_id, run.data, run.created)
        self._db.execute("INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,NULL)", (*facts, _fate_text(run.fate)))

    def refuse(self, content: bytes, times: int) -> None:
        """Keep how often a start of this content was refused."""
        self._db.execute("INSERT OR REPLACE INTO refused VALUES (?,?)", (content, times))

    def cancel(self, run_id: str, at: int) -> None:
        """Keep a cancellation."""
        self._db.execute("UPDATE runs SET cancelled = ? WHERE id = ?", (at, run_id))

    def decide(self, run_id: str, decision: Decision) -> None:
        """Keep a reviewer's decision."""
        said = (decision.at, decision.approved, decision.outputs, decision.reason)
        self._db.execute("INSERT INTO decisions VALUES (?,?,?,?,?,?)", (decision.key, run_id, *said))

    def tell(self, run_id: str, stage: int) -> None:
        """Keep that a stage was delivered as a webhook."""
        self._db.execute("INSERT OR IGNORE INTO told VALUES (?,?)", (run_id, stage))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _decisions(self) -> dict[str, list[Decision]]:
        decided: dict[str, list[Decision]] = {}
        columns = "run_id, key, at, approved, outputs, reason"
        for run_id, key, at, approved, *rest in self._db.execute(f"SELECT {columns} FROM decisions ORDER BY at, rowid"):  # noqa: S608  # a constant
            decided.setdefault(run_id, []).append(Decision(key, at, bool(approved), *rest))
        return decided


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None, timeout=0.1)
    try:
        _prepare(db)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    # One simulator a file: the lock is held for good, and the system drops it when its holder is killed.
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != _APPLICATION and tables:
        raise sqlite3.DatabaseError("it is no state file of the simulator")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")
    db.execute(f"PRAGMA application_id = {_APPLICATION}")
    db.executescript(_TABLES)


def _fate_text(fate: Fate) -> bytes:
    parts = (
        fate.pending,
        fate.stretches,
        fate.error,
        fate.output.decode(),
        fate.review_title,
        fate.review_data.decode(),
    )
    return orjson.dumps(parts)


def _fate(text: bytes) -> Fate:
    pending, stretches, error, output, title, data = orjson.loads(text)
    return Fate(pending, tuple(stretches), error, output.encode(), title, data.encode())
