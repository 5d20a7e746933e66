"""What a sample says of its columns, and which of them name a row."""

from __future__ import annotations

from small_jobs import sheet
from small_sheets import sample

from batchrun.core.column_samples import sample_of
from batchrun.model import RowFault, SourceRow, Unreadable


def names_rows(*cells: object) -> bool:
    return sample(V=list(cells)).columns[0].names_rows  # type: ignore[arg-type]


def test_empty_cells_are_counted_apart() -> None:
    (column,) = sample(V=["a", "", None, "a", "b"]).columns
    assert (column.filled, column.blank, dict(column.cells)) == (3, 2, {"a": 2, "b": 1})


def test_a_column_names_rows_where_it_is_filled_and_different_in_each() -> None:
    assert names_rows("1", "2")
    assert not names_rows("1", "1")
    assert not names_rows("1", " 1 ")
    assert not names_rows("1", "")
    assert not names_rows("1", Unreadable("formula", "no value"))
    assert not names_rows()


def test_broken_rows_say_nothing() -> None:
    rows = [SourceRow(2, ("a",)), SourceRow(3, ("",), (RowFault("too-few-cells", "short"),))]
    seen = sample_of(sheet("V"), rows)
    assert seen.rows == 1
    assert seen.columns[0].names_rows
