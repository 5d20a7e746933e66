"""The plan for people: a page that says what would be run, with lines to sign, and a sheet with every row."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from batchrun.core.durations import words
from batchrun.core.moments import to_the_second
from batchrun.core.plan import Plan
from batchrun.core.totals import amount_of, counted, decimals_of_columns
from batchrun.io.journal_batches import parse_time
from batchrun.io.journal_plans import ShownRow
from batchrun.io.workbook import MAX_ROWS, Sheet, save_sheets
from batchrun.io.workbook_body import SheetBody
from batchrun.io.workbook_cells import CellEncoders
from batchrun.io.workbook_style import (
    INK,
    MUTED,
    OWN_HEADER,
    SOURCE_HEADER,
    Styles,
    Widths,
    at,
    font,
    head,
    put_text,
    set_page,
    set_widths,
    tint_states,
)
from batchrun.io.workbook_summary import dress_summary
from batchrun.model import ControlTotal, Number, SplitAmount, State, Summary, Summed, column_letters

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

ROW, STATE, WHY = "row", "state", "why it is not sent"
TO_SIGN = ("Made by", "Approved by")
_WHY_WIDTH = 95
_MOST_NAMED = 8
_LINE_HEIGHT = 30.0


@dataclass(frozen=True, slots=True)
class PlanWorkbook:
    """What the workbook says: the plan, the SHA-256 of its file, and its rows, with what names and sums them up.

    `columns` are those of the sheet that its rows' cells stand in; `left_out` are sent, too, and not shown.
    """

    path: Path
    sha256: str
    plan: Plan
    counts: Mapping[State, int]
    totals: tuple[ControlTotal, ...]
    key: tuple[str, ...]
    summed: tuple[Summed, ...]
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    rows: Sequence[ShownRow]

    @property
    def title(self) -> str:
        """Name the plan."""
        return f"Plan of {self.plan.job} for {_environment(self.plan)}"


def plan_workbook(content: PlanWorkbook, folder: Path, max_rows: int = MAX_ROWS) -> bytes:
    """Give the workbook's bytes; `folder` is where long sheets are spooled."""
    from openpyxl import Workbook

    workbook, file = Workbook(), io.BytesIO()
    with ExitStack() as held:
        cells = CellEncoders(Styles(workbook).number)
        sheets = [Sheet("Plan", _dress_plan(content))]
        for number, (body, widths) in enumerate(_bodies(content, cells, folder, max_rows, held), 1):
            sheets.append(Sheet("Rows" if number == 1 else f"Rows {number}", _dress_rows(content, body, widths), body))
        save_sheets(workbook, sheets, content.title, parse_time(content.plan.made_at), file)
    return file.getvalue()


def _environment(plan: Plan) -> str:
    return "LIVE" if plan.environment == "live" else plan.environment


def _facts(content: PlanWorkbook) -> Iterator[tuple[str, str]]:
    plan = content.plan
    pin = plan.procedure_version or "the published default"
    yield "Environment", _environment(plan)
    yield "Would be sent", f"{counted(plan.runs, 'run')} of {counted(plan.rows, 'row')}{_lasting(plan)}"
    yield "Procedure", f"{plan.procedure}, version {pin}, {plan.mode}"
    yield "API", plan.base_url
    yield "Params", params(plan)
    yield "Input", plan.input.name
    yield "Sheet", plan.input.sheet or ""
    yield "Chosen rows", chosen_rows(plan)
    yield "Duplicates", _duplicates(plan)
    yield "Also sent", _left_out(content.left_out)
    yield "Rehearsal", rehearsal(plan)
    yield "Made by", f"{plan.made_by} on {plan.host}"
    yield "Made at (UTC)", to_the_second(plan.made_at)
    yield "Made with", f"batchrun {plan.made_with}"
    yield "Job spec", plan.spec.name
    yield "Spec SHA-256", plan.spec.sha256
    yield "Input SHA-256", plan.input.sha256
    yield "Schema SHA-256", plan.schema_file.sha256
    yield "Outputs SHA-256", "" if plan.outputs is None else plan.outputs.sha256
    yield "Payloads SHA-256", plan.payloads_sha256
    yield "Plan file", content.path.name
    yield "Plan SHA-256", content.sha256


def _lasting(plan: Plan) -> str:
    return "" if plan.seconds is None else f", at {plan.rate} in about {words(plan.seconds)}"


def params(plan: Plan) -> str:
    """Say with which params the plan was made."""
    return ", ".join(f"{name} {value}" for name, value in plan.params.items())


def chosen_rows(plan: Plan) -> str:
    """Say which rows of the sheet were chosen."""
    chosen = plan.selection
    said = [f"rows {chosen.rows}"] if chosen.rows else []
    said += [f"the first {chosen.limit:,}"] if chosen.limit is not None else []
    said += ["invalid ones left out"] if chosen.skip_invalid else []
    return ", ".join(said) or "all"


def _duplicates(plan: Plan) -> str:
    if not plan.duplicates:
        return "none"
    return f"{counted(len(plan.duplicates), 'row')} whose key was sent before, left out (see Rows)"


def _left_out(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - _MOST_NAMED:,} more" if len(columns) > _MOST_NAMED else ""
    return f"{', '.join(columns[:_MOST_NAMED])}{more} (columns that Rows does not show)" if columns else ""


