"""The results workbook as a real file, read back by the libraries that users' tools are made of."""

import hashlib
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet
from python_calamine import CalamineWorkbook

from batchrun.errors import Stopped
from batchrun.io.workbook import WorkbookContent, write_workbook
from batchrun.io.workbook_body import ranges, verify
from batchrun.io.workbook_text import escaped
from batchrun.model import Cell, Number, Problem, ResultRow, State, Summary, Unreadable

HEADER = ("Invoice", "Vendor", "Amount", "Due", "Rush", "Centre")
SENT = datetime(2026, 10, 27, 14, 3, 11, tzinfo=UTC)
SOURCE: tuple[Cell, ...] = (
    "00123",
    "=1+1",
    Number(Decimal("19.9")),
    datetime(2026, 11, 30),
    True,
    Number(Decimal(42), 5),
)
OWN = [
    *("_row", "_status", "_next", "_run_id", "_output.fee", "_error", "_attempts", "_sent_at", "_finished_at"),
    *("_seconds", "_review_title", "_review_data", "_decision", "_rejection_reason", "_override.amount"),
    *("_reviewer", "_decision_status"),
]


def row(number: int = 2, state: State = State.COMPLETED, **changes: Any) -> ResultRow:
    return replace(ResultRow(number, SOURCE, state, "Done."), **changes)


def summary(**changes: Any) -> Summary:
    return replace(Summary("Payouts & more", (("Batch", "payouts-001"),), {State.COMPLETED: 1}, 1), **changes)


def content(*rows: ResultRow, **changes: Any) -> WorkbookContent:
    plain = WorkbookContent(
        HEADER, lambda: rows, ("fee",), ("amount",), summary(), lambda: (), amounts=("Amount",), decimals={"Amount": 2}
    )
    return replace(plain, **changes)


def sheet_of(path: Path, title: str = "Results") -> Worksheet:
    sheet = load_workbook(path)[title]
    assert isinstance(sheet, Worksheet)
    return sheet


def cell_of(path: Path, name: str, line: int = 2) -> Any:
    sheet = sheet_of(path)
    names = [cell.value for cell in sheet[1]]
    return sheet.cell(line, names.index(name) + 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "payouts.results.xlsx"


def test_sheets_columns_and_rows_stand_in_the_promised_order(path: Path) -> None:
    write_workbook(path, content(row(9), row(4)))

    book = load_workbook(path)
    assert book.sheetnames == ["Results", "Summary", "Problems"]
    assert [cell.value for cell in book["Results"][1]] == [*HEADER, *OWN]
    assert [cells[6].value for cells in book["Results"].iter_rows(min_row=2)] == [9, 4]


def test_source_cells_keep_their_values_and_kinds(path: Path) -> None:
    write_workbook(path, content(row()))

    cells = sheet_of(path)[2][: len(HEADER)]
    assert [cell.value for cell in cells] == ["00123", "=1+1", 19.9, datetime(2026, 11, 30), True, 42]
    assert [cell.data_type for cell in cells] == ["s", "s", "n", "d", "b", "n"]
    assert [cells[at].number_format for at in (2, 3, 5)] == ["#,##0.00", "yyyy-mm-dd", "00000"]


@pytest.mark.parametrize(
    "text", ["#N/A", "=cmd|' /C calc'!A0", "+1", "@SUM(A1)", "2026-10-01", "TRUE", "1E5", "_x000D_"]
)
def test_text_stays_text_whatever_it_looks_like(path: Path, text: str) -> None:
    write_workbook(path, content(row(cells=(text, *SOURCE[1:]), error=text)))

    for cell in (cell_of(path, "Invoice"), cell_of(path, "_error")):
        # openpyxl alone leaves Excel's own escapes as they stand.
        assert (cell.value, cell.data_type) == (escaped(text), "s")
    assert CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()[1][0] == text


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (Number(Decimal("123456789012345")), 123456789012345),
        (Number(Decimal("1234567890123456")), "1234567890123456"),
        (Number(Decimal("0.12345678901234567")), "0.12345678901234567"),
        (Number(Decimal("1E+300")), format(Decimal("1E+300"), "f")),
        (Number(Decimal("NaN")), "NaN"),
        (Number(Decimal(1234567890123456), 18), "001234567890123456"),
        (Unreadable("not-a-number", "is no number", "#DIV/0!"), "#DIV/0!"),
        (Unreadable("gone", "is gone"), None),
        (datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2, 3, 4, 5)),
        (datetime(1900, 1, 1), "1900-01-01T00:00:00"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (None, None),
        ("", None),
    ],
)
def test_a_cell_that_excel_would_change_is_written_as_text(path: Path, cell: Cell, found: object) -> None:
    write_workbook(path, content(row(cells=(cell,))))

    assert cell_of(path, "Invoice").value == found


