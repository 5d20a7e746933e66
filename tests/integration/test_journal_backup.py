"""A copy of the journal: whole and checked or not there, never over another file, while others write."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import sys
import threading
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import add_batch, opened, states

from batchrun.errors import BadCommandLine, CouldNotStart, JournalUnusable, NotFound
from batchrun.flows import keeping
from batchrun.io import journal_backup, journal_batches
from batchrun.io.journal import Journal
from batchrun.io.journal_place import default_path, place_of


def left_over(folder: Path) -> list[str]:
    """Name what a copy may have left behind."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".batchrun-")]


def test_a_copy_opens_as_a_journal_with_all_that_is_in_it(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 5)
        place, copied = keeping.backup(journal.path, tmp_path / "new" / "copy.db")
        assert (place, copied.batches, copied.rows) == (journal.path, 1, 5)
        expected = states(journal, batch)
    assert copied.path == tmp_path / "new" / "copy.db"
    content = copied.path.read_bytes()
    assert (copied.sha256, copied.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert [path.name for path in copied.path.parent.iterdir()] == ["copy.db"]
    with opened(copied.path) as copy, copy.reading() as connection:
        found = journal_batches.find(connection, batch.name)
        assert found is not None
        assert states(copy, found) == expected


@pytest.mark.skipif(os.name == "nt", reason="file modes are a matter of POSIX")
def test_only_its_owner_can_read_a_copy(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with opened(tmp_path / "journal.db") as journal:
            _, copied = keeping.backup(journal.path, tmp_path / "copy.db")
    finally:
        os.umask(before)
    assert stat.S_IMODE(copied.path.stat().st_mode) == 0o600


def test_a_copy_is_of_one_moment_while_somebody_writes(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        add_batch(journal, 20)
        ends = threading.Event()

        def write() -> None:
            with opened(journal.path) as other:
                while not ends.is_set():
                    add_batch(other, 3)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            copies = [keeping.backup(journal.path, tmp_path / f"copy{number}.db")[1] for number in range(5)]
        finally:
            ends.set()
            writer.join()
        assert all(one.rows == 20 + 3 * (one.batches - 1) for one in copies)
        assert [one.batches for one in copies] == sorted(one.batches for one in copies)


def test_no_file_is_written_over(tmp_path: Path) -> None:
    taken = tmp_path / "copy.db"
    taken.write_text("mine", encoding="utf-8")
    with opened(tmp_path / "journal.db") as journal:
        add_batch(journal, 1)
        for place in (taken, journal.path):
            with pytest.raises(CouldNotStart, match="exists already and is left alone"):
                keeping.backup(journal.path, place)
        with pytest.raises(BadCommandLine, match="is a folder; name a file in it"):
            keeping.backup(journal.path, tmp_path)
    assert taken.read_text(encoding="utf-8") == "mine"
    assert left_over(tmp_path) == []


def test_a_name_that_is_taken_while_the_copy_is_made_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = tmp_path / "copy.db"
    copy = journal_backup._copy

    def meanwhile(journal: Path, beside: Path) -> dict[str, int]:
        wanted.write_text("mine", encoding="utf-8")
        return copy(journal, beside)

    monkeypatch.setattr(journal_backup, "_copy", meanwhile)
    with opened(tmp_path / "journal.db") as journal, pytest.raises(CouldNotStart, match="exists already"):
        keeping.backup(journal.path, wanted)
    assert wanted.read_text(encoding="utf-8") == "mine"
    assert left_over(tmp_path) == []


def test_a_damaged_journal_leaves_no_copy(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        add_batch(journal, 300)
    content = bytearray((tmp_path / "journal.db").read_bytes())
    for page in range(len(content) // 4096 // 2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    (tmp_path / "journal.db").write_bytes(content)
    with pytest.raises((CouldNotStart, JournalUnusable)) as caught:
        keeping.backup(tmp_path / "journal.db", tmp_path / "copy.db")
    assert "\n" not in caught.value.message
    assert not (tmp_path / "copy.db").exists()
    assert left_over(tmp_path) == []


def test_a_copy_that_lacks_something_is_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path / "journal.db") as journal:
        add_batch(journal, 1)
        counted = iter([{"batches": 2, "rows": 1, "steps": 0}, {"batches": 1, "rows": 1, "steps": 0}])
        monkeypatch.setattr(journal_backup, "_counts", lambda _journal: next(counted))
        with pytest.raises(CouldNotStart, match="the copy lacks batches"):
            keeping.backup(journal.path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_what_the_system_or_sqlite_say_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with opened(tmp_path / "journal.db") as journal:
        with pytest.raises(CouldNotStart, match="could not be written"):
            keeping.backup(journal.path, tmp_path / "file" / "copy.db")

        def full(_journal: Path, _copy: Path) -> dict[str, int]:
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(journal_backup, "_copy", full)
        with pytest.raises(CouldNotStart, match="disk is full; no copy was left"):
            keeping.backup(journal.path, tmp_path / "copy.db")


def test_where_no_journal_is_none_is_made_or_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="there is no journal"):
        keeping.backup(tmp_path / "none.db", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("BATCHRUN_JOURNAL", str(tmp_path / "other.db"))
    assert place_of(None) == default_path() == tmp_path / "other.db"
    assert place_of(tmp_path / "." / "named.db") == tmp_path / "named.db"


def test_a_journal_can_be_copied_by_two_at_once(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        add_batch(journal, 50)
        found: list[object] = []

        def copy(other: Journal) -> None:
            try:
                found.append(keeping.backup(other.path, tmp_path / "copy.db")[1].rows)
            except CouldNotStart as error:
                found.append(error.message)

        threads = [threading.Thread(target=copy, args=(journal,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 50 in found
    assert len([one for one in found if one != 50 and "exists already" in str(one)]) == 1
