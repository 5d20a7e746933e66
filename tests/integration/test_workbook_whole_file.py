"""A whole file or none."""

import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from batchrun.io.whole_file import NOTHING, ChangedMeanwhile, whole_file, write_whole


def test_a_file_appears_only_whole_and_its_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "f.txt"
    with whole_file(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    write_whole(path, b"old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as file:
        file.write(b"ne")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_kill_while_writing_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    write_whole(path, b"old")
    code = (
        "import os, signal, pathlib, sys; from batchrun.io.whole_file import whole_file\n"
        "with whole_file(pathlib.Path(sys.argv[1])) as f:\n"
        "    f.write(b'half'); f.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=30)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_an_older_files_mode_and_link_are_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "f.txt", tmp_path / "link.txt"
    write_whole(path, b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_that_somebody_saved_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    write_whole(path, b"old")
    old = hashlib.sha256(b"old").hexdigest()
    with pytest.raises(ChangedMeanwhile) as caught, whole_file(path, unless_changed=old) as file:
        file.write(b"new")
        path.write_bytes(b"theirs")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"theirs", [path])
    assert caught.value.strerror == "it was changed meanwhile"


def test_a_file_that_somebody_took_away_meanwhile_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    with pytest.raises(ChangedMeanwhile), whole_file(path, unless_changed="0" * 64) as file:
        file.write(b"new")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_as_it_was_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    write_whole(path, b"old")
    with whole_file(path, unless_changed=hashlib.sha256(b"old").hexdigest()) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_a_file_that_somebody_put_there_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    with pytest.raises(ChangedMeanwhile), whole_file(path, unless_changed=NOTHING) as file:
        file.write(b"new")
        path.write_bytes(b"theirs")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"theirs", [path])


def test_a_file_that_nobody_put_there_is_made(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    with whole_file(path, unless_changed=NOTHING) as file:
        file.write(b"new")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"new", [path])
