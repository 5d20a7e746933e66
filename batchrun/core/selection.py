"""Which rows of a sheet take part: `--rows 5-20,31`, `--limit N` and the spec's `where`."""

from __future__ import annotations

import re

_RANGE = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", re.ASCII)


def parse_rows(text: str) -> tuple[range, ...]:
    """Give ranges of the sheet's own row numbers for `5-20,31`. Raise ValueError where it is not that."""
    found = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first < 1 or last < first:
            raise ValueError(f'"{text}" does not name rows; write for example 5-20,31')
        found.append(range(first, last + 1))
    return tuple(found)


def selects(ranges: tuple[range, ...], row: int) -> bool:
    """Tell whether a row is among the ranges; no ranges select every row."""
    return not ranges or any(row in one for one in ranges)
