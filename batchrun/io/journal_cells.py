"""Cells as JSON in the journal, and back: text, numbers, dates and what could not be read stay what they were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from batchrun.core.cells import plain
from batchrun.core.totals import read_amount
from batchrun.model import Amount, Cell, Number, SplitAmount, Unreadable

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


def dump_amounts(amounts: Sequence[Amount]) -> str:
    """Write a row's amounts; one that is split is a pair with its value."""
    return orjson.dumps([_dumped_amount(amount) for amount in amounts]).decode()


def _dumped_amount(amount: Amount) -> Any:
    if isinstance(amount, SplitAmount):
        return [_dumped_amount(amount.amount), amount.value]
    return None if amount is None else plain(amount)


def load_amounts(text: str) -> list[Amount]:
    """Read a row's amounts back."""
    return [read_amount(amount) for amount in orjson.loads(text)]
