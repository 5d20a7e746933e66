"""What a comparison ends with: what was compared with what, what differs, and one document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from batchrun.core.comparing import Amounts, Change, Comparison, Entry, Move, Sum, name_of
from batchrun.core.differences import text_of
from batchrun.core.totals import amount_text
from batchrun.io.comparison_summary import Month
from batchrun.io.journal_batches import Batch


@dataclass(frozen=True, slots=True)
class Compared:
    """A job's present sheet against one batch of it. `label` names the present month as `months` are named."""

    job: str
    environment: str
    batch: Batch
    input_name: str
    rows: int
    rows_then: int
    invalid: int
    invalid_then: int
    threshold: Decimal
    comparison: Comparison
    label: str
    notes: tuple[str, ...] = ()
    months: tuple[Month, ...] = ()
    workbook: str | None = field(default=None)

    def as_json(self) -> dict[str, Any]:
        """Give the document of `compare --json`."""
        found, decimals = self.comparison, self.comparison.decimals
        return {
            "version": 1,
            "job": self.job,
            "with": self.batch.name,
            "rows": self.rows,
            "invalid": self.invalid,
            "same": len(found.same),
            "new": _entries(found.new, decimals),
            "missing": _entries(found.missing, decimals),
            "changed": [_change(change) for change in found.changed],
            "moved": [{"row": move.row, "key": move.name, **_move(move, decimals)} for move in found.moved],
            "by": self._by(),
            "totals": {
                move.column: _then_and_now(move, decimals) | {"moved": move.is_beyond(self.threshold)}
                for move in found.totals
            },
            "notes": list(self.notes),
            "workbook": self.workbook,
            "error": None,
        }

    def _by(self) -> dict[str, Any] | None:
        groups, decimals = self.comparison.groups, self.comparison.decimals
        if groups is None:
            return None
        return {
            "column": groups.column,
            "new": _sums(groups.new, decimals),
            "missing": _sums(groups.missing, decimals),
            "moved": [{"value": move.name, **_move(move, decimals)} for move in groups.moved],
        }


def _entries(entries: Iterable[Entry], decimals: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"row": one.row, "key": name_of(one.key), "amounts": _amounts(one.amounts, decimals)} for one in entries]


def _sums(sums: Iterable[Sum], decimals: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"value": one.name, "rows": one.rows, "amounts": _amounts(one.amounts, decimals)} for one in sums]


def _amounts(amounts: Amounts, decimals: Mapping[str, int]) -> dict[str, str | None]:
    return {column: None if amount is None else amount_text(amount, decimals[column]) for column, amount in amounts}


def _change(change: Change) -> dict[str, Any]:
    values = {"old": text_of(change.old), "new": text_of(change.new)}
    return {"row": change.row, "key": name_of(change.key), "column": change.column, "path": change.path, **values}


def _move(move: Move, decimals: Mapping[str, int]) -> dict[str, Any]:
    return {"column": move.column, **_then_and_now(move, decimals)}


def _then_and_now(move: Move, decimals: Mapping[str, int]) -> dict[str, Any]:
    places = decimals[move.column]
    return {
        "old": amount_text(move.old, places),
        "new": amount_text(move.new, places),
        "difference": amount_text(move.difference, places),
        "percent": None if move.percent is None else amount_text(move.percent, 1),
    }
