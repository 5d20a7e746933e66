"""What a results workbook is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from batchrun.io.workbook_kept import Kept
from batchrun.model import Doubt, Problem, ResultRow, Summary


@dataclass(frozen=True, slots=True)
class WorkbookContent:
    """All that the workbook says.

    `header` holds the source's columns and `rows` gives the rows in the source's order, each time it is called.
    `output_fields` become `_output.<field>` and `override_fields` `_override.<field>`; of these, `typed_overrides` are
    text whatever is typed. `amounts` names the source's columns that hold amounts, shown with as many `decimals`.
    `kept` is what people made of the workbook that this one takes the place of.
    `doubts` make a sheet of their own where there are any. `made_at` (aware) is the file's date in its properties.
    """

    header: tuple[str, ...]
    rows: Callable[[], Iterable[ResultRow]]
    output_fields: tuple[str, ...]
    override_fields: tuple[str, ...]
    summary: Summary
    problems: Callable[[], Iterable[Problem]]
    amounts: tuple[str, ...] = ()
    decimals: Mapping[str, int] = field(default_factory=dict)
    made_at: datetime | None = None
    doubts: tuple[Doubt, ...] = ()
    typed_overrides: frozenset[str] = frozenset()
    kept: Kept | None = None
