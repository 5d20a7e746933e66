"""A sheet whose rows are grouped is looked at twice, and a group is held from its first row to its last, no longer."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator

import pytest
from small_jobs import fields, job

from batchrun.core.group_reading import gathered
from batchrun.core.group_survey import BEYOND_LIMIT, CHUNK, KIND, LAST, LEFT_OUT, MEMBER, survey
from batchrun.core.prepare import Preparer
from batchrun.errors import BadInput
from batchrun.model import SourceRow

SCHEMA = fields(
    k={"type": "string"},
    lines={"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
)
SIZE = 4  # rows of a group


def orders() -> Preparer:
    return job({"k": "K", "lines[].sku": "SKU"}, ["SKU"], SCHEMA, group_by="K")


def together(count: int) -> Iterator[SourceRow]:
    """Give rows whose groups stand together."""
    return (SourceRow(at + 2, (f"order {at // SIZE:07d}", f"sku {at:07d}")) for at in range(count))


def most_held(rows: Iterable[SourceRow]) -> int:
    """Give the most rows that had been read the second time, and not been given yet."""
    sheet = list(rows)
    read = given = most = 0

    def again() -> Iterator[SourceRow]:
        nonlocal read, most
        for row in sheet:
            read += 1
            most = max(most, read - given)
            yield row

    found = survey(orders(), sheet, None, lambda _: None)
    for one in gathered(orders(), found, again):
        given += 1
        assert one.row == sheet[given - 1]
    assert given == len(sheet)
    return most


def test_groups_that_stand_together_hold_no_more_rows_in_a_long_sheet_than_in_a_short_one() -> None:
    assert most_held(together(CHUNK * 2)) <= CHUNK + SIZE
    assert most_held(together(CHUNK * 20)) <= CHUNK + SIZE


def test_a_group_that_is_open_holds_what_follows_it_and_nothing_before() -> None:
    rows = list(together(CHUNK * 20))
    rows[CHUNK * 5 + 1] = rows[CHUNK * 5 + 1]._replace(cells=("order of two", "a"))
    rows[CHUNK * 8 + 1] = rows[CHUNK * 8 + 1]._replace(cells=("order of two", "b"))
    assert CHUNK * 3 <= most_held(rows) <= CHUNK * 4 + SIZE


def test_groups_of_which_no_row_is_taken_are_not_kept_open() -> None:
    rows = list(together(40))
    assert [flag & KIND for flag in survey(orders(), rows, 5, lambda _: None).flags] == (
        [MEMBER] * 5 + [BEYOND_LIMIT] * 3 + [LEFT_OUT] * 32
    )
    strewn = [*rows[1::4], *rows[::4]]  # the first of each order stands behind the second of all
    flags = survey(orders(), strewn, 1, lambda _: None).flags
    assert [at for at, flag in enumerate(flags) if flag & LAST] == [10]


def peak(count: int) -> int:
    preparer = orders()
    tracemalloc.start()
    found = survey(preparer, together(count), None, lambda _: None)
    assert sum(1 for _ in gathered(preparer, found, lambda: together(count))) == count
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_a_row_more_takes_some_bytes_and_not_its_own_size() -> None:
    few, many = 2_000, 8_000
    assert peak(many) - peak(few) < 40 * (many - few)


def test_how_far_the_first_reading_is_gets_told() -> None:
    seen: list[int] = []
    survey(orders(), together(CHUNK * 2 + 1), None, seen.append)
    assert seen == [CHUNK, CHUNK * 2, CHUNK * 2 + 1]


@pytest.mark.parametrize(
    "changed",
    [
        lambda rows: rows[:-1],
        lambda rows: rows[: -len(rows) // 2],
        lambda rows: rows[: (len(rows) - 1) // CHUNK * CHUNK],
        lambda rows: [*rows, rows[0]],
        lambda rows: [rows[0]._replace(cells=("order 0000000", "another")), *rows[1:]],
        lambda rows: [*rows[:-1], rows[-1]._replace(number=99_999)],
    ],
    ids=["a row less", "half of them", "a chunk less", "a row more", "another cell", "another number"],
)
@pytest.mark.parametrize("count", [CHUNK, CHUNK + 7])
def test_a_sheet_that_is_changed_between_its_readings_is_refused(changed: object, count: int) -> None:
    rows = list(together(count))
    found = survey(orders(), rows, None, lambda _: None)
    with pytest.raises(BadInput, match=r"^in\.csv was changed while it was being read; run the command again$"):
        list(gathered(orders(), found, lambda: changed(rows)))  # type: ignore[operator]


def test_a_key_that_only_seems_to_come_twice_is_no_fault() -> None:
    preparer = job({"k": "K", "lines[].sku": "SKU"}, ["SKU"], SCHEMA, group_by="SKU")
    rows = [SourceRow(at, (f"k{at}", f"s{at}")) for at in range(2, 12)]
    found = survey(preparer, rows, None, lambda _: None, lambda text: text[0].startswith("s") and int(text[0][1:]) % 3)
    assert found.suspects
    assert all(one.problems == () for one in gathered(preparer, found, lambda: rows))
