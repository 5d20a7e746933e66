"""Groups that are let go as soon as they are whole are what they are when all rows are held: nothing else is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchrun.core import group_survey, groups, keys, selection
from batchrun.core.group_reading import gathered
from batchrun.core.groups_together import Together
from batchrun.core.prepare import Prepared, Preparer, compile_preparer
from batchrun.core.schema import compile_schema
from batchrun.core.selection import parse_rows
from batchrun.core.spec_faults import build
from batchrun.model import Cell, Number, RowFault, SheetInfo, SourceRow, Unreadable

Group = tuple[str, ...]
HEADER = ("K", "G", "Who", "City", "SKU", "Qty", "Tag")
LINE = {
    "type": "object",
    "properties": {
        "sku": {"type": "string", "minLength": 2},
        "qty": {"type": "integer", "minimum": 0},
        "more": {"type": "object", "properties": {"tag": {"type": "string"}, "city": {"type": "string"}}},
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        "k": {"type": "string"},
        "who": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 5}, "city": {"type": "string"}},
        },
        "lines": {"type": "array", "maxItems": 5, "items": LINE},
        "tags": {"type": "array", "items": {"type": "string"}},
        "cities": {"type": "array", "items": {"type": "string"}},
    },
}
PLAIN: dict[str, list[Cell]] = {
    "K": ["a", "b", "c"],
    "G": ["g", "h"],
    "Who": ["X", "Y"],
    "City": ["Rom", "Ulm"],
    "SKU": ["s1", "s2"],
    "Qty": ["1", "2"],
    "Tag": ["t", ""],
}
ODD: list[Cell] = [
    "", " ", "s", "1E+5", "zwei", "too long a text", "\ufffd", "1\u200b", None, True, datetime(2026, 10, 31),
    Number(Decimal("1")), Number(Decimal("1.0")), Unreadable("error-cell", "correct it", "#N/A"),
]  # fmt: skip


def job(data: dict[str, Any], group: Sequence[str], key: Sequence[str], rows: str = "", **source: Any) -> Preparer:
    """Compile a grouped job."""
    document = {"job": "j", "procedure": {"id": "p"}, "source": {"file": "in.csv", **source}, "key": list(key)} | {
        "group_by": list(group),
        "schema": "s.json",
        "data": data,
        "results": {"totals": ["Qty"]},
    }
    spec, faults = build(document)
    assert spec is not None, faults
    schema = compile_schema(json.loads(json.dumps(SCHEMA)), "s.json")
    info = SheetInfo("in.csv", None, 1, HEADER, tuple(range(len(HEADER))))
    return compile_preparer(spec, info, schema, {}, parse_rows(rows) if rows else ())


PLAINLY = {"k": "K", "who.name": "Who", "lines[].sku": "SKU", "lines[].qty": "Qty", "who.city": "City"}
GAPS = {
    "lines[].more.tag": "Tag",
    "lines[].more.city": "City",
    "who.name": {"column": "Who", "blank": "omit"},
    "lines[].sku": "SKU",
    "who.city": "City",
    "tags[]": "Tag",
    "lines[].qty": {"column": "Qty", "default": 7},
}
COMPUTED = {
    "k": {"expr": 'row["Who"] ~ row["Qty"]'},
    "lines[].sku": {"expr": 'row["SKU"] ~ row["City"]'},
    "who.name": {"column": "Who", "map": {"X": "x", "Y": "y"}},
    "who.city": {"value": "Rom"},
}
DEEP = {"lines[].cities[0]": "City", "lines[].sku": "SKU", "lines[].cities[1]": "Tag"}
LISTS = {"cities[0]": "City", "lines[].sku": "SKU", "k": "K"}
JOBS = {
    "plain": job(PLAINLY, ["K"], ["K"]),
    "gaps": job(GAPS, ["K", "G"], ["K"]),
    "computed": job(COMPUTED, ["G"], ["K", "Who"]),
    "deep lists": job(DEEP, ["G"], ["G"]),
    "lists": job(LISTS, ["K", "Who"], ["Who", "K", "G"]),
    "chosen": job(PLAINLY, ["G"], ["K"], rows="2-5,7", where='row["Tag"] != "t"'),
    "unsure": job(PLAINLY, ["K"], ["K", "Who"], where='row["Qty"]|number > 1'),
}


class Sheet(NamedTuple):
    """The rows that take part, each with its group; why groups are cut; and how many rows were left out."""

    entries: list[tuple[SourceRow, Group | None]]
    cut: dict[Group, str]
    left_out: int


def selected(preparer: Preparer, rows: Sequence[SourceRow], limit: int | None) -> Sheet:
    entries: list[tuple[SourceRow, Group | None]] = []
    cut: dict[Group, str] = {}
    left_out = 0
    for row in rows:
        chosen = selection.selects(preparer.rows, row.number)
        taken = chosen and (limit is None or len(entries) < limit)
        wanted, group = groups.takes_part(preparer, row), group_of(preparer, row)
        if taken and wanted:
            entries.append((row, group))
        left_out += (taken and not wanted) or not chosen
        if not taken and group is not None:
            flag = "--limit" if chosen else "--rows"
            why = f"row {row.number} is of the same group and is not taken ({flag}); take all of its rows"
            cut.setdefault(group, why)
    return Sheet(entries, cut, left_out)


def notes_of(sheet: Sheet) -> dict[Group, str]:
    notes: dict[Group, str] = {}
    of_rows = [group for _, group in sheet.entries]
    for at, (row, group) in enumerate(sheet.entries):
        if group is None:
            before = [other for other in of_rows[:at] if other is not None][-1:]
            after = [other for other in of_rows[at:] if other is not None][:1]
            for beside in before + after:
                notes[beside] = f"row {row.number}, beside this group, may belong to it and cannot be read"
    return notes | sheet.cut


def all_held(preparer: Preparer, rows: Sequence[SourceRow], limit: int | None) -> tuple[list[Prepared], int]:
    """Group and prepare with all rows at hand, in the simplest way there is."""
    sheet = selected(preparer, rows, limit)
    members: dict[Group, list[SourceRow]] = {}
    for row, group in sheet.entries:
        if group is not None:
            members.setdefault(group, []).append(row)
    notes = notes_of(sheet)
    made = {group: groups.prepared(preparer, of_group, notes.get(group)) for group, of_group in members.items()}
    leaders: dict[Group, list[int]] = {}
    for of_group in made.values():
        leaders.setdefault(of_group[0].key, []).append(of_group[0].row.number)
    by_number: dict[int, Prepared] = {}
    for of_group in made.values():
        same = tuple(leaders[of_group[0].key])
        is_repeated = all(of_group[0].key) and len(same) > 1
        for one in of_group:
            by_number[one.row.number] = groups.repeated(preparer, one, same) if is_repeated else one
    return [by_number.get(row.number) or groups.alone(preparer, row) for row, _ in sheet.entries], sheet.left_out


def group_of(preparer: Preparer, row: SourceRow) -> Group | None:
    """Give a row's group; None where nobody can tell it."""
    if row.faults or (preparer.where is not None and preparer.where(row) is not True):
        return None
    if keys.key_problems(preparer.info, row, preparer.group_columns):
        return None
    return keys.key_of(row, preparer.group_columns)


