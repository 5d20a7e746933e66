"""What a batch's results workbook says, read from the journal; and what reviewers typed in it and did not send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from batchrun.core import payloads
from batchrun.core.cells import plain
from batchrun.core.next_steps import sentence
from batchrun.core.overrides import fields_of
from batchrun.core.review_cells import ReviewCells, review_cells
from batchrun.core.schema import Schema
from batchrun.core.totals import amount_of, decimals_of_columns, summed
from batchrun.flows.clock import SystemClock
from batchrun.flows.figures import figures_of
from batchrun.flows.purged import refuse_purged_rows
from batchrun.flows.summing_up import summary_of
from batchrun.io import journal_decisions, journal_deliveries, journal_files, journal_rows, system
from batchrun.io.doubts_sheet import DoubtTyped
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch, parse_time
from batchrun.io.journal_rows import RowRecord
from batchrun.io.spec_file import schema_from
from batchrun.io.workbook import WorkbookContent
from batchrun.io.workbook_kept import Kept
from batchrun.model import Amount, Cell, Doubt, Number, Problem, ResultRow, SplitAmount, State


@dataclass(frozen=True, slots=True)
class LeftOver:
    """What the workbook that is written over held: rows that were filled in, by number, and all that is kept of it."""

    typed: Mapping[int, Mapping[str, Cell]] = field(default_factory=dict)
    override_fields: tuple[str, ...] = ()
    doubts: Mapping[int, DoubtTyped] = field(default_factory=dict)
    kept: Kept | None = None


NOTHING_LEFT = LeftOver()
NO_ROWS = "so its rows can no longer be shown"


def content(journal: Journal, batch: Batch, left: LeftOver = NOTHING_LEFT) -> WorkbookContent:
    """Give all that a batch's workbook says."""
    figures = figures_of(journal, batch)
    decimals = decimals_of_columns(figures.totals)
    asked = _override_fields(journal, batch)
    fields = tuple(dict.fromkeys((*asked, *left.override_fields)))
    return WorkbookContent(
        header=batch.sheet.header,
        rows=lambda: result_rows(journal, batch, typed=left.typed, fields=fields),
        output_fields=output_fields(journal, batch),
        override_fields=fields,
        typed_overrides=frozenset(asked),
        kept=left.kept,
        summary=summary_of(journal, batch, figures),
        problems=lambda: _problems(journal, batch),
        amounts=tuple(decimals),
        decimals=decimals,
        made_at=SystemClock().now(),
        doubts=tuple(_doubts(journal, batch, left.doubts)),
    )


def _override_fields(journal: Journal, batch: Batch) -> tuple[str, ...]:
    schema = outputs_schema(journal, batch)
    return () if schema is None else fields_of(schema)


def outputs_schema(journal: Journal, batch: Batch) -> Schema | None:
    """Give the schema of a batch's review outputs, as it was when the batch began."""
    wanted = batch.settings.get("review", {})
    if not wanted.get("outputs"):
        return None
    with journal.reading() as connection:
        content = journal_files.kept_bytes(connection, wanted["outputs"])
    return schema_from(content, wanted["outputs_name"])


def result_rows(
    journal: Journal,
    batch: Batch,
    states: Sequence[State] = (),
    *,
    typed: Mapping[int, Mapping[str, Cell]] | None = None,
    fields: Sequence[str] = (),
) -> Iterator[ResultRow]:
    """Give a batch's rows as the workbook shows them, in the source's order; `typed` is what was filled in, by row."""
    with journal.reading() as connection:
        refuse_purged_rows(connection, batch, NO_ROWS)
        requests = journal_deliveries.review_requests(connection, batch)
        standings = {one.number: one for one in journal_decisions.standings(connection, batch)}
        for record in journal_rows.stream(connection, batch, states):
            standing = standings.get(record.number)
            review = review_cells(standing, (typed or {}).get(record.number), fields)
            rejected = standing is not None and standing.was_rejected
            yield _result(record, batch, shown_cells(record, batch), requests.get(record.owner), review, rejected)


def source_rows(journal: Journal, batch: Batch, states: Sequence[State]) -> Iterator[ResultRow]:
    """Give some rows with the source's cells as they were, so that they can be an input again."""
    with journal.reading() as connection:
        refuse_purged_rows(connection, batch, NO_ROWS)
        for record in journal_rows.stream(connection, batch, states):
            yield _result(record, batch, record.cells, None, ReviewCells())


