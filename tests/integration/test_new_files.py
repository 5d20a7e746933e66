"""A new file is whole or not there, and replaces nothing; a draft's two files come together."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from batchrun.errors import BadCommandLine, CouldNotStart
from batchrun.flows import init as flow
from batchrun.flows.init import Wish, init
from batchrun.io.whole_file import write_new


def test_a_new_file_is_written_whole_and_its_folders_are_made(tmp_path: Path) -> None:
    write_new(tmp_path / "a" / "b.txt", b"all of it")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"all of it"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def no_links(_path: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    path = tmp_path / "b.txt"
    write_new(path, b"first")
    with pytest.raises(FileExistsError):
        write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert [one.name for one in tmp_path.iterdir()] == ["b.txt"]


def sheet(folder: Path) -> Path:
    path = folder / "in.csv"
    path.write_text("No,Name\n1,a\n2,b\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("there", "error", "said"), [(False, CouldNotStart, "No space left"), (True, BadCommandLine, "exists already")]
)
def test_no_schema_is_left_behind_without_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool, error: type[Exception], said: str
) -> None:
    def full(path: Path, data: bytes) -> None:
        if path.name == "j.yaml":
            if there:  # somebody made it after the first look
                path.write_bytes(b"mine")
            raise OSError(errno.ENOSPC, "No space left on device")
        write_new(path, data)

    monkeypatch.setattr(flow, "write_new", full)
    with pytest.raises(error, match=said):
        init(Wish(sheet(tmp_path), output=tmp_path / "j.yaml"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", *(["j.yaml"] if there else [])]


@pytest.mark.parametrize(
    ("file", "job"),
    [
        ("Payouts 2026-10.xlsx", "payouts-2026-10"),
        ("in.csv.gz", "in"),
        ("a.b.TSV", "a-b"),
        ("noending", "noending"),
        ("日本.csv", "job"),
    ],
)
def test_the_job_is_named_after_the_sheet(file: str, job: str) -> None:
    assert flow._name_of(Path(file)) == job


def test_headers_with_numbers_say_how_many_places_a_list_may_have() -> None:
    assert flow._places(("SKU 1", "SKU 2", "Year 2026", "x")) == 2
    assert flow._places(("a", "b")) == 1


def test_a_file_on_another_drive_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(_path: Path, _start: Path) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(flow.os.path, "relpath", elsewhere)
    assert flow._from(tmp_path / "j.yaml", tmp_path / "in.csv") == (tmp_path / "in.csv").as_posix()