@st.composite
def sheets(draw: st.DrawFn) -> list[SourceRow]:
    """Draw a sheet of a few groups; in most of them the rows agree."""
    count = draw(st.integers(0, 14))
    odd = draw(st.sets(st.sampled_from(HEADER), max_size=2))
    agreeing = draw(st.booleans())
    broken = draw(st.sets(st.integers(2, 15), max_size=1))
    rows = []
    for number in range(2, count + 2):
        cells = [draw(st.sampled_from(PLAIN[name] + (ODD if name in odd else []))) for name in HEADER]
        if agreeing:
            place = PLAIN["K"].index(cells[0]) if cells[0] in PLAIN["K"] else 0
            cells[1:4] = [PLAIN[name][place % 2] for name in HEADER[1:4]]
        faults = (RowFault("too-few-cells", "the row is short"),) if number in broken else ()
        rows.append(SourceRow(number, tuple(cells), faults))
    return rows


HASHES: dict[str, Callable[[Group], int]] = {
    "each its own": hash,
    "one for all": lambda _: 0,
    "few": lambda group: hash(group) % 2,
    "alike in the bits that are kept": lambda group: hash(group) << 41,
}


@pytest.mark.parametrize("name", JOBS)
@given(
    rows=sheets(),
    limit=st.sampled_from([None, None, 0, 1, 3, 6]),
    hashed=st.sampled_from(sorted(HASHES)),
    chunk=st.sampled_from([1, 3, 500]),
)
@settings(max_examples=60, deadline=None)
def test_rows_are_given_as_if_all_had_been_held(
    name: str, rows: list[SourceRow], limit: int | None, hashed: str, chunk: int
) -> None:
    wanted, left_out = all_held(JOBS[name], rows, limit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_survey, "CHUNK", chunk)
        found = group_survey.survey(JOBS[name], iter(rows), limit, lambda _: None, HASHES[hashed])
        made = list(gathered(JOBS[name], found, lambda: iter(rows)))
    assert made == wanted
    assert (found.rows, found.left_out) == (len(wanted), left_out)
    assert going_on(made) == set()


def going_on(made: Sequence[Prepared]) -> set[int]:
    """Give the payloads of which further rows were promised and did not come."""
    waiting: set[int] = set()
    for one in made:
        if one.member_of is not None:
            assert one.member_of in waiting
            waiting -= set() if one.more else {one.member_of}
        elif one.payload is not None and one.more:
            waiting.add(one.row.number)
    return waiting


@pytest.mark.parametrize("name", JOBS)
@given(sheets())
@settings(max_examples=40, deadline=None)
def test_groups_prepared_together_are_what_each_is_alone(name: str, rows: list[SourceRow]) -> None:
    members: dict[Cell, list[SourceRow]] = {}
    for row in rows:
        members.setdefault(row.cells[0], []).append(row._replace(faults=()))
    noted = [(of_group, "why" if of_group[0].number == 9 else None) for of_group in members.values()]
    together = list(Together(JOBS[name]).prepared(noted))
    assert together == [groups.prepared(JOBS[name], of_group, note) for of_group, note in noted]