@pytest.mark.parametrize(
    ("value", "found", "shown"),
    [
        (Decimal("1.50"), 1.5, "0.00"),
        (7, 7, "General"),
        (123456789012, 123456789012, "0"),
        (1.25, 1.25, "General"),
        (123456.789012, 123456.789012, "0.000000"),
        (float("inf"), "inf", "General"),
        (Decimal(10) ** 15, "1000000000000000", "General"),
        (False, False, '"TRUE";"TRUE";"FALSE"'),
        ({"id": Decimal("9.90"), "tags": ["a"]}, '{"id":9.90,"tags":["a"]}', "General"),
        (None, None, "General"),
    ],
)
def test_an_output_field_is_written_by_its_type(path: Path, value: object, found: object, shown: str) -> None:
    write_workbook(path, content(row(output={"fee": value})))

    cell = cell_of(path, "_output.fee")
    assert (cell.value, cell.number_format) == (found, shown)


def test_times_are_excel_dates_in_utc_and_the_header_says_so(path: Path) -> None:
    east = SENT.astimezone(timezone(timedelta(hours=9)))
    write_workbook(path, content(row(sent_at=east, finished_at=SENT + timedelta(seconds=1.5), seconds=1.5)))

    assert cell_of(path, "_sent_at").value == SENT.replace(tzinfo=None)
    assert cell_of(path, "_finished_at").value == datetime(2026, 10, 27, 14, 3, 12, 500_000)
    assert cell_of(path, "_seconds").value == 1.5
    assert "UTC" in cell_of(path, "_sent_at", 1).comment.text


def test_a_row_of_too_few_or_too_many_cells_stays_under_its_headers(path: Path) -> None:
    write_workbook(path, content(row(2, cells=("a",)), row(3, cells=("b",) * 9)))

    assert [cell_of(path, "_row", line).value for line in (2, 3)] == [2, 3]


def test_every_state_has_its_colour_by_conditional_format(path: Path) -> None:
    write_workbook(path, content(row()))

    formats = {str(area.sqref): area.rules for area in sheet_of(path).conditional_formatting}
    assert {rule.formula[0].strip('"') for rule in formats["H2"]} == set(State)


def test_only_rows_that_wait_for_a_review_offer_a_decision(path: Path) -> None:
    waits = State.AWAITING_REVIEW
    rows = [row(2), row(3, waits), row(4, waits), row(5), row(6, waits, review_title="Above 20,000")]
    write_workbook(path, content(*rows))

    sheet = sheet_of(path)
    [choice] = sheet.data_validations.dataValidation
    assert (str(choice.sqref), choice.formula1) == ("S3:S4 S6", '"approve,reject"')
    shaded = [area for area in sheet.conditional_formatting if area.rules[0].type == "expression"]
    assert [str(area.sqref) for area in shaded] == ["S2:V6"]
    assert not sheet.protection.sheet


def test_what_a_reviewer_types_stays_text_but_for_values_that_may_be_numbers(path: Path) -> None:
    asked = content(row(2, State.AWAITING_REVIEW), override_fields=("amount", "iban"))
    write_workbook(path, replace(asked, typed_overrides=frozenset({"iban"})))

    names = ("_decision", "_rejection_reason", "_override.amount", "_override.iban", "_reviewer")
    letters = [cell_of(path, name, 1).column_letter for name in names]
    shown = [sheet_of(path).column_dimensions[letter].number_format for letter in letters]
    assert shown == ["@", "@", "General", "@", "@"]


def test_an_override_that_was_typed_is_written_by_its_kind(path: Path) -> None:
    for typed, found in (
        (Number(Decimal("5.5")), 5.5),
        ("00123", "00123"),
        (datetime(2026, 1, 2), datetime(2026, 1, 2)),
    ):
        write_workbook(path, content(row(overrides={"amount": typed})))
        assert cell_of(path, "_override.amount").value == found


def test_the_answer_tells_each_columns_width_by_its_header(path: Path) -> None:
    widths = write_workbook(path, content(row())).widths

    assert list(widths) == [*HEADER, *OWN]
    assert sheet_of(path).column_dimensions["A"].width == widths["Invoice"]


def test_very_many_separate_reviews_share_one_drop_down(path: Path) -> None:
    states = (State.AWAITING_REVIEW, State.COMPLETED)
    write_workbook(path, content(*(row(number, states[number % 2]) for number in range(2_100))))

    [choice] = sheet_of(path).data_validations.dataValidation
    assert str(choice.sqref) == "S2:S2101"


def test_decisions_and_overrides_that_a_row_brings_are_written(path: Path) -> None:
    brought = row(decision="reject", rejection_reason="no", overrides={"amount": Decimal("5.00")}, reviewer="mia")
    write_workbook(path, content(brought))

    found = [
        cell_of(path, f"_{name}").value for name in ("decision", "rejection_reason", "override.amount", "reviewer")
    ]
    assert found == ["reject", "no", 5, "mia"]


def test_rows_beyond_the_limit_go_on_to_a_second_sheet(path: Path) -> None:
    write_workbook(path, content(*(row(number) for number in range(2, 7))), max_rows=2)

    book = load_workbook(path)
    assert book.sheetnames == ["Results", "Results 2", "Results 3", "Summary", "Problems"]
    assert [book[name].max_row for name in book.sheetnames[:3]] == [3, 3, 2]
    assert {book[name]["A1"].value for name in book.sheetnames[:3]} == {"Invoice"}


