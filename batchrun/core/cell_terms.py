"""What all readers of cells share: how a column is read, and why a cell gives no value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from batchrun.model import Cell, Unreadable

VALUE_LENGTH = 80


class Fault(NamedTuple):
    """Why a cell gives no value: a stable code, and what to do in words."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How one column is read, beyond its type."""

    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None
    zone: tzinfo | None = None
    blanks: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_plain(self) -> bool:
        """Tell whether numbers are written as JSON writes them."""
        return self.thousands is None and self.decimal == "."


Coercer = Callable[[Cell, Reading], Any]


def cut(text: str) -> str:
    """Cut a value to 80 characters for a message."""
    return text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 1] + "…"


def unreadable(cell: Cell) -> Fault:
    """Say why a cell that is no value cannot be read."""
    if isinstance(cell, Unreadable):
        return Fault(cell.code, cell.message)
    return Fault("empty", "the cell is empty")


def is_midnight(moment: datetime) -> bool:
    """Tell whether a date has no time of day."""
    return (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)
