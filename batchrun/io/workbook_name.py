"""Reads from a results workbook which batch it belongs to."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from batchrun.io.workbook_opening import opened_workbook

if TYPE_CHECKING:
    from openpyxl import Workbook

SEARCHED_ROWS = 40


def batch_named_in(path: Path) -> str | None:
    """Give the batch that the Summary sheet names; None where there is no such sheet."""
    with opened_workbook(path) as workbook:
        return batch_in(workbook)


def batch_in(workbook: Workbook) -> str | None:
    """Give the batch that an open workbook's Summary names."""
    if "Summary" not in workbook.sheetnames:
        return None
    for cells in workbook["Summary"].iter_rows(max_row=SEARCHED_ROWS, max_col=6, values_only=True):
        for label, value in pairwise(cells):
            if label == "Batch" and isinstance(value, str):
                return value
    return None
