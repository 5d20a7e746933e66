"""Reads what somebody found out about rows in doubt: a CSV of run ids, or the workbook's Doubts sheet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batchrun.errors import BadDecisions, NotFound

ROW_NAMES = ("_row", "row")
DELIMITERS = (",", ";", "\t")  # Excel saves with what the system's language has between the numbers of a list
RUN_NAMES = ("run_id", "_run_id", "run id", "runid")


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is to become of one row in doubt: a run id, or None for not run; `place` names where it was said."""

    row: int
    run_id: str | None
    place: str
    checked_by: str | None = None


def read_run_ids(path: Path) -> list[Settlement]:
    """Read a CSV with the columns row and run_id. Raise BadDecisions with every faulty line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(DELIMITERS, key=header.count)
            return list(_settlements(path.name, csv.reader(file, delimiter=delimiter, strict=True)))
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadDecisions([f"{path.name} cannot be read as a CSV in UTF-8: {error}"]) from None


def _settlements(name: str, lines: Iterator[list[str]]) -> Iterator[Settlement]:
    header = [cell.strip().lower() for cell in next(lines, [])]
    row_at = next((header.index(one) for one in ROW_NAMES if one in header), None)
    run_at = next((header.index(one) for one in RUN_NAMES if one in header), None)
    if row_at is None or run_at is None:
        raise BadDecisions([f"{name}: the first line must name the columns row and run_id"])
    faults = []
    for number, cells in enumerate(lines, 2):
        if not any(cell.strip() for cell in cells):
            continue
        row = cells[row_at].strip() if row_at < len(cells) else ""
        run_id = cells[run_at].strip() if run_at < len(cells) else ""
        if not (row.isascii() and row.isdigit()) or not run_id:
            faults.append(f"{name}!{number}: a row number and a run id are needed")
            continue
        yield Settlement(int(row), run_id, f"{name}!{number}")
    if faults:
        raise BadDecisions(faults)
