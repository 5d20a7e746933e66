"""The workbook of a comparison: whole, new, and with numbers as numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from batchrun.core import comparing
from batchrun.core.comparing import Changes, Comparison, Side
from batchrun.errors import BadCommandLine, CouldNotStart
from batchrun.io.comparison_summary import Month
from batchrun.io.comparison_workbook import ComparisonContent, free_place, write_comparison

D = Decimal
HUGE = D("123456789012345678.25")


def side(*rows: tuple[str, str, str]) -> Side:
    made = Side()
    for number, (key, amount, vendor) in enumerate(rows, 2):
        made.add(number, number, (key,), (("Amount", D(amount)),), vendor)
    return made


def comparison(by: str | None = "Vendor") -> Comparison:
    old = side(("A", "100.00", "Ann"), ("B", "50.5", "Bob"), ("=1+1", "7", "Ann"), ("Z", "0", "Zoe"))
    new = side(("A", "160.00", "Ann"), ("C", "20", "Cem"), ("D", str(HUGE), "Ann"), ("Z", "3", "Zoe"))
    changes = Changes()
    changes.add(2, ("A",), [("Amount", "/amount", D("100.00"), D("160.00")), ("Note", None, "=2+2", None)])
    return comparing.compared(old, new, changes, D(20), by)


def content(**changes: Any) -> ComparisonContent:
    plain = ComparisonContent(
        title="payouts: 2026-11 against payouts-2026-10-001",
        facts=(("Batch then", "payouts-2026-10-001"),),
        comparison=comparison(),
        threshold=D(20),
        label="2026-11",
        months=(Month("2026-09", 1, 3, {"Amount": D("1.5")}), Month("2026-10", 2, 4, {"Amount": D(157)})),
        notes=("Columns that are new: =HYPERLINK()",),
        made_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    return replace(plain, **changes)


def sheets(path: Path) -> dict[str, list[list[Any]]]:
    book = load_workbook(path)
    return {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in book}


def written(folder: Path, **changes: Any) -> dict[str, list[list[Any]]]:
    write_comparison(folder / "compared.xlsx", content(**changes))
    return sheets(folder / "compared.xlsx")


def test_each_kind_of_difference_has_its_sheet_with_numbers_as_numbers(tmp_path: Path) -> None:
    found = written(tmp_path)
    assert list(found) == ["Summary", "New", "Missing", "Changed", "Moved", "Sums"]
    assert found["New"] == [
        ["Row", "Key", "Vendor", "Amount"],
        [4, "D", "Ann", str(HUGE)],  # Excel has no room for its digits, so it stands as text
        [3, "C", "Cem", 20],
    ]
    assert found["Missing"][1:] == [[3, "B", "Bob", 50.5], [4, "=1+1", "Ann", 7]]
    assert found["Changed"][1:] == [[2, "A", "Amount", "/amount", 100, 160], [2, "A", "Note", None, "=2+2", None]]
    assert found["Moved"][1:] == [[2, "A", "Amount", 100, 160, 60, 0.6], [5, "Z", "Amount", 0, 3, 3, None]]
    assert found["Sums"][1][:3] == ["Ann", "moved", "Amount"]
    assert found["Sums"][2:] == [
        ["Zoe", "moved", "Amount", 0, 3, 3, None],
        ["Cem", "new", "Amount", None, 20, None, None],
        ["Bob", "missing", "Amount", 50.5, None, None, None],
    ]


def test_text_that_looks_like_a_formula_stays_text(tmp_path: Path) -> None:
    written(tmp_path)
    book = load_workbook(tmp_path / "compared.xlsx")
    assert [book["Missing"]["B3"].data_type, book["Changed"]["E3"].data_type] == ["s", "s"]
    assert not [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]


def test_the_summary_has_the_sums_and_the_months_as_a_chart(tmp_path: Path) -> None:
    found = written(tmp_path)["Summary"]
    lines = {str(row[0]): row[1:] for row in found if row[0] is not None}
    assert lines["In both"][0] == 2
    assert (lines["2026-09"][:3], lines["2026-10"][:3]) == ([1, 3, 1.5], [2, 4, 157])
    assert lines["2026-11"][:3] == [0, 0, None]
    (chart,) = load_workbook(tmp_path / "compared.xlsx")["Summary"]._charts
    assert len(chart.series) == 2


def test_a_month_that_ran_already_stands_beside_the_sheet_in_one_line(tmp_path: Path) -> None:
    months = (Month("2026-11", 1, 2, {"Amount": D(20)}),)
    small = comparing.compared(side(("A", "20", "Ann")), side(("A", "21", "Ann")), Changes(), D(20))
    found = written(tmp_path, months=months, comparison=small)["Summary"]
    assert [row[:5] for row in found if row[0] == "2026-11"] == [["2026-11", 1, 2, 20, 21]]


def test_sheets_without_rows_say_so(tmp_path: Path) -> None:
    same = comparing.compared(Side(), Side(), Changes(), D("12.50"), "Vendor")
    found = written(tmp_path, comparison=same, months=(), notes=(), threshold=D("12.50"))
    assert found["New"] == [["No key is new."]]
    assert found["Missing"] == [["No key is missing."]]
    assert found["Changed"] == [["No field of a key that is in both has changed."]]
    assert found["Moved"] == [["No amount of a key that is in both has moved by more than 12.5 %."]]
    assert found["Sums"] == [["No sum by Vendor is new, missing, or moved by more than 12.5 %."]]


def test_sums_without_a_control_total_name_the_values_alone(tmp_path: Path) -> None:
    old, new = Side(), Side()
    old.add(2, 0, ("1",), (), "Ann")
    new.add(2, 0, ("2",), (), "Bob")
    found = written(tmp_path, comparison=comparing.compared(old, new, Changes(), D(20), "Vendor"))
    assert [row[:3] for row in found["Sums"][1:]] == [["Bob", "new", None], ["Ann", "missing", None]]


def test_more_rows_than_a_sheet_holds_go_on_to_the_next(tmp_path: Path) -> None:
    write_comparison(tmp_path / "c.xlsx", content(comparison=comparison(None)), max_rows=1)
    found = sheets(tmp_path / "c.xlsx")
    assert list(found) == [
        "Summary",
        "New",
        "New 2",
        "Missing",
        "Missing 2",
        "Changed",
        "Changed 2",
        "Moved",
        "Moved 2",
    ]
    assert [row[1] for name in ("New", "New 2") for row in found[name]] == ["Key", "D", "Key", "C"]


def test_an_absurd_percentage_is_written_as_text(tmp_path: Path) -> None:
    huge = comparing.compared(side(("A", "0.01", "Ann")), side(("A", str(HUGE), "Ann")), Changes(), D(20))
    assert str(written(tmp_path, comparison=huge)["Moved"][1][6]).endswith(" %")


def test_another_file_is_never_written_over(tmp_path: Path) -> None:
    place = tmp_path / "compared.xlsx"
    assert free_place(place) == place
    place.write_text("mine")
    with pytest.raises(BadCommandLine, match="not written over"):
        free_place(place)
    with pytest.raises(BadCommandLine, match="not written over"):
        write_comparison(place, content())
    assert place.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["compared.xlsx"]


def test_a_link_that_leads_nowhere_is_something_too(tmp_path: Path) -> None:
    (tmp_path / "link.xlsx").symlink_to(tmp_path / "nowhere.xlsx")
    with pytest.raises(BadCommandLine, match="not written over"):
        free_place(tmp_path / "link.xlsx")


def test_a_name_that_is_no_workbooks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCommandLine, match="no workbook's name"):
        free_place(tmp_path / "compared.csv")


def test_a_place_that_cannot_be_written_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CouldNotStart, match="could not be written"):
        write_comparison(tmp_path / "file" / "compared.xlsx", content())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folders_are_made(tmp_path: Path) -> None:
    write_comparison(tmp_path / "new" / "compared.xlsx", content())
    assert (tmp_path / "new" / "compared.xlsx").is_file()
