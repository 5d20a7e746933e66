"""Rows written alone, in the source's shape."""

import csv
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import load_workbook

from batchrun.errors import BadCommandLine
from batchrun.io.rows_file import write_rows, write_rows_csv, write_rows_xlsx
from batchrun.io.source import SourceOptions, open_source
from batchrun.model import DressedNumber, Number, ResultRow, State, Unreadable

HEADER = ("Invoice", "Amount", "Centre", "Due", "At", "Rush", "Note")
CELLS = (
    *('=A1,"x"\nMüller', Number(Decimal("19.90")), Number(Decimal(42), 5), datetime(2026, 11, 30)),
    *(datetime(2026, 11, 30, 8, 15), True, Unreadable("bad", "is bad", "#REF!")),
)
ROWS = [ResultRow(14, CELLS, State.FAILED, run_id="run_1", error="no"), ResultRow(15, ("\ud800",), State.REFUSED)]


def test_csv_is_in_the_sources_shape_and_an_input_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "failed.csv"
    assert write_rows(path, HEADER, ROWS) == 2

    assert path.read_bytes().startswith(b"\xef\xbb\xbfInvoice,Amount")
    with path.open(encoding="utf-8-sig", newline="") as file:
        head, first, second = csv.reader(file)
    assert head == [*HEADER, "_row", "_status", "_run_id", "_error"]
    assert first[:3] == ['=A1,"x"\nMüller', "19.90", "00042"]
    assert first[3:] == ["2026-11-30", "2026-11-30T08:15:00", "TRUE", "#REF!", "14", "failed", "run_1", "no"]
    assert second == ["\\ud800", "", "", "", "", "", "", "15", "refused", "", ""]


def test_csv_takes_the_sources_delimiter(tmp_path: Path) -> None:
    write_rows_csv(tmp_path / "f.csv", ("a", "b"), [], delimiter=";")

    assert (tmp_path / "f.csv").read_text("utf-8-sig") == "a;b;_row;_status;_run_id;_error\n"


def test_jsonl_has_one_exact_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "failed.jsonl"
    assert write_rows(path, HEADER, ROWS) == 2

    first, second = (json.loads(line, parse_float=Decimal) for line in path.read_bytes().splitlines())
    assert (first["Amount"], first["Centre"], first["Rush"], first["_row"]) == (Decimal("19.90"), "00042", True, 14)
    assert (first["Due"], first["Note"], first["_status"]) == ("2026-11-30", "#REF!", "failed")
    assert (second["Invoice"], second["Amount"], second["_run_id"]) == ("\ud800", None, None)


def test_xlsx_keeps_numbers_dates_and_text_apart(tmp_path: Path) -> None:
    path = tmp_path / "failed.xlsx"
    assert write_rows(path, HEADER, ROWS, amounts={"Amount": 2}) == 2

    sheet = load_workbook(path).worksheets[0]
    assert [cell.value for cell in sheet[1]] == [*HEADER, "_row", "_status", "_run_id", "_error"]
    assert [cell.data_type for cell in sheet[2]] == ["s", "n", "n", "d", "d", "b", "s", "n", "s", "s", "s"]
    assert [sheet.cell(2, column).number_format for column in (2, 3)] == ["#,##0.00", "00000"]


def test_xlsx_goes_on_to_a_second_sheet(tmp_path: Path) -> None:
    path = tmp_path / "failed.xlsx"

    assert write_rows_xlsx(path, HEADER, ROWS * 2, max_rows=3) == 4
    assert [sheet.max_row for sheet in load_workbook(path).worksheets] == [4, 2]


def test_another_ending_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadCommandLine, match=r"\.csv, \.xlsx or \.jsonl"):
        write_rows(tmp_path / "failed.ods", HEADER, ROWS)
    assert not list(tmp_path.iterdir())


def test_text_that_looks_like_excels_escapes_is_read_again_as_it_stands(tmp_path: Path) -> None:
    texts = ("_x0041_", "a_x000D__x000a_b", "_x005F_x0041_", "x_x00_")
    write_rows_xlsx(
        tmp_path / "f.xlsx", ("text",), [ResultRow(n, (text,), State.FAILED) for n, text in enumerate(texts)]
    )
    with open_source(SourceOptions(tmp_path / "f.xlsx")) as source:
        assert tuple(row.cells[0] for row in source.rows()) == texts


def test_a_number_that_its_format_dresses_is_written_as_a_number(tmp_path: Path) -> None:
    rows = [ResultRow(2, (DressedNumber(Decimal("12.5")),), State.FAILED)]
    write_rows_xlsx(tmp_path / "f.xlsx", ("amount",), rows)
    write_rows_csv(tmp_path / "f.csv", ("amount",), rows)
    assert load_workbook(tmp_path / "f.xlsx").worksheets[0]["A2"].value == 12.5
    assert (tmp_path / "f.csv").read_text("utf-8-sig").splitlines()[1].startswith("12.5,")
