"""What the process that needs a workbook's rows and the process that parses it say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["info", "rows", "end", "fault"]


@dataclass(frozen=True, slots=True)
class Request:
    """What the parent asks for; `name` is the file's in messages."""

    path: str
    name: str
    sheet: str | int | None = None
    double_read: bool = True
    max_size: int = 300 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """What is known of a sheet before its rows come; `hidden` holds the numbers of hidden rows with values."""

    sheet: str
    hidden: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
