"""The Doubts sheet as a real file: what it tells, and what a person's own program gives back."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from batchrun.errors import BadDecisions, NotFound
from batchrun.io.doubts_sheet import dress_doubts, read_doubts
from batchrun.model import Doubt

BATCH = "payouts-001"
SENT = datetime(2026, 10, 27, 14, 3, 11, tzinfo=UTC)
DOUBTS = [
    Doubt(3, "00002", "19.90", SENT, SENT, "a run with 00002 in its input"),
    Doubt(17, "=1+1", "1250", SENT, None, "a run with =1+1 in its input"),
    Doubt(1_048_576, "00004", "", None, None, "a run with 00004 in its input"),
]
COLUMNS = dict(
    zip(("row", "key", "amount", "after", "before", "look", "run", "not_run", "by"), "ABCDEFGHI", strict=True)
)

Fill = Callable[[Any], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a workbook with a Summary that names its batch, and a Doubts sheet."""
    book = Workbook()
    summary = book.active
    assert summary is not None
    summary.title = "Summary"
    summary.append(["Batch", BATCH])
    dress_doubts(DOUBTS, "payouts")(book.create_sheet("Doubts"))
    book.save(tmp_path / "results.xlsx")
    return tmp_path / "results.xlsx"


def filled(path: Path, **cells: object) -> list[tuple[int, str | None, str | None]]:
    """Type into cells (`run2` is the run id of line 2), save, and read what it says."""
    book = load_workbook(path)
    for name, value in cells.items():
        column, line = name.rstrip("0123456789"), name.lstrip("_abcdefghijklmnopqrstuvwxyz")
        book["Doubts"][f"{COLUMNS[column]}{line}"] = value
    book.save(path)
    return [(one.row, one.run_id, one.checked_by) for one in read_doubts(path, BATCH)]


def refusal(path: Path, **cells: object) -> tuple[str, ...]:
    """Give what is said against what was typed."""
    with pytest.raises(BadDecisions) as caught:
        filled(path, **cells)
    return caught.value.faults


def test_each_doubt_is_told_with_cells_to_fill_in(path: Path) -> None:
    sheet = load_workbook(path)["Doubts"]
    lines = list(sheet.iter_rows(values_only=True))
    assert lines[0] == (
        *("row", "key", "amount", "sent after (UTC)", "sent before (UTC)", "what to look for"),
        *("run id", "not run", "checked by"),
    )
    assert [line[:3] for line in lines[1:]] == [(3, "00002", "19.90"), (17, "=1+1", "1250"), (1_048_576, "00004", None)]
    assert sheet["B3"].data_type == "s", "text from outside is never a formula"
    assert lines[1][3] == SENT.replace(tzinfo=None)
    assert all(line[6:] == (None, None, None) for line in lines[1:])
    assert {sheet[f"{column}2"].number_format for column in "GHI"} == {"@"}
    assert sheet.freeze_panes == "A2"


def test_a_run_id_and_not_run_are_read_with_who_checked_them(path: Path) -> None:
    assert filled(path, run2=" run_a ", by2=" Ida ", not_run4="yes") == [(3, "run_a", "Ida"), (1_048_576, None, None)]


@pytest.mark.parametrize("yes", ["yes", "YES", " y ", "x", "X", "true", True, 1, "1"])
def test_yes_is_yes_however_it_is_typed(path: Path, yes: object) -> None:
    assert filled(path, not_run2=yes) == [(3, None, None)]


@pytest.mark.parametrize("no", ["no", "No", "n", False, 0, "0", "false"])
def test_no_beside_a_run_id_is_no(path: Path, no: object) -> None:
    assert filled(path, run2="run_a", not_run2=no, not_run3=no) == [(3, "run_a", None)]


def test_a_run_id_of_digits_alone_is_its_text(path: Path) -> None:
    assert filled(path, run2=1234567890123) == [(3, "1234567890123", None)]
    assert filled(path, run2="0012") == [(3, "0012", None)]


