"""Results workbooks for tests, and what people and programs do to them."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from batchrun.io.workbook import WorkbookContent, write_workbook
from batchrun.model import Number, ResultRow, State, Summary

HEADER = ("Invoice", "Vendor", "Amount", "Due")
SENT = datetime(2026, 10, 27, 14, 3, 11, tzinfo=UTC)
NAME = "payouts.results.xlsx"


def result_row(number: int, **changes: Any) -> ResultRow:
    """Give the row of that number: every third one waits for a review."""
    cells = (f"{number:05}", f"Vendor {number}", Number(Decimal(number) + Decimal("0.5")), datetime(2026, 11, 30))
    state = State.AWAITING_REVIEW if number % 3 == 0 else State.COMPLETED
    return replace(ResultRow(number, cells, state, "Look.", run_id=f"run_{number}", sent_at=SENT), **changes)


def content(count: int = 6, **changes: Any) -> WorkbookContent:
    """Give a workbook's content: rows from number 2 on."""
    numbers = range(2, count + 2)
    summary = Summary("payouts: payouts-001", (("Batch", "payouts-001"),), {State.COMPLETED: count}, count)
    plain = WorkbookContent(
        HEADER, lambda: map(result_row, numbers), (), (), summary, lambda: (), amounts=("Amount",), made_at=SENT
    )
    return replace(plain, **changes)


def written(folder: Path, count: int = 6, *, max_rows: int = 1_000_000, **changes: Any) -> Path:
    """Write a results workbook and give its path."""
    write_workbook(folder / NAME, content(count, **changes), max_rows=max_rows)
    return folder / NAME


@contextmanager
def edited(path: Path) -> Iterator[Any]:
    """Open a workbook as a person's program does, and save it when the block ends."""
    book = load_workbook(path)
    yield book
    book.save(path)
    book.close()


def column(sheet: Any, name: str) -> int:
    """Give the number of the column under a header."""
    return next(cell.column for cell in sheet[1] if cell.value == name)


def type_in(path: Path, line: int, sheet: str = "Results", **typed: object) -> None:
    """Type into cells of one line, by the names of batchrun's own columns without their `_`."""
    with edited(path) as book:
        for name, value in typed.items():
            book[sheet].cell(line, column(book[sheet], f"_{name}")).value = value


def sort_lines(sheet: Any, key: Callable[[list[Any]], Any]) -> None:
    """Sort the lines below the header by their values, as a person does."""
    held = [[(cell.value, cell.data_type) for cell in line] for line in sheet.iter_rows(min_row=2)]
    held.sort(key=lambda line: key([value for value, _ in line]))
    for line, values in zip(sheet.iter_rows(min_row=2), held, strict=True):
        for cell, (value, kind) in zip(line, values, strict=True):
            cell.value, cell.data_type = value, kind


def change_part(path: Path, name: str, change: Callable[[bytes], bytes | None]) -> None:
    """Change one part of a workbook's package; nothing takes it out."""
    with zipfile.ZipFile(path) as pack:
        parts = {part: pack.read(part) for part in pack.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as pack:
        for part, held in parts.items():
            changed = change(held) if part == name else held
            if changed is not None:
                pack.writestr(part, changed)


def saved_by_libreoffice(path: Path, ending: str = "xlsx") -> Path:
    """Let LibreOffice open and save a workbook; give the copy that it made, of the same name in another folder."""
    office = shutil.which("soffice")
    assert office, "LibreOffice is needed: apt-get install libreoffice-calc"
    out = path.parent / f"saved-{ending}"
    home = f"-env:UserInstallation={(path.parent / 'office').as_uri()}"
    command = [office, home, "--headless", "--convert-to", ending, "--outdir", str(out), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    return out / path.with_suffix(f".{ending}").name
