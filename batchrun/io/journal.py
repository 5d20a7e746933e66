"""The only module that opens the journal: where it lies, how durable it is, and which version it has.

WAL with synchronous=FULL survives a power cut, not only a kill: a commit is on the disk before it counts.
"""

from __future__ import annotations

import contextlib
import glob
import sqlite3
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.exc import DatabaseError, OperationalError

from batchrun.errors import JournalUnusable, Stopped
from batchrun.io import journal_migrations, system
from batchrun.io.journal_place import place_if_any, place_of
from batchrun.io.journal_tables import VERSION, meta, metadata

BUSY_SECONDS = 30
NAP = 0.02
RESERVE_BYTES = 4 << 20
SQLITE = b"SQLite format 3\0"


class Journal:
    """One open journal. Use it from one thread at a time; open it again for another thread."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._engine = engine
        _OPEN.add(self)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Run one short transaction that takes the write lock at once; it commits durably or not at all."""
        with _told(self.path), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                _roll_back(connection)
                raise
            try:
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read one consistent state, without disturbing whoever writes."""
        with _told(self.path), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                _roll_back(connection)

    def beside(self) -> Journal:
        """Open it once more, for another thread, and for what is of no use after a power cut: a kill it survives."""
        return Journal(self.path, _engine(self.path, durable=False))

    def rewrite(self) -> bool:
        """Write the whole file anew, so that no byte of what was deleted is left in it or in its log.

        It takes as much room again, and keeps writers waiting meanwhile. False where a reader keeps the log in use.
        """
        with _told(self.path), self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
            connection.exec_driver_sql("PRAGMA temp_store=FILE")  # a large journal would not fit into the memory
            connection.exec_driver_sql("VACUUM")
            busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            connection.exec_driver_sql("PRAGMA temp_store=MEMORY")
            return not busy

    def close(self) -> None:
        """Close the journal."""
        self._engine.dispose()
        _OPEN.discard(self)

    @property
    def reserve(self) -> Path:
        """A file of some megabytes that is given up when the disk is full, so that answers in flight find room."""
        return self.path.with_name(f"{self.path.name}.reserve")

    def free_reserve(self) -> bool:
        """Give the reserve up; False where it was given up before."""
        try:
            self.reserve.unlink()
        except OSError:
            return False
        return True

    def lock_file(self, batch_id: int) -> Path:
        """Give the file whose lock the sender of a batch holds."""
        return self._beside("locks") / f"{batch_id}.lock"

    def review_lock_file(self, batch_id: int) -> Path:
        """Give the file whose lock whoever sends a batch's decisions holds."""
        return self._beside("locks") / f"{batch_id}.review.lock"

    def simulator_file(self, batch_id: int) -> Path:
        """Give the file in which a simulated batch's runs are kept."""
        return self._beside("simulated") / f"{batch_id}.db"

    def remove_simulated(self, batch_id: int) -> None:
        """Remove a simulated batch's runs; where another program has them open, they stay until the next time."""
        place = self.simulator_file(batch_id)
        for path in (place, *(place.with_name(f"{place.name}-{part}") for part in ("wal", "shm", "journal"))):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def copies(self) -> list[Path]:
        """Give the copies beside the journal that were kept when it was brought up to date."""
        return sorted(self.path.parent.glob(f"{glob.escape(self.path.name)}.v[0-9]*"))

    def _beside(self, what: str) -> Path:
        folder = self.path.with_name(f"{self.path.name}.{what}")
        system.make_private_folder(folder)
        return folder


def open_journal(path: Path | None = None) -> Journal:
    """Open the journal, and make it where there is none. Raise JournalUnusable in one sentence."""
    place = place_of(path)
    try:
        system.refuse_shared_folder(place.parent)
        system.make_private_folder(place.parent)
        if not place.exists():
            place.touch(mode=0o600)
        if not any(journal.path == place for journal in _OPEN):
            _refuse_what_is_no_journal(place)
        system.make_private(place)
    except OSError as error:
        raise JournalUnusable(
            f"the journal {place} cannot be opened: {error.strerror}; choose another place with --journal"
        ) from None
    journal = Journal(place, _engine(place))
    try:
        with _told(place):
            _prepare(journal)
    except BaseException:
        journal.close()
        raise
    _make_reserve(journal.reserve)
    return journal


# The journals that this process has open. On POSIX systems, whoever opens such a file by hand and closes it again lets
# go of every lock that the process holds on it; another process would then take the log from under it.
_OPEN: weakref.WeakSet[Journal] = weakref.WeakSet()


