"""A results workbook is read back as it stands, whoever saved it, and whatever else it may be."""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import Workbook
from results_books import HEADER, change_part, column, edited, saved_by_libreoffice, sort_lines, type_in, written

from batchrun.errors import BadDecisions, NotFound
from batchrun.io import workbook_opening
from batchrun.io.doubts_sheet import read_doubts
from batchrun.io.workbook_name import batch_named_in
from batchrun.io.workbook_reading import TypedRow, open_copy
from batchrun.model import Doubt, Number, Unreadable


def rows_of(path: Path) -> list[TypedRow]:
    with open_copy(path) as copy:
        return list(copy.rows())


def decisions(path: Path) -> dict[int | None, object]:
    return {row.number: row.cells["_decision"] for row in rows_of(path) if "_decision" in row.cells}


def test_what_was_typed_stands_beside_all_other_cells_of_its_row(tmp_path: Path) -> None:
    path = written(tmp_path)
    type_in(path, 3, decision="approve", reviewer="Ida")

    rows = rows_of(path)

    assert [(row.sheet, row.line, row.number) for row in rows] == [("Results", line, line) for line in range(2, 8)]
    assert rows[1].cells["_decision"] == "approve"
    assert rows[1].cells["_reviewer"] == "Ida"
    assert rows[1].cells["Invoice"] == "00003"
    assert rows[1].cells["Amount"] == Number(Decimal("3.5"))
    assert rows[1].cells["Due"] == datetime(2026, 11, 30)
    assert "_rejection_reason" not in rows[1].cells, "blank cells are left out"


