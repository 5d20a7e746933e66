"""Temporary files of commands that were killed go away after a day; what may be anybody's stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from batchrun.io import journal_backup, system
from batchrun.io.journal import open_journal
from batchrun.io.temporary_copy import TemporaryCopy
from batchrun.io.whole_file import new_file, whole_file

LEFT = ".batchrun-0123456789ab.tmp"
WRITERS = [whole_file, new_file]
HOURS = 3600.0


def aged(path: Path, hours: float = 25) -> Path:
    """Make a file, or a folder with what is in it, as old as this."""
    if not path.exists() and not path.is_symlink():
        path.write_bytes(b"left")
    moment = path.stat().st_mtime - hours * HOURS
    for one in (*(path.iterdir() if path.is_dir() else ()), path):
        os.utime(one, (moment, moment))
    return path


def write(folder: Path, writer: Any = whole_file, name: str = "mine.txt") -> None:
    writing: AbstractContextManager[Any] = writer(folder / name)
    with writing as file:
        file.write(b"mine")


@pytest.mark.parametrize("writer", WRITERS)
def test_what_a_command_left_that_was_killed_a_day_ago_goes(tmp_path: Path, writer: Any) -> None:
    aged(tmp_path / LEFT)
    aged(tmp_path / f"{LEFT}-journal")
    write(tmp_path, writer)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "name", [".batchrun-notes.tmp", ".batchrun-0123456789ab.tmp.bak", "batchrun-0123456789ab.tmp", ".batchrun-ab.tmp"]
)
def test_files_of_other_names_stay(tmp_path: Path, name: str) -> None:
    aged(tmp_path / name)
    write(tmp_path)
    assert (tmp_path / name).exists()


def test_a_younger_one_stays(tmp_path: Path) -> None:
    aged(tmp_path / LEFT, hours=23)
    write(tmp_path)
    assert (tmp_path / LEFT).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links as POSIX has them")
def test_a_link_of_such_a_name_stays_and_what_it_leads_to(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = aged(elsewhere / "kept.txt")
    (tmp_path / LEFT).symlink_to(kept)
    (tmp_path / ".batchrun-abcd_123").symlink_to(elsewhere)
    write(tmp_path)
    assert (tmp_path / LEFT).is_symlink()
    assert kept.exists()


@pytest.mark.parametrize("writer", WRITERS)
def test_what_somebody_still_writes_stays_however_long_it_takes(tmp_path: Path, writer: Any) -> None:
    code = (
        "import sys; from pathlib import Path; from batchrun.io.whole_file import new_file, whole_file\n"
        f"with {writer.__name__}(Path(sys.argv[1])) as file:\n"
        "    print('writing', flush=True); sys.stdin.readline()"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "theirs.txt")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        (beside,) = tmp_path.iterdir()
        aged(beside)
        write(tmp_path)
        assert beside.exists()
        process.communicate("go on\n", timeout=30)
    assert process.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt", "theirs.txt"}


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells what a process has open")
@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_written_is_held_by_the_very_descriptor_that_writes_it(tmp_path: Path, writer: Any) -> None:
    """On a Windows share a lock is no mere sign: whatever goes through another descriptor of the file is refused."""
    with writer(tmp_path / "mine.txt"):
        (beside,) = tmp_path.iterdir()
        opened = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
        assert opened.count(str(beside)) == 1
        assert system.is_held(beside)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")
def test_what_a_killed_writer_held_is_held_no_more(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from batchrun.io.whole_file import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as file: os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "theirs.txt")], check=False)
    assert done.returncode == -signal.SIGKILL
    (beside,) = tmp_path.iterdir()
    aged(beside)
    write(tmp_path)
    assert not beside.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")
@pytest.mark.parametrize("killed", [True, False])
def test_the_copy_of_a_workbook_that_a_killed_command_was_reading_goes_and_one_that_is_read_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import os, sys; from batchrun.io.temporary_copy import TemporaryCopy\n"
        "copy = TemporaryCopy('copy', '.xlsx'); print(flush=True); sys.stdin.readline()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (theirs,) = tmp_path.iterdir()
        aged(theirs)
        if killed:
            process.kill()
            process.wait()
        with TemporaryCopy("sheets", ".xlsx") as mine:
            assert theirs.exists() is not killed
        process.kill()
    assert not mine.path.exists()


@pytest.mark.parametrize("name", ["batchrun-copy-notes.xlsx", "batchrun-old-abcd_123.xlsx", LEFT])
def test_other_files_among_the_system_s_temporary_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    aged(tmp_path / name)
    TemporaryCopy("copy", ".xlsx").release()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("inside", "goes"), [("results.xlsx", True), (LEFT, True), ("notes.txt", False)])
def test_the_folder_of_an_auditor_s_pack_that_was_never_finished_goes_unless_it_holds_more(
    tmp_path: Path, inside: str, goes: bool
) -> None:
    folder = tmp_path / ".batchrun-abcd_123"
    folder.mkdir()
    (folder / inside).write_bytes(b"left")
    aged(folder)
    write(tmp_path)
    assert folder.exists() is not goes


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody remove what is open")
def test_a_folder_that_is_held_stays(tmp_path: Path) -> None:
    folder = tmp_path / ".batchrun-abcd_123"
    folder.mkdir()
    (folder / "results.xlsx").write_bytes(b"theirs")
    aged(folder)
    with system.held(folder):
        write(tmp_path)
    assert (folder / "results.xlsx").exists()


def test_a_copy_of_the_journal_sweeps_too(tmp_path: Path) -> None:
    open_journal(tmp_path / "journal.db").close()
    copies = tmp_path / "copies"
    copies.mkdir()
    aged(copies / LEFT)
    journal_backup.backup(tmp_path / "journal.db", copies / "copy.db")
    assert [path.name for path in copies.iterdir()] == ["copy.db"]