def _result(
    record: RowRecord,
    batch: Batch,
    cells: tuple[Cell, ...],
    request: tuple[str | None, Any] | None,
    review: ReviewCells,
    rejected: bool = False,
) -> ResultRow:
    output = record.output
    title, data = request or (None, None)
    return ResultRow(
        number=record.number,
        cells=cells,
        state=record.state,
        next_step=sentence(record.state, batch.name, workbook_word(batch), told=request is not None, rejected=rejected),
        run_id=record.run_id,
        output=output if isinstance(output, dict) else {} if output is None else {"value": output},
        error=record.error or "; ".join(problem.message for problem in record.problems) or None,
        attempts=record.attempts,
        sent_at=record.sent_at,
        finished_at=record.finished_at,
        seconds=_seconds(record),
        review_title=title if isinstance(title, str) else None,
        review_data=None if data is None else payloads.to_json(data).decode(),
        decision=review.decision,
        rejection_reason=review.rejection_reason,
        overrides=review.overrides,
        reviewer=review.reviewer,
        decision_status=review.status,
    )


def workbook_word(batch: Batch) -> str:
    """Name a batch's workbook as a command line takes it, from its own folder."""
    return system.shell_word(Path(batch.workbook).name)


def shown_cells(record: RowRecord, batch: Batch) -> tuple[Cell, ...]:
    """Show the text of a control column as the number that it was read as, so that it adds up in Excel too."""
    shown = list(record.cells)
    places = [batch.sheet.header.index(one.column) for one in summed(batch.settings["totals"])]
    for place, amount in zip(places, map(amount_of, record.amounts), strict=False):
        if place < len(shown) and isinstance(shown[place], str) and shown[place] and amount is not None:
            shown[place] = Number(amount)
    return tuple(shown)


def _seconds(record: RowRecord) -> float | None:
    if record.sent_at is None or record.finished_at is None:
        return None
    return max(0.0, round((record.finished_at - record.sent_at).total_seconds(), 3))


def output_fields(journal: Journal, batch: Batch) -> tuple[str, ...]:
    """Give the output fields that become columns: those that the job names, or all that were seen."""
    chosen = batch.settings["output"]
    if chosen is not None:
        return tuple(chosen)
    seen: dict[str, None] = {}
    with journal.reading() as connection:
        for output in journal_rows.outputs(connection, batch.id):
            seen.update(dict.fromkeys(output if isinstance(output, dict) else ["value"]))
    return tuple(seen)


def _problems(journal: Journal, batch: Batch) -> Iterator[Problem]:
    with journal.reading() as connection:
        yield from journal_rows.problems(connection, batch.id)


def _doubts(journal: Journal, batch: Batch, typed: Mapping[int, DoubtTyped]) -> Iterator[Doubt]:
    with journal.reading() as connection:
        found = journal_rows.stream(connection, batch, [State.IN_DOUBT])
        for record in [one.bare for one in found if one.leader is None]:
            steps = journal_rows.history(connection, batch.id, record.position)
            yield _doubt(record, batch, steps, typed.get(record.number, DoubtTyped("", "", "")))


def _told(amount: Amount) -> str:
    return f"{plain(amount_of(amount) or Decimal(0))} {amount.value if isinstance(amount, SplitAmount) else ''}".strip()


def _doubt(record: RowRecord, batch: Batch, steps: Sequence[Mapping[str, Any]], typed: DoubtTyped) -> Doubt:
    ended = next((step["at"] for step in reversed(steps) if step["after"] == State.IN_DOUBT.value), None)
    key = ", ".join(record.key)
    return Doubt(
        row=record.number,
        key=key,
        amount=", ".join(_told(amount) for amount in record.amounts if amount_of(amount) is not None),
        sent_after=record.sent_at,
        sent_before=parse_time(ended),
        look_for=f"a run of {batch.procedure_id} in {batch.environment}, created between these times, "
        f"with {key} in its input. Settle it with: batchrun resolve {batch.name}",
        run_id=typed.run_id,
        not_run=typed.not_run,
        checked_by=typed.checked_by,
    )