def test_the_copy_names_file_batch_header_and_the_checksum_of_what_it_reads(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = hashlib.sha256(path.read_bytes()).hexdigest()

    with open_copy(path) as copy:
        type_in(path, 3, decision="approve")
        assert (copy.name, copy.batch, copy.sha256) == ("payouts.results.xlsx", "payouts-001", before)
        assert copy.header[: len(HEADER) + 1] == (*HEADER, "_row")
        assert all("_decision" not in row.cells for row in copy.rows()), "a later save changes nothing of what is read"


def test_the_private_copy_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    path = written(tmp_path)
    with open_copy(path) as copy:
        next(copy.rows())
        assert list(private.iterdir())
    assert not list(private.iterdir())
    path.write_bytes(b"PK no workbook")
    with pytest.raises(NotFound):
        open_copy(path)
    assert not list(private.iterdir())


def test_rows_can_be_read_twice(tmp_path: Path) -> None:
    with open_copy(written(tmp_path)) as copy:
        assert [row.number for row in copy.rows()] == [row.number for row in copy.rows()] == [*range(2, 8)]


def test_a_workbook_without_summary_names_no_batch(tmp_path: Path) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        del book["Summary"]
    with open_copy(path) as copy:
        assert copy.batch is None


def test_sorted_lines_keep_their_rows(tmp_path: Path) -> None:
    path = written(tmp_path)
    type_in(path, 3, decision="approve")
    with edited(path) as book:
        sort_lines(book["Results"], key=lambda values: -values[2])
    assert [row.number for row in rows_of(path)] == [7, 6, 5, 4, 3, 2]
    assert decisions(path) == {3: "approve"}


def test_columns_may_be_moved_and_left_out(tmp_path: Path) -> None:
    path = written(tmp_path)
    type_in(path, 3, decision="reject")
    with edited(path) as book:
        sheet = book["Results"]
        sheet.delete_cols(column(sheet, "_next"))
        sheet.insert_cols(1, 2)
        sheet["A1"] = " my note "
        sheet["A3"] = "seen"
    rows = rows_of(path)
    assert decisions(path) == {3: "reject"}
    assert rows[1].cells["my note"] == "seen"
    assert "_next" not in rows[1].cells


def test_a_cell_is_named_by_its_header_and_a_row_where_there_is_none(tmp_path: Path) -> None:
    path = written(tmp_path, count=4, max_rows=2)
    with edited(path) as book:
        book["Results 2"].insert_cols(1)
    with open_copy(path) as copy:
        assert copy.address("Results", 3, "Amount") == "payouts.results.xlsx!Results!C3"
        assert copy.address("Results 2", 3, "Amount") == "payouts.results.xlsx!Results 2!D3"
        assert copy.address("Results", 14, "_override.fee") == "payouts.results.xlsx!Results!14"


def test_lines_that_are_blank_between_are_left_out_and_a_title_above_is_no_header(tmp_path: Path) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        book["Results"].insert_rows(4, 2)
        book["Results"].insert_rows(1, 2)
        book["Results"]["A1"] = "For the board"
    rows = rows_of(path)
    assert [row.number for row in rows] == [*range(2, 8)]
    assert [row.line for row in rows] == [4, 5, 8, 9, 10, 11]


def test_hidden_and_filtered_lines_are_read_as_all_others(tmp_path: Path) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        book["Results"].row_dimensions[3].hidden = True
        book["Results"].column_dimensions["C"].hidden = True
        book["Results"].sheet_state = "hidden"
    assert [row.number for row in rows_of(path)] == [*range(2, 8)]


@pytest.mark.parametrize(
    ("typed", "number"),
    [(14, 14), ("14", 14), (" 14 ", 14), (14.0, 14), (14.5, None), ("x", None), (None, None), (-1, -1), (True, None)],
)
def test_a_row_number_is_a_whole_number_or_none(tmp_path: Path, typed: object, number: int | None) -> None:
    path = written(tmp_path, count=1)
    type_in(path, 2, row=typed)
    assert [row.number for row in rows_of(path)] == [number]


def test_merged_cells_and_errors_cannot_be_read_without_guessing(tmp_path: Path) -> None:
    path = written(tmp_path)
    type_in(path, 3, decision="approve", rejection_reason="#N/A")
    with edited(path) as book:
        sheet = book["Results"]
        place = column(sheet, "_decision")
        sheet.merge_cells(start_row=3, end_row=4, start_column=place, end_column=place)
    found = decisions(path)
    assert found[3] == "approve"
    assert isinstance(found[4], Unreadable)
    reason = rows_of(path)[1].cells["_rejection_reason"]
    assert isinstance(reason, Unreadable)
    assert reason.code == "error-cell"


def test_one_of_batchruns_own_headers_twice_is_told_with_both_places(tmp_path: Path) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        sheet = book["Results"]
        place = column(sheet, "_decision")
        sheet.cell(1, sheet.max_column + 1).value = "_decision\xa0"
        added = sheet.cell(1, sheet.max_column).coordinate
        first = sheet.cell(1, place).coordinate
    with pytest.raises(BadDecisions) as caught:
        open_copy(path)
    assert caught.value.faults == (
        f'the header "_decision" stands twice, in payouts.results.xlsx!Results!{first} and in '
        f"payouts.results.xlsx!Results!{added}; delete one column",
    )


def test_a_second_results_sheet_goes_on(tmp_path: Path) -> None:
    path = written(tmp_path, count=5, max_rows=2)
    type_in(path, 3, sheet="Results 2", decision="reject")
    rows = rows_of(path)
    assert [(row.sheet, row.line, row.number) for row in rows] == [
        *(("Results", 2, 2), ("Results", 3, 3), ("Results 2", 2, 4), ("Results 2", 3, 5), ("Results 3", 2, 6)),
    ]
    assert decisions(path) == {5: "reject"}


def test_sheets_of_other_makers_are_named_and_not_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    with edited(path) as book:
        book.create_sheet("Notes", 0)["A1"] = "call them"
        book.create_sheet("Results 2")["A1"] = "mine"
        book.create_sheet("Results (2)")["A1"] = "_row"
    with open_copy(path) as copy:
        assert copy.extra_sheets() == ("Notes", "Results 2", "Results (2)")
        assert {row.sheet for row in copy.rows()} == {"Results"}


def test_what_is_typed_about_doubts_is_given_as_it_stands(tmp_path: Path) -> None:
    doubts = tuple(Doubt(row, f"{row:05}", "1", None, None, "a run") for row in (3, 4, 5))
    path = written(tmp_path, doubts=doubts)
    with edited(path) as book:
        sheet = book["Doubts"]
        sheet["G2"], sheet["I2"], sheet["H3"] = " run_a ", "Ida", "perhaps"
    with open_copy(path) as copy:
        assert copy.doubts() == {3: ("run_a", "", "Ida"), 4: ("", "perhaps", "")}
    with open_copy(written(tmp_path)) as copy:
        assert copy.doubts() == {}


def as_csv(path: Path) -> None:
    path.write_text("_row,_decision\n2,approve\n")


def as_nothing(path: Path) -> None:
    path.write_bytes(b"")


def as_another_pack(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as pack:
        pack.writestr("letter.txt", "hello")


def as_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def as_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as pack, pack.open("xl/bomb.xml", "w") as part:
        for _ in range(301):
            part.write(bytes(1 << 20))


def as_protected(path: Path) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512) + "EncryptedPackage".encode("utf-16-le"))


def as_old_excel(path: Path) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512) + "Workbook".encode("utf-16-le"))


def with_entities(path: Path) -> None:
    change_part(path, "xl/worksheets/sheet1.xml", lambda part: b'<!DOCTYPE x [<!ENTITY a "b">]>' + part)


