"""A pass over a grouped sheet looks at it twice, and all that is told of it is as if it had looked once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from openpyxl import Workbook

from batchrun.core.prepare import Prepared
from batchrun.errors import BadInput
from batchrun.flows import preparing
from batchrun.flows.held_rows import HeldRows
from batchrun.flows.loading import Choice, LoadedJob, loaded
from batchrun.flows.preparing import Pass
from batchrun.model import SourceRow

HEADER = ("Order", "SKU", "Qty")
LINES = [("A", "s1", "1"), ("B", "s1", "2"), ("A", "s2", "3"), ("C", "s9", "4")]
LINE = {"type": "object", "properties": {"sku": {"type": "string"}, "qty": {"type": "integer"}}}
SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "lines": {"type": "array", "items": LINE}},
}


@contextmanager
def grouped(folder: Path, file: str, choice: Choice | None = None, **source: object) -> Iterator[LoadedJob]:
    spec = {
        "job": "orders",
        "procedure": {"id": "p"},
        "source": {"file": file, **source},
        "group_by": "Order",
        "key": "Order",
        "schema": "order.json",
        "data": {"order": "Order", "lines[].sku": "SKU", "lines[].qty": "Qty"},
        "results": {"totals": ["Qty"]},
    }
    (folder / "job.yaml").write_text(json.dumps(spec), encoding="utf-8")
    (folder / "order.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    with loaded(folder / "job.yaml", choice or Choice()) as job:
        yield job


def text_of(*lines: tuple[str, ...]) -> str:
    return "".join(",".join(line) + "\n" for line in (HEADER, *lines))


def gone_through(job: LoadedJob) -> tuple[Pass, list[Prepared]]:
    through = Pass(job)
    return through, list(preparing.prepared_rows(through, lambda _: None))


def bodies(rows: list[Prepared]) -> list[tuple[int, list[str]]]:
    made = [(one.row.number, json.loads(one.payload)) for one in rows if one.payload is not None]
    return [(number, [line["sku"] for line in body["lines"]]) for number, body in made]


def test_blank_rows_are_told_once_and_a_trailer_is_read_once(tmp_path: Path) -> None:
    lines = text_of(*LINES[:2], ("", "", ""), *LINES[2:], ("TOTAL", "4", "10"), ("", "", ""))
    (tmp_path / "in.csv").write_text(lines, encoding="utf-8")
    trailer = {"when": {"column": "Order", "equals": "TOTAL"}, "rows": "SKU", "totals": {"Qty": "Qty"}}
    with grouped(tmp_path, "in.csv", trailer=trailer) as job:
        through, rows = gone_through(job)
        assert bodies(rows) == [(2, ["s1", "s2"]), (3, ["s1"]), (6, ["s9"])]
        assert through.trailer is not None and through.trailer.rows == 4
        notes = preparing.notes_of(through)
    assert [note for note in notes if "blank" in note] == ["2 blank rows skipped (rows 4, 8)."]


def test_what_came_by_standard_input_is_read_twice_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(text_of(*LINES).encode())))
    with grouped(tmp_path, "in.csv", Choice(input=Path("-"))) as job:
        _, rows = gone_through(job)
    assert bodies(rows) == [(2, ["s1", "s2"]), (3, ["s1"]), (5, ["s9"])]


@pytest.mark.parametrize("most", [preparing.MOST_BYTES, 300, 0], ids=["packed", "too many to be packed", "read again"])
def test_a_workbook_is_the_same_the_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for line in (HEADER, *((f"o{at // 3}", f"s{at}", at) for at in range(1_500))):
        sheet.append(line)
    book.save(tmp_path / "in.xlsx")
    monkeypatch.setattr(preparing, "MOST_BYTES", most)
    with grouped(tmp_path, "in.xlsx") as job:
        through, rows = gone_through(job)
        assert (through.rows, len(rows)) == (1_500, 1_500)
    assert bodies(rows) == [(at + 2, [f"s{at}", f"s{at + 1}", f"s{at + 2}"]) for at in range(0, 1_500, 3)]


def test_the_count_goes_up_to_the_rows_and_never_back(tmp_path: Path) -> None:
    lines = [(f"o{at // 3}", "s", "1") for at in range(3_000)]
    (tmp_path / "in.csv").write_text(text_of(*lines), encoding="utf-8")
    counts: list[int] = []
    with grouped(tmp_path, "in.csv") as job:
        assert len(list(preparing.prepared_rows(Pass(job), counts.append))) == 3_000
    assert counts == sorted(counts) and counts[-1] == 3_000


def removed(place: Path) -> None:
    place.unlink()


def rewritten(place: Path) -> None:
    place.write_text(text_of(*LINES[1:]), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (removed, "in.csv could not be read a second time (No such file or directory); run the command again"),
        (rewritten, "in.csv was changed while it was being read; run the command again"),
    ],
)
def test_a_file_that_is_not_the_same_the_second_time_is_told(
    tmp_path: Path, change: Callable[[Path], None], told: str
) -> None:
    place = tmp_path / "in.csv"
    place.write_text(text_of(*LINES), encoding="utf-8")
    with grouped(tmp_path, "in.csv") as job, pytest.raises(BadInput) as refused:
        # All rows were read once when the count is told for the first time.
        list(preparing.prepared_rows(Pass(job), lambda _: change(place)))
    assert str(refused.value) == told


def test_rows_that_are_held_come_again_as_they_were() -> None:
    rows = [SourceRow(at, (f"cell {at}", None)) for at in range(2, 1_300)]
    held = HeldRows(1_000_000)
    assert list(held.passing(rows)) == rows
    again = held.again()
    assert again is not None and list(again) == rows
    few = HeldRows(100)
    assert list(few.passing(rows)) == rows and few.again() is None
