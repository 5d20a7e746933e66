"""Writes the results workbook from the journal: never over another batch's, never over what somebody changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from batchrun.core import latencies, payloads
from batchrun.core.cells import plain
from batchrun.core.durations import words
from batchrun.core.lifecycle import ENDED
from batchrun.core.next_steps import sentence
from batchrun.errors import NotFound
from batchrun.flows.clock import SystemClock
from batchrun.flows.folding import fold
from batchrun.flows.outcome import totals_of
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_deliveries, journal_files, journal_rows
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch, parse_time
from batchrun.io.journal_rows import RowRecord
from batchrun.io.workbook import WorkbookContent, write_workbook
from batchrun.model import Cell, ControlTotal, Doubt, Number, Problem, ResultRow, State, Summary

MOST_NAMES = 1_000


def write(journal: Journal, name: str, teller: Teller, output: Path | None = None) -> Path | None:
    """Write a batch's workbook; where it cannot be written, say so and leave the batch as it is."""
    with journal.reading() as connection:
        batch = journal_batches.find(connection, name)
    if batch is None:
        raise NotFound(f"there is no batch {name}")
    fold(journal, batch)
    wanted = output or Path(batch.workbook)
    path = _place(batch, wanted, teller)
    try:
        sha256 = write_workbook(path, content(journal, batch))
    except OSError as error:
        teller.warn(
            f"the workbook {path} could not be written ({error.strerror}); write it with: batchrun report {name}"
        )
        return None
    with journal.writing() as connection:
        journal_batches.amend(connection, batch.id, workbook=str(path), workbook_sha256=sha256)
    return path


def free_name(wanted: Path, teller: Teller) -> Path:
    """Give a place where nothing is yet: the one that is wanted, or a numbered one beside it."""
    if not wanted.exists():
        return wanted
    path = next(path for path in _numbered(wanted) if not path.exists())
    teller.warn(f"{wanted.name} exists already, so it is left alone; this is written to {path.name}")
    return path


def _numbered(wanted: Path) -> Iterator[Path]:
    for number in range(2, MOST_NAMES):
        yield wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")


def _place(batch: Batch, wanted: Path, teller: Teller) -> Path:
    """Give where to write: the place that is wanted, or a numbered one beside it where that is not ours to write."""
    reason = _not_ours(batch, wanted)
    if reason is None:
        return wanted
    for path in _numbered(wanted):
        if _not_ours(batch, path) is None:
            teller.warn(f"{wanted.name} {reason}, so it is left alone; this is written to {path.name}")
            return path
    raise NotFound(f"there is no free name beside {wanted}; name another file with -o")


def _not_ours(batch: Batch, path: Path) -> str | None:
    if path.with_name(f"~${path.name}").exists():
        return "is open in Excel"
    if not path.exists():
        return None
    if str(path) != batch.workbook or batch.workbook_sha256 is None:
        return "exists already"
    return None if journal_files.sha256_of(path) == batch.workbook_sha256 else "was changed since it was written"


def content(journal: Journal, batch: Batch) -> WorkbookContent:
    """Give all that a batch's workbook says."""
    totals = totals_of(journal, batch)
    decimals = {control.column: control.decimals for control in totals}
    return WorkbookContent(
        header=batch.sheet.header,
        rows=lambda: result_rows(journal, batch),
        output_fields=output_fields(journal, batch),
        override_fields=(),
        summary=_summary(journal, batch, totals),
        problems=lambda: _problems(journal, batch),
        amounts=tuple(decimals),
        decimals=decimals,
        made_at=SystemClock().now(),
        doubts=tuple(_doubts(journal, batch)),
    )


def result_rows(journal: Journal, batch: Batch, states: Sequence[State] = ()) -> Iterator[ResultRow]:
    """Give a batch's rows as the workbook shows them, in the source's order."""
    places = [batch.sheet.header.index(column) for column in batch.settings["totals"]]
    with journal.reading() as connection:
        requests = journal_deliveries.review_requests(connection, batch)
        for record in journal_rows.stream(connection, batch, states):
            yield _result(record, batch, places, requests.get(record.position))


def source_rows(journal: Journal, batch: Batch, states: Sequence[State]) -> Iterator[ResultRow]:
    """Give some rows with the source's cells as they were, so that they can be an input again."""
    with journal.reading() as connection:
        for record in journal_rows.stream(connection, batch, states):
            yield _result(record, batch, (), None)


