"""Whatever is put into a real .xlsx or a real .csv comes out of it as it was."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batchrun.io.source import SourceOptions, open_source
from batchrun.model import Cell, Number

COLUMNS = 3
# XML has no control characters, openpyxl refuses them, and `_x0041_` is Excel's own escape.
xlsx_text = st.text(
    st.characters(codec="utf-8", exclude_characters="\ufffe\uffff_", exclude_categories=("Cc", "Cs")), min_size=1
).filter(lambda text: not text.startswith("=") and text not in {"#N/A", "#REF!"})
amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=2, allow_nan=False)
milliseconds = st.integers(0, (datetime(2200, 1, 1) - datetime(1900, 3, 1)) // timedelta(milliseconds=1))
moments = milliseconds.map(lambda count: datetime(1900, 3, 1) + timedelta(milliseconds=count))
cells = st.one_of(st.none(), st.booleans(), xlsx_text, amounts, moments)
rows = st.lists(st.lists(cells, min_size=COLUMNS, max_size=COLUMNS), min_size=1, max_size=30)
csv_text = st.text(st.characters(codec="utf-8", exclude_characters="\x1a\ufeff"), max_size=20)
csv_rows = st.lists(st.lists(csv_text, min_size=COLUMNS, max_size=COLUMNS), min_size=1, max_size=30)


def read(path: Path) -> list[tuple[Cell, ...]]:
    with open_source(SourceOptions(path, delimiter=",")) as source:
        return [row.cells for row in source.rows()]


def as_cell(value: object) -> Cell:
    if isinstance(value, Decimal):
        return Number(Decimal(format(value.normalize(), "f")) + 0)
    return value  # type: ignore[return-value]


def written(path: Path, table: Sequence[Sequence[object]]) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append([f"Column {number}" for number in range(COLUMNS)])
    for row in table:
        sheet.append([float(value) if isinstance(value, Decimal) else value for value in row])
        for cell in sheet[sheet.max_row]:
            if isinstance(cell.value, str):
                cell.data_type = "s"
    _save_with_every_blank(workbook, path)


def _save_with_every_blank(workbook: openpyxl.Workbook, path: Path) -> None:
    """Save as Excel does: openpyxl forgets to say of a text of nothing but blanks that they are meant."""
    made = io.BytesIO()
    workbook.save(made)
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"<t>", b'<t xml:space="preserve">'))


@settings(max_examples=40, deadline=None)
@given(rows)
@example([[None, None, " "]])
def test_values_come_back_from_a_real_workbook(table: list[list[object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.xlsx"
        written(path, table)
        expected = [tuple(map(as_cell, row)) for row in table if any(value is not None for value in row)]
        assert read(path) == expected


@settings(max_examples=200, deadline=None)
@given(csv_rows)
def test_text_comes_back_from_a_real_csv(table: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
            writer.writerows([[f"Column {number}" for number in range(COLUMNS)], *table])
        if b"\0" in path.read_bytes()[:4096]:
            return
        assert read(path) == [tuple(row) for row in table if any(row)]