def test_no_rows_at_all_still_make_a_sound_workbook(path: Path) -> None:
    write_workbook(path, content(summary=summary(counts={}, rows=0)))

    assert sheet_of(path).max_row == 1


def test_header_is_frozen_filtered_and_repeated_on_paper(path: Path) -> None:
    write_workbook(path, content(row(), row(3)))

    sheet = sheet_of(path)
    assert (sheet.freeze_panes, sheet.auto_filter.ref, sheet.print_title_rows) == ("B2", "A1:W3", "$1:$1")
    assert sheet.page_setup.orientation == "landscape"


def test_the_dimension_tag_names_all_rows(path: Path) -> None:
    write_workbook(path, content(row(), row(3)))

    assert load_workbook(path, read_only=True)["Results"].calculate_dimension() == "A1:W3"


def test_a_cell_of_many_lines_does_not_fill_the_screen(path: Path) -> None:
    write_workbook(path, content(row(2, cells=("a\nb",)), row(3, cells=("log\n" * 80,)), row(4)))

    assert [sheet_of(path).row_dimensions[line].height for line in (2, 3, 4)] == [28, 106, None]


@pytest.mark.parametrize("engine", ["openpyxl", "calamine"])
def test_pandas_reads_the_first_sheet_as_a_table(path: Path, engine: Any) -> None:
    write_workbook(path, content(row(), row(3)))

    table = pd.read_excel(path, sheet_name=0, engine=engine, dtype=object)
    assert list(table.columns) == [*HEADER, *OWN]
    assert table["_row"].tolist() == [2, 3]


def test_the_answer_is_the_files_own_checksum_and_the_same_content_makes_the_same_file(path: Path) -> None:
    first = write_workbook(path, content(row(), made_at=SENT))
    assert first.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert write_workbook(path, content(row(), made_at=SENT)) == first


def test_properties_name_the_title_the_maker_and_the_told_time(path: Path) -> None:
    write_workbook(path, content(row(), made_at=SENT))

    properties = load_workbook(path).properties
    assert (properties.title, properties.creator) == ("Payouts & more", "batchrun")
    assert properties.created == SENT.replace(tzinfo=None)


def test_a_failure_while_writing_leaves_the_old_workbook_whole_and_no_rubbish(path: Path) -> None:
    write_workbook(path, content(row()))
    before = path.read_bytes()

    def broken() -> Iterator[ResultRow]:
        yield row()
        raise ConnectionError("the journal went away")

    with pytest.raises(ConnectionError):
        write_workbook(path, content(rows=broken))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_holds_fewer_rows_than_were_written_is_refused(path: Path) -> None:
    write_workbook(path, content(row()))

    with path.open("rb") as file, pytest.raises(Stopped, match="holds 1 rows where 2 were written"):
        verify(file, {"xl/worksheets/sheet1.xml": 2})


def test_a_damaged_file_is_refused(path: Path) -> None:
    write_workbook(path, content(*(row(number) for number in range(50))))
    damaged = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("xl/worksheets/sheet1.xml").header_offset
    damaged[start + 200 : start + 210] = bytes(10)
    path.write_bytes(damaged)

    with path.open("rb") as file, pytest.raises(Stopped, match="could not be read back"):
        verify(file, {"xl/worksheets/sheet1.xml": 50})


def test_neighbouring_rows_join_into_ranges() -> None:
    assert ranges([2, 3, 4, 7, 9, 10]) == [(2, 4), (7, 7), (9, 10)]


def test_one_line_a_problem(path: Path) -> None:
    problem = Problem(14, "p.xlsx!Payouts!C14", "Amount", "/amount", "=x", "not-a-number", "is no number. " * 20)
    write_workbook(path, content(row(), problems=lambda: [problem, replace(problem, row=15)]))

    lines = list(sheet_of(path, "Problems").iter_rows(values_only=True))
    assert lines[0] == ("row", "cell", "column", "path", "value", "code", "message")
    assert lines[1] == (14, problem.cell, "Amount", "/amount", "=x", "not-a-number", problem.message)
    assert len(lines) == 3


def test_no_problem_is_said_in_a_sentence(path: Path) -> None:
    write_workbook(path, content(row()))

    assert list(sheet_of(path, "Problems").values) == [("No problems were found in the sheet.",)]


@pytest.mark.slow
def test_libreoffice_opens_it_and_prints_every_sheet(path: Path) -> None:
    office = shutil.which("soffice")
    assert office, "LibreOffice is needed: apt-get install libreoffice-calc"
    times = tuple((SENT + timedelta(minutes=minute), minute) for minute in range(5))
    write_workbook(path, content(row(cells=("#N/A", *SOURCE[1:])), summary=summary(completions=times)))

    home = f"-env:UserInstallation={(path.parent / 'office').as_uri()}"
    made = [office, home, "--headless", "--convert-to", "pdf", "--outdir", str(path.parent), str(path)]
    subprocess.run(made, check=True, capture_output=True, timeout=120)
    assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