def _result(
    record: RowRecord, batch: Batch, places: Sequence[int], request: tuple[str | None, Any] | None
) -> ResultRow:
    output = record.output
    title, data = request or (None, None)
    return ResultRow(
        number=record.number,
        cells=_with_amounts(record.cells, record.amounts, places),
        state=record.state,
        next_step=sentence(record.state, batch.name, told=request is not None),
        run_id=record.run_id,
        output=output if isinstance(output, dict) else {} if output is None else {"value": output},
        error=record.error or "; ".join(problem.message for problem in record.problems) or None,
        attempts=record.attempts,
        sent_at=record.sent_at,
        finished_at=record.finished_at,
        seconds=_seconds(record),
        review_title=title if isinstance(title, str) else None,
        review_data=None if data is None else payloads.to_json(data).decode(),
    )


def _with_amounts(
    cells: tuple[Cell, ...], amounts: Sequence[Decimal | None], places: Sequence[int]
) -> tuple[Cell, ...]:
    """Show the text of a control column as the number that it was read as, so that it adds up in Excel too."""
    shown = list(cells)
    for place, amount in zip(places, amounts, strict=False):
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


def _doubts(journal: Journal, batch: Batch) -> Iterator[Doubt]:
    with journal.reading() as connection:
        for record in list(journal_rows.stream(connection, batch, [State.IN_DOUBT])):
            steps = journal_rows.history(connection, batch.id, record.position)
            yield _doubt(record, batch, steps)


def _doubt(record: RowRecord, batch: Batch, steps: Sequence[Mapping[str, Any]]) -> Doubt:
    ended = next((step["at"] for step in reversed(steps) if step["after"] == State.IN_DOUBT.value), None)
    amounts = zip(batch.settings["totals"], record.amounts, strict=False)
    key = ", ".join(record.key)
    return Doubt(
        row=record.number,
        key=key,
        amount=", ".join(plain(amount) for _, amount in amounts if amount is not None),
        sent_after=record.sent_at,
        sent_before=parse_time(ended),
        look_for=f"a run of {batch.procedure_id} in {batch.environment}, created between these times, "
        f"with {key} in its input. Settle it with: batchrun resolve {batch.name}",
    )


def _summary(journal: Journal, batch: Batch, totals: tuple[ControlTotal, ...]) -> Summary:
    with journal.reading() as connection:
        counts = journal_batches.counts(connection, [batch.id])[batch.id]
        times = journal_rows.times(connection, batch.id)
    seconds = [(end - start).total_seconds() for start, end, state in times if end is not None and state in ENDED]
    starts = [start for start, _, _ in times]
    ends = [end for _, end, state in times if end is not None and state in ENDED]
    return Summary(
        title=f"{batch.job}: {batch.name}",
        facts=tuple(_facts(journal, batch, starts, ends).items()),
        counts=counts,
        rows=sum(counts.values()),
        totals=totals,
        seconds=latencies.percentiles([max(0.0, one) for one in seconds]),
        completions=latencies.over_time(min(starts), ends) if starts else (),
        notes=tuple(batch.notes),
    )


def _facts(journal: Journal, batch: Batch, starts: list[datetime], ends: list[datetime]) -> Mapping[str, str]:
    pin = batch.procedure_version or "the published default"
    facts: dict[str, Any] = {
        "Batch": batch.name,
        "Job": batch.settings.get("description") or batch.job,
        "Environment": f"{batch.environment} (simulated)" if batch.simulated else batch.environment,
        "Procedure": f"{batch.procedure_id}, version {pin}, {batch.mode}",
        "Params": ", ".join(f"{name} {value}" for name, value in batch.params.items()),
        "API": batch.base_url,
        "Started by": f"{batch.made_by} on {batch.host}",
        "Created (UTC)": batch.created_at[:19].replace("T", " "),
        "First sent (UTC)": _time(min(starts, default=None)),
        "Last ended (UTC)": _time(max(ends, default=None)),
        "Rate": batch.settings["rate"],
        "Input": batch.input_name,
        "Sheet": batch.sheet.sheet,
        "Input SHA-256": batch.input_sha256,
        "Spec SHA-256": batch.spec_sha256,
        "Schema SHA-256": batch.schema_sha256,
        "Stopped": batch.stopped,
        "Journal": str(journal.path),
        "Made with": f"batchrun {batch.made_with}",
    }
    if starts and ends:
        facts["Took"] = words(max(0.0, (max(ends) - min(starts)).total_seconds()))
    return {label: str(value) for label, value in facts.items() if value}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
