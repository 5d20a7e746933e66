"""The command that drafts a job: init."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchrun.cli import options as o
from batchrun.cli.answering import answer
from batchrun.cli.screen import Screen

if TYPE_CHECKING:
    from batchrun.flows.init import Drafted

_CAUSES = 5


def init(
    sheet_file: Annotated[Path, typer.Argument(metavar="SHEET", help="The spreadsheet, or CSV.", show_default=False)],
    schema: Annotated[
        Path | None, typer.Option("--schema", metavar="S", help="The procedure's input schema; drafted when missing.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="JOB", help="The job's file; never overwritten.")
    ] = None,
    sheet: Annotated[str | None, typer.Option("--sheet", metavar="NAME", help="Which sheet of the workbook.")] = None,
    header_row: Annotated[
        int | None, o.number_option("--header-row", least=1, such_as=3, help="The row that holds the column names.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", metavar="NAME", help="For CSV that is not UTF-8, such as cp1252.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option("--delimiter", metavar="SIGN", help="For CSV: what stands between its cells.")
    ] = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Draft a job from a sheet's headers and a schema. Nothing is overwritten."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.flows import init as flow

        drafted = flow.init(flow.Wish(sheet_file, schema, output, sheet, header_row, encoding, delimiter))
        _show(screen, drafted)
        return drafted.as_json(), 0

    return answer(screen, "init", work)


def _show(screen: Screen, drafted: Drafted) -> None:
    from batchrun.cli.words import table
    from batchrun.core.totals import counted

    sample = drafted.look.sample
    columns = counted(len(sample.columns), "column")
    screen.answer(screen.bold(f"{drafted.look.info.file_name}: {columns}, {counted(sample.rows, 'row')} looked at"))
    for line in table([[f"  {pair.column.name}", f"-> {pair.fit.target}"] for pair in drafted.matching.matched]):
        screen.answer(line)
    to_do = list(_to_do(drafted))
    screen.answer()
    screen.answer("Look at these; the job says each where it belongs:")
    for line in to_do:
        screen.answer(f"  - {line}")
    screen.answer()
    for line in _tried(drafted):
        screen.answer(line)
    draft = f", and {drafted.schema}, which is only a draft" if drafted.schema_is_draft else ""
    screen.answer(f"Wrote {drafted.job}{draft}.")
    screen.answer(f"Next: batchrun check {_as_argument(drafted.job)}")


def _to_do(drafted: Drafted) -> Iterator[str]:
    from batchrun.core.drafting import PROCEDURE_ID, told_of, why_no_key

    yield f"procedure: write the procedure's id in place of {PROCEDURE_ID}"
    if drafted.schema_is_draft:
        yield f"schema: put the procedure's own input schema in place of the draft {drafted.schema.name}"
    if drafted.key is None:
        yield f"key: say which column, or columns, name a row; {why_no_key(drafted.look.sample)}"
    if drafted.look.hidden_rows:
        yield "source: the sheet has hidden rows, so say hidden_rows: skip, or include"
    for pair in drafted.matching.matched:
        for said in told_of(pair, drafted.look.sample):
            yield f"{pair.column.name} -> {pair.fit.target}: {said}"
    yield from _unmatched(drafted)


def _unmatched(drafted: Drafted) -> Iterator[str]:
    from batchrun.core.drafting import open_targets, wanted_in_words

    matching = drafted.matching
    targets = set(open_targets(matching))
    for leaf in matching.open_leaves:
        if leaf.target in targets:
            near, rivals = matching.near.get(leaf.target), matching.rivals("field", leaf.target)
            start = f"{leaf.target}{' (required)' if leaf.required else ''}:"
            if near is not None:
                yield f"{start} the column {near.column.name} is not taken as it stands: {near.fit.amiss}"
            elif rivals is not None:
                yield f"{start} {rivals} may be meant; the names alone do not tell"
            else:
                yield f"{start} no column; {wanted_in_words(leaf)} is wanted"
    near_columns = {pair.column.name for pair in matching.near.values()}
    unused = [column.name for column in matching.unused if column.name not in near_columns]
    if unused:
        yield f"columns that feed nothing: {', '.join(unused)}"


def _tried(drafted: Drafted) -> Iterator[str]:
    from batchrun.core.totals import counted

    trying, rows = drafted.trying, counted(drafted.look.sample.rows, "row")
    if trying is None:
        yield "No row could be tried with this draft yet."
    elif not trying.problems and not trying.faults:
        yield f"Tried on the {rows} looked at: every one is valid."
    else:
        yield f"Tried on the {rows} looked at: {trying.valid:,} valid so far. What is wrong with the others:"
        told = (f"{one.path or one.column or 'row'}: {one.message}" for one in trying.problems)
        causes = dict.fromkeys([*trying.faults, *told])
        yield from (f"  - {cause}" for cause in list(causes)[:_CAUSES])
        if len(causes) > _CAUSES:
            yield f"  - and {len(causes) - _CAUSES:,} more, which check tells with their cells"


def _as_argument(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
