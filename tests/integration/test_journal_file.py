"""The journal's file: private, durable, refused in one sentence where it cannot be used, and never mistaken."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import AS_VERSION_1, NOW, add_batch, draft, opened, row_values, states
from sqlalchemy import event, select, update

from batchrun.errors import BadInput, BatchrunError, JournalUnusable, NotFound, Stopped
from batchrun.io import journal_batches, journal_files, journal_rows, system
from batchrun.io.journal import Journal, journal_if_any, open_journal
from batchrun.io.journal_place import default_path
from batchrun.io.journal_tables import VERSION, batches, meta, rows
from batchrun.io.whole_file import sha256_of
from batchrun.model import State

POSIX = pytest.mark.skipif(os.name == "nt", reason="file modes are a matter of POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(path: Path) -> str:
    with pytest.raises(JournalUnusable) as caught:
        open_journal(path).close()
    assert "\n" not in caught.value.message
    return caught.value.message


@POSIX
def test_only_its_owner_can_read_a_journal_or_anything_beside_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with opened(tmp_path / "state" / "journal.db") as journal:
            batch = add_batch(journal, 3)
            journal.lock_file(batch.id)
            journal.simulator_file(batch.id)
            found = {path.name: mode(path) for path in (tmp_path / "state").iterdir()}
    finally:
        os.umask(before)
    assert mode(tmp_path / "state") == 0o700
    assert {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db.locks"} <= set(found)
    assert all(bits in (0o600, 0o700) for bits in found.values()), found


@POSIX
def test_the_copy_that_is_kept_of_an_older_journal_is_private_too(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    with opened(place) as journal:
        batch = add_batch(journal, 2)
        with journal.writing() as connection:
            for statement in AS_VERSION_1:
                connection.exec_driver_sql(statement)
    before = os.umask(0o022)
    try:
        with opened(place) as journal:
            assert states(journal, batch) == [State.READY] * 2
    finally:
        os.umask(before)
    copies = list(tmp_path.glob("journal.db.v1*"))
    assert copies
    assert {mode(copy) for copy in copies} == {0o600}


def test_a_commit_is_on_the_disk_before_it_counts(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal, journal.reading() as connection:
        said = {
            pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
            for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_a_transaction_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 2)
        with pytest.raises(ValueError, match="stop here"), journal.writing() as connection:
            connection.execute(update(rows).values(state="failed"))
            raise ValueError("stop here")
        assert states(journal, batch) == [State.READY] * 2
        add_batch(journal, 1)


@pytest.mark.parametrize("way", ["reading", "writing"])
def test_a_ctrl_c_within_a_statement_stays_one_and_the_journal_goes_on(tmp_path: Path, way: str) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 1)

        def interrupted(*_call: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), getattr(journal, way)() as connection:
            if way == "writing":
                connection.execute(update(batches).values(workbook="another"))
            event.listen(connection, "after_cursor_execute", interrupted)
            connection.execute(select(batches))
        with journal.writing() as connection:
            found = journal_batches.find(connection, batch.name)
        assert found is not None
        assert found.workbook == batch.workbook


def test_a_reader_does_not_disturb_a_writer_nor_see_half_a_step(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal, opened(tmp_path / "journal.db") as other:
        batch = add_batch(journal, 1)
        with journal.writing() as connection:
            connection.execute(update(rows).values(state="failed"))
            assert states(other, batch) == [State.READY]
        assert states(other, batch) == [State.FAILED]


def test_opening_a_journal_that_is_current_does_not_wait_for_its_writer(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal, journal.writing(), opened(tmp_path / "journal.db") as other:
        assert other.path == journal.path


def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    with opened(place) as journal, journal.writing() as connection:
        connection.execute(update(meta).where(meta.c.name == "version").values(value=str(VERSION + 1)))
        connection.exec_driver_sql("DROP TABLE run_ids")
    told = refusal(place)
    assert f"of version {VERSION + 1}" in told
    assert "newer batchrun" in told
    with contextlib.closing(sqlite3.connect(place)) as plain:
        assert not plain.execute("SELECT * FROM sqlite_master WHERE name = 'run_ids'").fetchall()


@pytest.mark.parametrize("content", [b"Dear diary\n" * 500, b"PK\x03\x04" + b"\0" * 5000, b"x"])
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "notes.txt"
    place.write_bytes(content)
    assert "is damaged or is no journal" in refusal(place)
    assert place.read_bytes() == content


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    with opened(place) as journal:
        add_batch(journal, 300)
    content = bytearray(place.read_bytes())
    content[100:4096] = os.urandom(3996)
    place.write_bytes(content)
    with pytest.raises(JournalUnusable), opened(place) as journal, journal.reading() as connection:
        connection.execute(select(batches)).all()


@POSIX
def test_a_folder_is_refused_and_its_mode_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir(mode=0o755)
    told = refusal(folder)
    assert "documents" in told
    assert mode(folder) == 0o755


def test_a_place_inside_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be opened" in refusal(tmp_path / "file" / "journal.db")


@POSIX
@pytest.mark.parametrize("there", [False, True], ids=["new", "existing"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, there: bool) -> None:
    """As another user where the tests run as root, to whom every folder is open."""
    folder = tmp_path / "folder"
    if there:
        with opened(folder / "journal.db"):
            pass
    folder.mkdir(exist_ok=True)
    folder.chmod(0o500)
    if there:
        (folder / "journal.db").chmod(0o400)
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom batchrun.errors import JournalUnusable\n"
        "from batchrun.io.journal import open_journal\nimport sqlalchemy.dialects.sqlite.pysqlite\n"
        "from sqlalchemy import create_engine\ncreate_engine('sqlite://')\n"
        "if os.getuid() == 0:\n    os.chown(sys.argv[1], 65534, 65534)\n    os.setuid(65534)\n"
        "try:\n    open_journal(Path(sys.argv[1]) / 'journal.db')\n"
        "except JournalUnusable as error:\n    print('REFUSED', error.message)\n"
    )
    for parent in [*tmp_path.parents, tmp_path]:
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 0o001 and str(parent).startswith("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o001)
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
    folder.chmod(0o700)
    assert done.stdout.startswith("REFUSED"), done.stderr
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("name", ["what?mode=memory", "50%20off", "a#b", "ünï cödé", "it's"])
def test_a_folder_of_any_name_holds_its_journal(tmp_path: Path, name: str) -> None:
    place = tmp_path / name / "journal.db"
    with opened(place) as journal:
        batch = add_batch(journal, 1)
    assert place.stat().st_size > 4096
    connection = sqlite3.connect(place)
    assert connection.execute("SELECT count(*) FROM rows").fetchone() == (1,)
    connection.close()
    with opened(place) as journal:
        assert states(journal, batch) == [State.READY]


@pytest.mark.parametrize("name", ["OneDrive - Firm", "Dropbox", "Google Drive"])
def test_a_folder_of_a_sync_client_is_refused(tmp_path: Path, name: str) -> None:
    assert "sync client" in refusal(tmp_path / name / "journal.db")
    assert not (tmp_path / name).exists()


def test_the_place_can_be_named_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHRUN_JOURNAL", str(tmp_path / "mine.db"))
    assert default_path() == tmp_path / "mine.db"
    assert journal_if_any() is None
    monkeypatch.delenv("BATCHRUN_JOURNAL")
    assert default_path() == system.state_folder() / "journal.db"


def test_a_command_that_records_nothing_makes_no_journal(tmp_path: Path) -> None:
    assert journal_if_any(tmp_path / "journal.db") is None
    assert list(tmp_path.iterdir()) == []


# --- batches, sealed and unsealed ---


def staged(journal: Journal, count: int = 3) -> int:
    with journal.writing() as connection:
        batch_id = journal_batches.stage(connection, draft(), NOW)
        journal_rows.insert_rows(connection, [row_values(batch_id, position) for position in range(count)])
    return batch_id


def test_a_batch_exists_once_it_is_sealed(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch_id = staged(journal)
        with journal.reading() as connection:
            assert journal_batches.every(connection) == []
            assert journal_batches.last(connection) is None
            assert journal_batches.unsealed(connection) == [batch_id]
        with journal.writing() as connection:
            assert journal_batches.seal(connection, batch_id, NOW) == "payouts-001"
        with journal.reading() as connection:
            assert [batch.name for batch in journal_batches.every(connection)] == ["payouts-001"]
            assert journal_batches.unsealed(connection) == []


def test_a_batch_that_was_left_half_written_goes_without_a_trace(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch_id = staged(journal)
        with journal.writing() as connection:
            journal_batches.discard(connection, batch_id)
        with journal.reading() as connection:
            assert connection.execute(select(rows)).all() == []
            assert connection.execute(select(batches)).all() == []


def test_the_number_of_a_discarded_batch_is_never_given_again(tmp_path: Path) -> None:
    """Else a maker whose batch was swept under its hands would go on in the next one's rows, locks and files."""
    with opened(tmp_path / "journal.db") as journal:
        first = staged(journal)
        with journal.writing() as connection:
            journal_batches.discard(connection, first)
        assert staged(journal) > first


