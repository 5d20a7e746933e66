"""Any text at all comes back from a real workbook as its safe form, by both readers."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from batchrun.io.rows_file import write_rows_xlsx
from batchrun.io.workbook_cells import plain_number
from batchrun.io.workbook_text import escaped, safe_text
from batchrun.model import Cell, Number, ResultRow, State

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.from_regex(r"_x[0-9A-Fa-f]{4}_", fullmatch=True)
MONEY = st.decimals(min_value=-(10**12), max_value=10**12, places=2, allow_nan=False)
MOMENTS = st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31, 23, 59, 59)).map(
    lambda at: at.replace(microsecond=0)
)
FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(folder: Path, cells: list[Cell]) -> Path:
    path = folder / "rows.xlsx"
    write_rows_xlsx(path, ["value"], [ResultRow(number, (cell,), State.READY) for number, cell in enumerate(cells)])
    return path


@FEW
@given(st.lists(ANY_TEXT.filter(bool), min_size=1, max_size=60))
def test_text_comes_back_as_its_safe_form_by_both_readers(tmp_path: Path, texts: list[str]) -> None:
    path = written(tmp_path, list(texts))

    sheet = load_workbook(path).worksheets[0]
    assert [sheet.cell(row, 1).value for row in range(2, len(texts) + 2)] == [
        escaped(safe_text(text)) for text in texts
    ]
    assert {sheet.cell(row, 1).data_type for row in range(2, len(texts) + 2)} == {"s"}
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    assert [row[0] for row in rows[1:]] == [safe_text(text) for text in texts]


@FEW
@given(st.lists(MONEY, min_size=1, max_size=60))
def test_amounts_come_back_to_the_cent(tmp_path: Path, amounts: list[Decimal]) -> None:
    path = written(tmp_path, [Number(amount) for amount in amounts])

    sheet = load_workbook(path).worksheets[0]
    found = [Decimal(repr(sheet.cell(row, 1).value)) for row in range(2, len(amounts) + 2)]
    assert found == amounts


@FEW
@given(st.lists(MOMENTS, min_size=1, max_size=60))
def test_dates_come_back_to_the_second(tmp_path: Path, moments: list[datetime]) -> None:
    path = written(tmp_path, list(moments))

    sheet = load_workbook(path).worksheets[0]
    assert [sheet.cell(row, 1).value for row in range(2, len(moments) + 2)] == moments


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_a_number_is_written_only_where_a_double_gives_it_back(value: Decimal) -> None:
    plain = plain_number(value)

    assert plain is None or Decimal(f"{float(plain):.15g}") == value