def rehearsal(plan: Plan) -> str:
    """Say which sandbox batch had the same payloads, and what came of it."""
    if plan.rehearsal is None:
        return "none: no sandbox batch in this journal had these payloads"
    counts = ", ".join(f"{state.replace('_', ' ')} {count:,}" for state, count in plan.rehearsal.counts.items())
    return f"{plan.rehearsal.batch} on {plan.rehearsal.date}, with the same payloads: {counts}"


def _dress_plan(content: PlanWorkbook) -> Callable[..., None]:
    summary = Summary(
        title=content.title,
        facts=tuple((label, value) for label, value in _facts(content) if value),
        counts=content.counts,
        rows=content.plan.rows,
        totals=content.totals,
        notes=tuple(content.plan.notes),
    )

    def dress(sheet: Worksheet) -> None:
        dress_summary(summary)(sheet)
        _write_lines_to_sign(sheet, content)

    return dress


def _write_lines_to_sign(sheet: Worksheet, content: PlanWorkbook) -> None:
    from openpyxl.styles import Alignment, Border, Side

    row = sheet.max_row + 2
    for label in TO_SIGN:
        sheet.row_dimensions[row].height = _LINE_HEIGHT
        cell = put_text(at(sheet, row, 1), label)
        cell.font, cell.alignment = font(bold=True, colour=INK), Alignment(vertical="bottom")
        for column in range(2, 7):
            at(sheet, row, column).border = Border(bottom=Side("thin", color=INK))
        put_text(at(sheet, row + 1, 2), "name, date, signature").font = font(size=8, colour=MUTED)
        row += 2
    told = (
        f"batchrun takes no signature on paper: {content.path.name} is approved with `batchrun approve`, and run with "
        "`batchrun run --plan`."
    )
    put_text(at(sheet, row + 1, 1), told).font = font(size=8, colour=MUTED)
    width = 13 + len(content.totals) if len(content.totals) > 3 else 16
    sheet.print_area = f"A1:{column_letters(width)}{row + 1}"


def _bodies(
    content: PlanWorkbook, cells: CellEncoders, folder: Path, max_rows: int, held: ExitStack
) -> Iterable[tuple[SheetBody, Widths]]:
    names = _names(content)
    sums, decimals = _sums(content), decimals_of_columns(content.totals)
    amounts = [cells.text if one.splits else cells.amount(decimals.get(one.name, 0)) for one in sums]
    own = [*[cells.text] * len(content.key), *[cells.any] * len(content.columns)]
    encoders = [cells.any, *own, *amounts, cells.text, cells.text]
    bodies: list[tuple[SheetBody, Widths]] = []
    for row in content.rows:
        if not bodies or bodies[-1][0].rows == max_rows:
            bodies.append((held.enter_context(SheetBody(folder, len(names))), Widths(names, {WHY: _WHY_WIDTH})))
        body, widths = bodies[-1]
        values = _values(row, len(content.key), sums)
        widths.see(values)
        body.append([encode(value) for encode, value in zip(encoders, values, strict=True)])
    return bodies


def _names(content: PlanWorkbook) -> tuple[str, ...]:
    return (ROW, *content.key, *content.columns, *(one.name for one in _sums(content)), STATE, WHY)


class _Sum(NamedTuple):
    """A column of the sheet that is added up, or one that `splits` such a sum; `place` is that of the row's amount."""

    name: str
    place: int
    splits: bool

    def of(self, row: ShownRow) -> Number | str | None:
        amount = row.amounts[self.place]
        if self.splits:
            return (amount.value if isinstance(amount, SplitAmount) else None) or ""
        number = amount_of(amount)
        return None if number is None else Number(number)


def _sums(content: PlanWorkbook) -> list[_Sum]:
    """Give the columns by which the totals come about, each once; one that is part of the key is there already."""
    found: dict[str, _Sum] = {}
    for place, one in enumerate(content.summed):
        found.setdefault(one.column, _Sum(one.column, place, splits=False))
        if one.by is not None and one.by not in content.key:
            found.setdefault(one.by, _Sum(one.by, place, splits=True))
    return list(found.values())


def _values(row: ShownRow, keys: int, sums: Sequence[_Sum]) -> tuple[Any, ...]:
    key = (*row.key, *[""] * keys)[:keys]  # a row that could not be read has none
    return (row.number, *key, *row.cells, *(one.of(row) for one in sums), row.state.value, row.why or "")


def _dress_rows(content: PlanWorkbook, body: SheetBody, widths: Widths) -> Callable[..., None]:
    names = _names(content)

    def dress(sheet: Any) -> None:
        for position, name in enumerate(names, 1):
            own = position == 1 or position > len(names) - 2
            head(at(sheet, 1, position), name, OWN_HEADER if own else SOURCE_HEADER)
        set_widths(sheet, widths.widths())
        sheet.freeze_panes, sheet.auto_filter.ref = "B2", body.area
        state = column_letters(len(names) - 2)
        tint_states(sheet, f"{state}2:{state}{body.rows + 1}")
        set_page(sheet, content.title, across=1)
        sheet.print_title_rows = "1:1"

    return dress