def with_half_a_sheet(path: Path) -> None:
    change_part(path, "xl/worksheets/sheet1.xml", lambda part: part[: len(part) // 2])


def with_no_sheet_part(path: Path) -> None:
    change_part(path, "xl/worksheets/sheet1.xml", lambda _: None)


def with_half_a_summary(path: Path) -> None:
    change_part(path, "xl/worksheets/sheet2.xml", lambda part: part[: len(part) // 4])


def without_results(path: Path) -> None:
    with edited(path) as book:
        book["Results"].title = "Outcome"


def with_blank_results(path: Path) -> None:
    with edited(path) as book:
        book["Results"].delete_rows(1, 100)


WRONG = [
    *((as_csv, "another kind"), (as_nothing, "empty"), (as_another_pack, "no workbook"), (as_half, "damaged")),
    *((as_bomb, "more than the limit"), (as_protected, "password"), (as_old_excel, "really a .xls file")),
    *((with_entities, "damaged"), (with_half_a_sheet, "damaged"), (with_no_sheet_part, "no sheet Results")),
    *((with_half_a_summary, "cannot be read"), (without_results, "no sheet Results"), (with_blank_results, "is empty")),
]


@pytest.mark.parametrize(("spoil", "told"), WRONG, ids=lambda item: getattr(item, "__name__", ""))
def test_a_file_that_is_no_results_workbook_is_told_in_one_sentence(
    tmp_path: Path, spoil: Callable[[Path], None], told: str
) -> None:
    path = written(tmp_path)
    spoil(path)
    with pytest.raises(NotFound) as caught, open_copy(path) as copy:
        list(copy.rows())
    assert "payouts.results.xlsx" in caught.value.message
    assert told in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("spoil", [as_csv, as_nothing, as_half, as_bomb, as_protected, with_half_a_summary])
def test_a_file_whose_batch_cannot_be_read_is_told_too(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = written(tmp_path)
    assert batch_named_in(path) == "payouts-001"
    spoil(path)
    with pytest.raises(NotFound, match=r"payouts\.results\.xlsx"):
        batch_named_in(path)


def test_doubts_beyond_the_area_that_a_program_states_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, doubts=(Doubt(3, "00003", "1", None, None, "a run"),))
    with edited(path) as book:
        book["Doubts"]["G2"] = "run_a"

    def misstated(part: bytes) -> bytes:
        return re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:B1"', part)

    change_part(path, "xl/worksheets/sheet4.xml", misstated)
    assert [one.run_id for one in read_doubts(path, "payouts-001")] == ["run_a"]


def test_a_workbook_of_many_rows_is_read_and_what_unpacks_to_far_more_than_its_size_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook_opening, "LARGEST", 1_000)  # it unpacks to more, as a real one of 300,000 rows does
    path = written(tmp_path)
    type_in(path, 3, decision="approve")
    assert decisions(path)[3] == "approve"

    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/picture1.png", bytes(10_000_000))
    with pytest.raises(NotFound, match="unpacks to"):
        rows_of(path)


def test_no_file_and_a_folder_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.xlsx", tmp_path):
        with pytest.raises(NotFound, match="there is no workbook at"):
            open_copy(path)


def test_some_other_workbook_that_has_a_sheet_results_is_read_without_row_numbers(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Results"
    sheet.append(["Team", "Points"])
    sheet.append(["Reds", 3])
    book.save(tmp_path / "league.xlsx")
    with open_copy(tmp_path / "league.xlsx") as copy:
        assert (copy.batch, copy.header) == (None, ("Team", "Points"))
        assert [(row.number, row.cells["Team"]) for row in copy.rows()] == [(None, "Reds")]


@pytest.mark.slow
def test_libreoffice_changes_nothing_of_what_is_read(tmp_path: Path) -> None:
    doubts = (Doubt(3, "00003", "1", None, None, "a run"),)
    path = written(tmp_path, doubts=doubts)
    type_in(path, 4, decision="reject", rejection_reason="twice\nbilled", reviewer="00123")
    with edited(path) as book:
        book["Doubts"]["G2"] = "0012"
        book["Results"].row_dimensions[3].hidden = True
    saved = saved_by_libreoffice(path)

    with open_copy(path) as ours, open_copy(saved) as theirs:
        assert list(theirs.rows()) == list(ours.rows())
        assert (theirs.batch, theirs.header, theirs.doubts()) == (ours.batch, ours.header, ours.doubts())
        assert theirs.extra_sheets() == ()


@pytest.mark.slow
def test_twenty_thousand_rows_are_read_with_little_memory(tmp_path: Path) -> None:
    path = written(tmp_path, count=20_000)
    tracemalloc.start()
    began = time.monotonic()
    with open_copy(path) as copy:
        count = sum(1 for row in copy.rows() if row.number is not None)
    took, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 20 << 20
    assert took < 60
