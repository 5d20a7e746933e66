"""Cells as JSON in the journal, and back: text, numbers, dates and what could not be read stay what they were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from batchrun.core.cells import plain
from batchrun.model import Cell, Number, Unreadable

# Numbers, dates and what could not be read go through `_dumped`, not the way that orjson knows for such.
_OURS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def dump(cells: Sequence[Cell]) -> bytes:
    """Write a row's cells."""
    try:
        return orjson.dumps(cells, default=_dumped, option=_OURS)
    except TypeError:  # a lone surrogate, which a damaged file can hold and UTF-8 cannot
        return orjson.dumps([_visible(cell) if isinstance(cell, str) else _dumped(cell) for cell in cells])


def _visible(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _dumped(cell: Cell) -> Any:
    if isinstance(cell, Number):
        return {"n": plain(cell.value), "w": cell.width} if cell.width else {"n": plain(cell.value)}
    if isinstance(cell, datetime):
        return {"d": cell.isoformat()}
    if isinstance(cell, Unreadable):
        return {"x": [cell.code, cell.message, cell.shown]}
    return cell


def load(content: bytes) -> tuple[Cell, ...]:
    """Read a row's cells back."""
    return tuple(_loaded(cell) if type(cell) is dict else cell for cell in orjson.loads(content))


def _loaded(cell: dict[str, Any]) -> Cell:
    if "n" in cell:
        return Number(Decimal(cell["n"]), cell.get("w", 0))
    return datetime.fromisoformat(cell["d"]) if "d" in cell else Unreadable(*cell["x"])