def _refuse_what_is_no_journal(path: Path) -> None:
    # Before its mode is changed; and SQLite would take a file of a few bytes for an empty one.
    if path.is_dir():
        raise JournalUnusable(f"{path} is a folder; name a file in it with --journal or BATCHRUN_JOURNAL")
    with path.open("rb") as file:
        begins = file.read(len(SQLITE))
    if begins not in (b"", SQLITE):
        raise JournalUnusable(f"the file {path} is damaged or is no journal; name another with --journal")


def _roll_back(connection: Connection) -> None:
    # SQLite has rolled back by itself after some errors, a full disk among them; then there is nothing left to do.
    # Nor is there after a Ctrl-C within a statement: SQLAlchemy has thrown the connection away.
    if not connection.invalidated and getattr(connection.connection.dbapi_connection, "in_transaction", True):
        connection.exec_driver_sql("ROLLBACK")


def _make_reserve(path: Path) -> None:
    # Written, not only sized: a sparse file would hold no room. No room for it now is no reason not to work.
    if path.exists():
        return
    try:
        with path.open("xb") as file:
            file.write(b"\0" * RESERVE_BYTES)
        system.make_private(path)
    except OSError:
        path.unlink(missing_ok=True)


def journal_if_any(path: Path | None = None) -> Journal | None:
    """Open the journal where there is one, for commands that record nothing."""
    place = place_if_any(path)
    return None if place is None else open_journal(place)


def _engine(path: Path, *, durable: bool = True) -> Engine:
    url = URL.create("sqlite", database=str(path))  # as text, a ? in a folder's name would cut it short
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN and COMMIT are said by this module alone
        _keep_a_log(connection)
        for pragma in (f"synchronous={'FULL' if durable else 'NORMAL'}", "foreign_keys=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "invalidate")
    def _let_go(connection: Any, _record: object, _error: object) -> None:
        connection.rollback()  # closed with a cursor that somebody still has, it would keep its locks

    return engine


def _keep_a_log(connection: sqlite3.Connection) -> None:
    # SQLite waits for no other process when a new file changes to WAL, so that of several at once some must try again.
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(NAP)
        else:
            return


def _prepare(journal: Journal) -> None:
    """Make the tables of a new journal, and bring an older one up to date; one that is current is only read."""
    found = _version(journal)
    if found == VERSION:
        return
    if found is not None and found > VERSION:
        raise JournalUnusable(
            f"the journal {journal.path} is of version {found}, and this batchrun knows version {VERSION}; "
            "install a newer batchrun"
        )
    if found is not None:
        journal_migrations.keep_copy(journal.path, found)
    with journal.writing() as connection:
        metadata.create_all(connection)
        now = connection.execute(select(meta.c.value).where(meta.c.name == "version")).scalar()
        if now is None:
            connection.execute(insert(meta).values(name="version", value=str(VERSION)))
        elif int(now) < VERSION:  # else another process was quicker
            journal_migrations.migrate(connection, int(now))


def _version(journal: Journal) -> int | None:
    """Give an existing journal's version; None for a file without tables."""
    with journal.reading() as connection:
        tables = inspect(connection).get_table_names()
        if tables and meta.name not in tables:
            raise JournalUnusable(f"the file {journal.path} is another program's; name another with --journal")
        if not tables:
            return None
        found = connection.execute(select(meta.c.value).where(meta.c.name == "version")).scalar()
        if found is not None and not str(found).isdigit():
            raise JournalUnusable(f"the journal {journal.path} is damaged (its version is no number); name another")
        return None if found is None else int(found)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Translate what SQLite says into one sentence for people."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        said = str(getattr(error, "orig", error))
        if "full" in said or "disk I/O" in said:
            raise Stopped(
                f"the disk that holds the journal {path} is full ({said}); make room", code="disk-full"
            ) from None
        if "locked" in said or "busy" in said:
            raise Stopped(
                f"the journal {path} was held by another program for {BUSY_SECONDS} s", code="journal-busy"
            ) from None
        if "readonly" in said or "unable to open" in said:
            raise JournalUnusable(f"the journal {path} cannot be written ({said}); check the folder's rights") from None
        raise
    except (DatabaseError, sqlite3.DatabaseError) as error:
        said = str(getattr(error, "orig", error))
        if "malformed" in said or "not a database" in said:
            raise JournalUnusable(
                f"the file {path} is damaged or is no journal ({said}); move it away, or name another with --journal"
            ) from None
        raise
