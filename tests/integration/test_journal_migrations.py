"""A journal of an older version: brought up to date with all that is in it, after a copy as it was is kept."""

from __future__ import annotations

import sqlite3
import sys
import threading
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import AS_VERSION_1, AS_VERSION_2, AS_VERSION_3, add_batch, opened, states

from batchrun.io import journal_batches, journal_decisions, journal_migrations, journal_steps, journal_workbooks
from batchrun.io.journal import open_journal
from batchrun.io.journal_migrations import keep_copy
from batchrun.io.journal_tables import VERSION
from batchrun.io.journal_workbooks import WrittenWorkbook
from batchrun.model import State


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a journal of version 1 that holds a batch of three rows."""
    path = tmp_path / "journal.db"
    with opened(path) as journal:
        add_batch(journal, 3)
        with journal.writing() as connection:
            for statement in AS_VERSION_1:
                connection.exec_driver_sql(statement)
    return path


def ask(path: Path, question: str) -> object:
    """Ask a journal one thing, without batchrun."""
    journal = sqlite3.connect(path)
    try:
        return journal.execute(question).fetchone()[0]
    finally:
        journal.close()


VERSION_IN = "SELECT value FROM meta WHERE name = 'version'"
ROWS_IN = "SELECT count(*) FROM rows"
HAS_COLUMN = "SELECT count(*) FROM pragma_table_info('batches') WHERE name = 'cancel_asked_at'"


def copy_of(place: Path) -> Path:
    """Give where the copy is kept."""
    return place.with_name("journal.db.v1")


def test_an_older_journal_is_brought_up_to_date_and_a_copy_is_kept(place: Path) -> None:
    with opened(place) as journal, journal.reading() as connection:
        batch = add_batch(journal, 0, job="other")
        assert journal_steps.cancel_asked(connection, batch) is False
    assert (ask(place, VERSION_IN), ask(place, ROWS_IN), ask(place, HAS_COLUMN)) == (str(VERSION), 3, 1)
    assert (ask(copy_of(place), VERSION_IN), ask(copy_of(place), ROWS_IN)) == ("1", 3)
    assert ask(copy_of(place), HAS_COLUMN) == 0
    assert ask(copy_of(place), "PRAGMA integrity_check") == "ok"


def test_the_copy_holds_what_lay_in_the_log_only(place: Path) -> None:
    writer = sqlite3.connect(place)
    writer.execute("PRAGMA wal_autocheckpoint=0")
    writer.execute("UPDATE rows SET state = 'in_doubt'")
    writer.commit()
    assert place.with_name("journal.db-wal").stat().st_size > 0
    open_journal(place).close()
    writer.close()
    assert ask(copy_of(place), "SELECT count(*) FROM rows WHERE state = 'in_doubt'") == 3


def test_version_2_knows_its_workbooks_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with opened(path) as journal:
        batch = add_batch(journal, 1, workbook="/there/out.xlsx")
        with journal.writing() as connection:
            journal_batches.amend(connection, batch.id, workbook_sha256="5" * 64)
            for statement in AS_VERSION_2:
                connection.exec_driver_sql(statement)
    with opened(path) as journal, journal.reading() as connection:
        assert list(journal_decisions.standings(connection, batch)) == []
        known = journal_workbooks.written_at(connection, Path("/there/out.xlsx"))
    assert known == WrittenWorkbook(batch.name, "5" * 64, {}, kept=False)
    assert ask(path.with_name("journal.db.v2"), VERSION_IN) == "2"


def test_version_3_gets_the_tables_that_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with opened(path) as journal:
        add_batch(journal, 2)
        with journal.writing() as connection:
            for statement in AS_VERSION_3:
                connection.exec_driver_sql(statement)
    open_journal(path).close()
    assert [ask(path, f"SELECT count(*) FROM {table}") for table in ("rows", "versions_seen", "purges", "paces")] == [
        2, 0, 0, 0,
    ]  # fmt: skip
    assert ask(path.with_name("journal.db.v3"), VERSION_IN) == "3"


def test_a_migration_that_breaks_leaves_the_journal_as_it_was(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {2: ("ALTER TABLE batches ADD COLUMN cancel_asked_at VARCHAR", "this is no SQL")}
    monkeypatch.setattr(journal_migrations, "STEPS", steps)
    with pytest.raises(Exception, match="syntax error"):
        open_journal(place).close()
    assert (ask(place, VERSION_IN), ask(place, ROWS_IN), ask(place, HAS_COLUMN)) == ("1", 3, 0)
    monkeypatch.undo()
    open_journal(place).close()
    assert ask(place, VERSION_IN) == str(VERSION)


def test_a_copy_taken_too_late_does_not_replace_the_one_that_was_kept(place: Path) -> None:
    open_journal(place).close()
    keep_copy(place, 1)  # as another process does that had looked before the first one was done
    assert ask(copy_of(place), VERSION_IN) == "1"


def test_a_copy_that_breaks_leaves_no_half_of_one(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_copy(place, 1)
    place.write_bytes(place.read_bytes()[:5000])
    with pytest.raises(sqlite3.DatabaseError):
        keep_copy(place, 1)
    assert ask(copy_of(place), ROWS_IN) == 3
    assert sorted(path.name for path in place.parent.iterdir() if ".v1" in path.name) == ["journal.db.v1"]


def test_many_that_open_it_at_once_all_find_it_up_to_date(place: Path) -> None:
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            open_journal(place).close()
        except BaseException as error:  # noqa: BLE001  # told below
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (ask(place, VERSION_IN), ask(place, ROWS_IN), ask(copy_of(place), VERSION_IN)) == (str(VERSION), 3, "1")


def test_a_journal_that_is_current_is_not_copied(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    for _ in range(2):
        with opened(place) as journal:
            assert states(journal, add_batch(journal, 1)) == [State.READY]
    assert not list(tmp_path.glob("*.v*"))