def test_every_faulty_line_is_told_by_its_place(path: Path) -> None:
    faults = refusal(path, run2="run_a", not_run2="yes", not_run3="perhaps", row4="four", run4="run_b")
    assert [fault.split(": ")[0] for fault in faults] == [f"results.xlsx!Doubts!{line}" for line in (2, 3, 4)]


@pytest.mark.parametrize("row", [None, "", -3, 3.5, "3a", "=1+2"])
def test_a_row_number_that_was_changed_is_told(path: Path, row: object) -> None:
    assert "row number" in refusal(path, row2=row, run2="run_a")[0]


def test_a_row_number_that_a_program_made_a_fraction_of_is_still_its_row(path: Path) -> None:
    assert filled(path, row2=3.0, run2="run_a") == [(3, "run_a", None)]


def test_nothing_filled_in_is_told(path: Path) -> None:
    assert "nothing is filled in" in refusal(path)[0]
    assert "nothing is filled in" in refusal(path, not_run2="no", by2="Ida")[0]


def test_columns_may_be_moved_and_added_but_not_taken_away(path: Path) -> None:
    book = load_workbook(path)
    sheet = book["Doubts"]
    sheet["J1"], sheet["J2"] = "note", "seen on Monday"
    sheet.move_range("G1:G4", cols=10)
    book.save(path)
    book.close()
    COLUMNS["moved"] = "Q"
    assert filled(path, moved2="run_a") == [(3, "run_a", None)]
    book = load_workbook(path)
    book["Doubts"]["Q1"] = "gone"
    book.save(path)
    with pytest.raises(BadDecisions, match="first line must keep its columns"):
        read_doubts(path, BATCH)


def test_rows_that_were_sorted_keep_their_numbers(path: Path) -> None:
    book = load_workbook(path)
    sheet = book["Doubts"]
    values = [[cell.value for cell in line] for line in sheet["A2:I4"]]
    for line, cells in zip(sheet["A2:I4"], reversed(values), strict=True):
        for cell, value in zip(line, cells, strict=True):
            cell.value = value
    book.save(path)
    assert filled(path, run2="run_d", run4="run_b") == [(1_048_576, "run_d", None), (3, "run_b", None)]


def test_the_workbook_of_another_batch_is_refused(path: Path) -> None:
    with pytest.raises(BadDecisions, match="another batch"):
        read_doubts(path, "payouts-002")


def test_a_workbook_without_doubts_says_how_to_write_it_again(path: Path) -> None:
    book = load_workbook(path)
    del book["Doubts"]
    book.save(path)
    with pytest.raises(NotFound, match="batchrun report payouts-001"):
        read_doubts(path, BATCH)
    path.unlink()
    with pytest.raises(NotFound, match="batchrun report payouts-001"):
        read_doubts(path, BATCH)


def as_text(path: Path) -> None:
    """Make it a file of text."""
    path.write_text("row,run id\n3,run_a\n")


def as_an_empty_pack(path: Path) -> None:
    """Make it a pack of nothing."""
    zipfile.ZipFile(path, "w").close()


def as_half(path: Path) -> None:
    """Cut it in half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def with_broken_parts(path: Path) -> None:
    """Cut each part in half, in a pack that is sound."""
    with zipfile.ZipFile(path) as pack:
        parts = {name: pack.read(name) for name in pack.namelist()}
    with zipfile.ZipFile(path, "w") as pack:
        for name, content in parts.items():
            pack.writestr(name, content[: len(content) // 2] if "sheet2" in name else content)


def with_broken_bytes(path: Path) -> None:
    """Turn some bytes in the middle round."""
    content = bytearray(path.read_bytes())
    for at in range(400, 900):
        content[at] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("broken", [as_text, as_an_empty_pack, as_half, with_broken_parts, with_broken_bytes])
def test_a_file_that_is_no_workbook_is_told_in_a_sentence(path: Path, broken: Callable[[Path], None]) -> None:
    broken(path)
    with pytest.raises(NotFound) as caught:
        read_doubts(path, BATCH)
    assert "results.xlsx" in caught.value.message
    assert "\n" not in caught.value.message
