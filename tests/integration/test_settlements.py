"""A CSV of run ids as people save it, and every line that cannot be read told with its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchrun.errors import BadDecisions, NotFound
from batchrun.io.settlements import Settlement, read_run_ids


def read(tmp_path: Path, content: str | bytes) -> list[tuple[int, str | None, str]]:
    """Write a file, and read it as settlements."""
    path = tmp_path / "found.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(one.row, one.run_id, one.place) for one in read_run_ids(path)]


def refusal(tmp_path: Path, content: str | bytes) -> tuple[str, ...]:
    """Give what is said against a file."""
    with pytest.raises(BadDecisions) as caught:
        read(tmp_path, content)
    return caught.value.faults


@pytest.mark.parametrize(
    "content",
    [
        "row,run_id\n3,run_a\n5,run_b\n",
        "\ufeffrow,run_id\r\n3,run_a\r\n5,run_b\r\n",
        "_row,_run_id\n3,run_a\n5,run_b",
        "Row , Run ID \n 3 , run_a \n 5 , run_b \n",
        "key,run_id,note,row\n00002,run_a,seen,3\n00004,run_b,,5\n",
        '"row","run_id"\n"3","run_a"\n"5","run_b"\n',
        "row;run_id\n3;run_a\n5;run_b\n",
        "row\trun_id\n3\trun_a\n5\trun_b\n",
    ],
)
def test_a_row_and_its_run_are_found_however_the_file_was_saved(tmp_path: Path, content: str) -> None:
    assert [found[:2] for found in read(tmp_path, content)] == [(3, "run_a"), (5, "run_b")]


def test_a_place_is_the_line_of_the_file_and_empty_lines_count(tmp_path: Path) -> None:
    found = read(tmp_path, "row,run_id\n3,run_a\n\n ,\n5,run_b\n")
    assert [place for _, _, place in found] == ["found.csv!2", "found.csv!5"]


def test_every_faulty_line_is_told(tmp_path: Path) -> None:
    faults = refusal(tmp_path, "row,run_id\n3,run_a\nfive,run_b\n7,\n,run_c\n-1,run_d\n8.5,run_e\n٣,run_f\n9\n")
    assert [fault.split(":")[0] for fault in faults] == [f"found.csv!{line}" for line in (3, 4, 5, 6, 7, 8, 9)]


@pytest.mark.parametrize("content", ["", "\n", "3,run_a\n", "row\n3\n", "run_id\nrun_a\n"])
def test_a_file_without_its_two_columns_is_refused(tmp_path: Path, content: str) -> None:
    assert "row and run_id" in refusal(tmp_path, content)[0]


@pytest.mark.parametrize(
    "content",
    ["row,run_id\n3,Zürich\n".encode("latin-1"), b"\xff\xfe\x00r", b'row,run_id\n3,"run'],
)
def test_a_file_that_is_no_csv_in_utf8_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "found.csv" in refusal(tmp_path, content)[0]


def test_a_file_with_nothing_below_its_header_settles_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "row,run_id\n") == []


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_run_ids(tmp_path / "found.csv")
    with pytest.raises(BadDecisions):
        read_run_ids(tmp_path)


def test_a_settlement_says_who_checked_it() -> None:
    assert Settlement(3, None, "here").checked_by is None
