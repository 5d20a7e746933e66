"""Write chosen rows alone, in the source's shape, so that the file can be an input again.

The source's columns come first, then `_row`, `_status`, `_run_id` and `_error`, which a reader of inputs ignores.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from batchrun.errors import BadCommandLine
from batchrun.io.whole_file import whole_file
from batchrun.io.workbook import Sheet, save_sheets
from batchrun.io.workbook_body import MAX_ROWS, SheetBody
from batchrun.io.workbook_cells import CellEncoders
from batchrun.io.workbook_results import source_cells
from batchrun.io.workbook_style import OWN_HEADER, SOURCE_HEADER, Styles, Widths, at, head, set_page, set_widths
from batchrun.io.workbook_text import compact_json, number_text
from batchrun.model import Cell, Number, ResultRow, Unreadable

OWN = ("_row", "_status", "_run_id", "_error")


def write_rows(
    path: Path,
    header: Sequence[str],
    rows: Iterable[ResultRow],
    *,
    amounts: Mapping[str, int] | None = None,
    title: str = "Rows",
) -> int:
    """Write `rows` to a .csv, .xlsx or .jsonl file, whole or not at all; answer how many they were.

    `amounts` names columns of amounts with their decimals, for .xlsx. BadCommandLine for another ending.
    """
    ending = path.suffix.lower()
    if ending == ".xlsx":
        return write_rows_xlsx(path, header, rows, amounts=amounts, title=title)
    writers: dict[str, Callable[..., int]] = {".csv": write_rows_csv, ".jsonl": write_rows_jsonl}
    if ending not in writers:
        raise BadCommandLine(f"{path.name}: rows can be written to a .csv, .xlsx or .jsonl file")
    return writers[ending](path, header, rows)


def write_rows_csv(path: Path, header: Sequence[str], rows: Iterable[ResultRow], *, delimiter: str = ",") -> int:
    """Write CSV: UTF-8 with a BOM, without which Excel shows Müller as MÃ¼ller.

    Values stay as they are, also those that begin with `=`: the file is to be an input again, and a quote put
    before them would be sent. Open it in Excel only by import, as text.
    """
    with whole_file(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", errors="backslashreplace", newline="", write_through=True)
        sheet = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
        sheet.writerow((*header, *OWN))
        count = 0
        for count, row in enumerate(rows, 1):  # noqa: B007 - answered below
            sheet.writerow([cell_text(cell) for cell in (*source_cells(row, len(header)), *_own_cells(row))])
        text.detach()
        return count


def write_rows_jsonl(path: Path, header: Sequence[str], rows: Iterable[ResultRow]) -> int:
    """Write one JSON object a line; an empty cell is null."""
    names = (*header, *OWN)
    with whole_file(path) as file:
        return _write_lines(file, (dict(zip(names, _json_values(row, len(header)), strict=True)) for row in rows))


def write_rows_xlsx(
    path: Path,
    header: Sequence[str],
    rows: Iterable[ResultRow],
    *,
    amounts: Mapping[str, int] | None = None,
    title: str = "Rows",
    max_rows: int = MAX_ROWS,
) -> int:
    """Write a workbook of one sheet, or more where `max_rows` do not hold them."""
    from openpyxl import Workbook

    workbook = Workbook()
    with whole_file(path) as file, ExitStack() as held:
        cells = CellEncoders(Styles(workbook).number)
        sheets: list[Sheet] = []
        bodies = _bodies(
            path.resolve().parent, header, rows, amounts=amounts or {}, cells=cells, max_rows=max_rows, held=held
        )
        for body, widths in bodies:
            name = f"Rows {len(sheets) + 1}" if sheets else "Rows"
            sheets.append(Sheet(name, _dress(header, body, widths, title), body))
        save_sheets(workbook, sheets, title, None, file)
        return sum(sheet.body.rows for sheet in sheets if sheet.body is not None)


def cell_text(cell: Cell | int) -> str:
    """Write a cell as CSV text: plain decimals with their zeros, ISO dates, TRUE and FALSE as Excel has them."""
    match cell:
        case None:
            return ""
        case bool():
            return "TRUE" if cell else "FALSE"
        case Number():
            return number_text(cell)
        case datetime():
            return _iso(cell)
        case Unreadable():
            return cell.shown
        case _:
            return str(cell)


def _json_values(row: ResultRow, width: int) -> list[Any]:
    return [_json_value(cell) for cell in (*source_cells(row, width), *_own_cells(row))]


def _json_value(cell: Cell | int) -> str | bool | int | Decimal | None:
    if isinstance(cell, Number) and not cell.width:
        return cell.value
    return cell if cell is None or isinstance(cell, bool | int) else cell_text(cell)


def _own_cells(row: ResultRow) -> tuple[Cell | int, ...]:
    return row.number, row.state.value, row.run_id, row.error


def _write_lines(file: BinaryIO, objects: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    for count, item in enumerate(objects, 1):  # noqa: B007 - answered below
        # A lone surrogate becomes \ud800, which is JSON's own way to write it.
        file.write(compact_json(item).encode("utf-8", "backslashreplace") + b"\n")
    return count


def _bodies(
    folder: Path,
    header: Sequence[str],
    rows: Iterable[ResultRow],
    *,
    amounts: Mapping[str, int],
    cells: CellEncoders,
    max_rows: int,
    held: ExitStack,
) -> Iterator[tuple[SheetBody, Widths]]:
    names = (*header, *OWN)
    encoders = [cells.amount(amounts[name]) if name in amounts else cells.any for name in names]
    widths = Widths(names, {"_error": 60})
    body = held.enter_context(SheetBody(folder, len(names)))
    for row in rows:
        if body.rows == max_rows:
            yield body, widths
            body = held.enter_context(SheetBody(folder, len(names)))
        values = (*source_cells(row, len(header)), *_own_cells(row))
        widths.see(values)
        body.append([encode(value) for encode, value in zip(encoders, values, strict=True)])
    yield body, widths


def _dress(header: Sequence[str], body: SheetBody, widths: Widths, title: str) -> Callable[..., None]:
    def dress(sheet: Any) -> None:
        for position, name in enumerate((*header, *OWN), 1):
            head(at(sheet, 1, position), name, SOURCE_HEADER if position <= len(header) else OWN_HEADER)
        set_widths(sheet, widths.widths())
        sheet.freeze_panes, sheet.auto_filter.ref = "B2", body.area
        set_page(sheet, title, across=1)
        sheet.print_title_rows = "1:1"

    return dress


def _iso(moment: datetime) -> str:
    return moment.date().isoformat() if moment.time() == datetime.min.time() else moment.isoformat()