def test_a_batch_that_was_sealed_meanwhile_is_never_discarded(tmp_path: Path) -> None:
    """A sweeper may have found a batch unsealed just before its maker sealed it, sent it and let go of the lock."""
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 3)
        with journal.writing() as connection:
            journal_batches.discard(connection, batch.id)
        assert states(journal, batch) == [State.READY] * 3


def test_the_keys_of_an_unsealed_batch_are_not_taken(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        staged(journal)
        second = staged(journal)
        with journal.writing() as connection:
            assert journal_rows.mark_duplicates(connection, second, "sandbox") == 0


def test_batches_of_one_stem_are_numbered_on(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        names = [add_batch(journal, 1, stem=stem).name for stem in ("a", "a", "a-b", "a", "a-b")]
    assert names == ["a-001", "a-002", "a-b-001", "a-003", "a-b-002"]


# --- copies of files ---


@pytest.mark.parametrize("size", [0, 1, journal_files.PIECE, 3 * journal_files.PIECE + 5])
def test_a_file_is_kept_and_given_back_as_it_was(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = tmp_path / "in.bin"
    path.write_bytes(content)
    sha256 = sha256_of(path)
    with opened(tmp_path / "journal.db") as journal:
        with journal.writing() as connection:
            journal_files.keep_file(connection, path, sha256)
            journal_files.keep_file(connection, path, sha256)
            assert journal_files.keep_bytes(connection, content) == sha256
        with journal.reading() as connection:
            assert journal_files.kept_bytes(connection, sha256) == content


def test_an_empty_file_that_was_kept_by_its_path_can_be_given_back(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with opened(tmp_path / "journal.db") as journal:
        with journal.writing() as connection:
            journal_files.keep_file(connection, path, sha256_of(path))
        with journal.reading() as connection:
            assert journal_files.kept_bytes(connection, sha256_of(path)) == b""


def test_a_file_that_changed_after_it_was_read_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"old")
    sha256 = sha256_of(path)
    path.write_bytes(b"new")
    with opened(tmp_path / "journal.db") as journal:
        with pytest.raises(BadInput, match="was changed"), journal.writing() as connection:
            journal_files.keep_file(connection, path, sha256)
        with journal.reading() as connection, pytest.raises(NotFound):
            journal_files.kept_bytes(connection, sha256)


def test_every_refusal_is_an_error_of_ours() -> None:
    assert issubclass(JournalUnusable, BatchrunError)


def test_another_program_s_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "places.sqlite"
    with contextlib.closing(sqlite3.connect(place)) as plain:
        plain.execute("CREATE TABLE bookmarks (url)")
    assert "another program's" in refusal(place)
    with contextlib.closing(sqlite3.connect(place)) as plain:
        assert plain.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


def test_a_journal_that_another_program_holds_for_too_long_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchrun.io.journal.BUSY_SECONDS", 0.05)
    with opened(tmp_path / "journal.db") as journal, contextlib.closing(sqlite3.connect(journal.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Stopped) as caught:
            add_batch(journal, 1)
        other.rollback()
        assert caught.value.code == "journal-busy"
        assert "\n" not in caught.value.message
        assert add_batch(journal, 1).name == "payouts-001"


def test_opening_it_twice_in_one_process_lets_go_of_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with opened(path) as journal:
        add_batch(journal, 1)
        open_journal(path).close()
        look = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM rows').fetchall()"
        subprocess.run([sys.executable, "-c", look, str(path)], check=True)
        assert path.with_name("journal.db-wal").exists()  # who closes it last takes the log away
        assert states(journal, add_batch(journal, 2, prefix="L")) == [State.READY] * 2
