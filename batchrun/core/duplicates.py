"""What is said of rows that are not sent since their key was: which they are, and what took the key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from batchrun.core.totals import counted

SHOWN = 3  # of them by name; the others stand in the workbook


class Taken(NamedTuple):
    """A row that is a duplicate, and the sentence that says of what."""

    number: int
    key: tuple[str, ...]
    why: str


def told(found: Sequence[Taken], count: int) -> Iterator[str]:
    """Name the first of `count` duplicates, each with the batch, state, date and run that have its key."""
    shown = found[:SHOWN]
    for one in shown:
        yield f"row {one.number} ({', '.join(one.key)}) is a duplicate: {one.why}"
    if shown and count > len(shown):
        yield f"and {counted(count - len(shown), 'more duplicate')}"


def told_of_sheet(batch: str, params: Mapping[str, str], date: str) -> str:
    """Say that a sheet was sent before with other params: a key may come again with them, a whole file rarely does."""
    said = ", ".join(f"{name} {value}" for name, value in params.items()) or "no params"
    return (
        f"this very sheet, byte for byte, was sent on {date} as {batch} (with {said}), and rows of it "
        "would be sent again; make sure that it is not an earlier month's under a new name"
    )
