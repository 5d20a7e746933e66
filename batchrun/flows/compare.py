"""`compare`: a job's present sheet against an earlier batch of it; sends nothing and records nothing."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import batchrun
from batchrun.core import cells, comparing, differences
from batchrun.core.comparing import Amounts, Changes, Entry, Key, Side
from batchrun.core.differences import Content, Watch
from batchrun.core.moments import to_the_second
from batchrun.core.prepare import Prepared
from batchrun.core.suggestions import did_you_mean
from batchrun.core.totals import counted, summed
from batchrun.errors import BadCommandLine
from batchrun.flows import expectations, preparing
from batchrun.flows.clock import SystemClock
from batchrun.flows.compared import Compared
from batchrun.flows.earlier import earlier_batch, label_of, months_like, some_journal
from batchrun.flows.loading import Choice, LoadedJob, loaded
from batchrun.flows.origins import Origins
from batchrun.flows.preparing import Pass
from batchrun.flows.telling import Counting, Teller
from batchrun.io import comparison_workbook, journal_comparisons, journal_purges
from batchrun.io.comparison_workbook import ComparisonContent
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.model import Amount, Cell, State, Summed

CHUNK = 500
EMPTY = "(empty)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line chooses of a comparison."""

    batch: str | None = None
    threshold: str = "20%"
    by: str | None = None
    output: Path | None = None


def compare(
    path: Path, choice: Choice, origins: Origins, journal_path: Path | None, teller: Teller, wanted: Wanted
) -> Compared:
    """Compare a job's rows with a batch's; what keeps them from being compared is raised."""
    threshold = _threshold(wanted.threshold)
    place = None if wanted.output is None else comparison_workbook.free_place(wanted.output)
    with loaded(path, choice) as job, contextlib.closing(some_journal(job, journal_path)) as journal:
        batch, notes = earlier_batch(journal, job, origins, wanted.batch, teller)
        with teller.counting("rows compared") as counting:
            found = _found(journal, batch, job, wanted.by, counting)
        result = found.compared(threshold, notes)
        if place is None:
            return result
        result = replace(result, months=months_like(journal, batch, found.totals))
    comparison_workbook.write_comparison(place, _content(result))
    return replace(result, workbook=str(place))


def _threshold(text: str) -> Decimal:
    try:
        return comparing.parse_threshold(text)
    except ValueError as error:
        raise BadCommandLine(f"--threshold: {error}") from None


@dataclass
class _Found:
    """What both passes have gathered: the batch's rows first, then the sheet's."""

    job: LoadedJob
    batch: Batch
    by: str | None
    purged: str | None
    through: Pass
    old: Side = field(default_factory=Side)
    new: Side = field(default_factory=Side)
    changes: Changes = field(default_factory=Changes)

    def totals(self, one: Summed) -> bool:
        """Tell whether a control total is one of both sides: one of a single side would seem to have moved."""
        return one in self.job.spec.results.summed and one in summed(self.batch.settings["totals"])

    def compared(self, threshold: Decimal, notes: Sequence[str]) -> Compared:
        """Say what differs."""
        job, batch = self.job, self.batch
        by = None if self.purged else self.by
        return Compared(
            job=job.spec.job,
            environment=job.choice.environment,
            batch=batch,
            input_name=job.preparer.info.file_name,
            rows=self.new.rows,
            rows_then=self.old.rows,
            invalid=self.new.not_compared,
            invalid_then=self.old.not_compared,
            threshold=threshold,
            comparison=comparing.compared(self.old, self.new, self.changes, threshold, by),
            label=label_of(job.params, SystemClock().now().strftime("%Y-%m")),
            notes=(*notes, *self._notes(), *preparing.notes_of(self.through)),
        )

    def _notes(self) -> Iterator[str]:
        name = self.batch.name
        if self.purged:
            by = f", and not by {self.by}" if self.by else ""
            yield (
                f"The payloads and cells of {name} were removed on {self.purged[:10]}, so it is compared by keys and "
                f"amounts alone{by}."
            )
        then, now = self.batch.sheet.header, self.job.preparer.info.header
        for told, here, there in (("are new", now, then), ("are gone", then, now)):
            names = [f'"{column}"' for column in here if column not in there]
            if names:
                yield f"Columns that {told} and are not compared: {', '.join(names)}."
        for side, where in ((self.new, "in the sheet"), (self.old, f"in {name}")):
            unread = sum(amount is None for entry in side.entries.values() for _, amount in entry.amounts)
            if unread:
                yield f"{counted(unread, 'amount')} {where} cannot be read; 0 is taken in the sums."


def _found(journal: Journal, batch: Batch, job: LoadedJob, by: str | None, counting: Counting) -> _Found:
    with journal.reading() as connection:
        purged = journal_purges.purged_at(connection, batch.id)
    found = _Found(job, batch, by, purged, Pass(job))
    group_now = _group(by, job.preparer.info.header, job.preparer.info.file_name)
    group_then = None if purged else _group(by, batch.sheet.header, f"the sheet of {batch.name}")
    _read_batch(journal, found, group_then)
    _read_sheet(journal, found, group_now, counting)
    return found


def _group(by: str | None, header: Sequence[str], where: str) -> Callable[[Sequence[Cell]], str] | None:
    if by is None:
        return None
    if by not in header:
        raise BadCommandLine(f'--by: {where} has no column "{by}"{did_you_mean(by, header)}')
    place = header.index(by)
    return lambda row: (cells.shown(row[place]).strip() if place < len(row) else "") or EMPTY


def _labelled(found: _Found, entries: Sequence[Summed], amounts: Sequence[Amount]) -> Amounts:
    kept = [(one, amount) for one, amount in zip(entries, amounts, strict=False) if found.totals(one)]
    return comparing.labelled([one for one, _ in kept], [amount for _, amount in kept])


def _read_batch(journal: Journal, found: _Found, group: Callable[[Sequence[Cell]], str] | None) -> None:
    entries = summed(found.batch.settings["totals"])
    with journal.reading() as connection:
        for row in journal_comparisons.key_rows(connection, found.batch.id, cells=group is not None):
            if row.state is State.INVALID:
                found.old.leave_out(row.key)
                continue
            named = None if group is None else group(row.cells)
            found.old.add(row.number, row.position, row.key, _labelled(found, entries, row.amounts), named)


def _read_sheet(
    journal: Journal, found: _Found, group: Callable[[Sequence[Cell]], str] | None, counting: Counting
) -> None:
    entries = found.job.spec.results.summed
    look = differences.watch(
        found.job.preparer.mapper, found.batch.sheet.header, grouped=bool(found.job.preparer.group_columns)
    )
    waiting: list[tuple[Entry, Prepared]] = []
    for position, one in enumerate(preparing.prepared_rows(found.through, counting)):
        if one.is_invalid:
            found.new.leave_out(one.key)
            continue
        named = None if group is None else group(one.row.cells)
        found.new.add(one.row.number, position, one.key, _labelled(found, entries, one.amounts), named)
        if one.payload is not None and one.key in found.old.entries and not found.purged:
            waiting.append((found.old.entries[one.key], one))
        if len(waiting) >= CHUNK:
            _note_changes(journal, found, look, waiting)
    _note_changes(journal, found, look, waiting)
    preparing.refuse_no_rows(found.through)
    expectations.check_trailer(found.through)
    repeated: Counter[Key] = Counter(one.key for one in preparing.repeated_rows(found.through) if not one.is_invalid)
    for key, rows in repeated.items():
        found.new.take_out(key, rows)


def _note_changes(journal: Journal, found: _Found, look: Watch, waiting: list[tuple[Entry, Prepared]]) -> None:
    with journal.reading() as connection:
        positions = [entry.position for entry, _ in waiting]
        held = journal_comparisons.contents(connection, found.batch.id, positions)
    for entry, one in waiting:
        now = Content(one.payload, one.row.cells)
        found.changes.add(one.row.number, one.key, differences.changes(look, Content(*held[entry.position]), now))
    waiting.clear()


def _content(result: Compared) -> ComparisonContent:
    batch = result.batch
    simulated = " (simulated)" if batch.simulated else ""
    facts = {
        "Sheet now": f"{result.input_name}: {counted(result.rows, 'row')}, {result.invalid:,} of them not compared",
        "Batch then": f"{batch.name}: {counted(result.rows_then, 'row')}, {result.invalid_then:,} of them not compared",
        "Its sheet": batch.input_name,
        "Created (UTC)": to_the_second(batch.created_at),
        "Environment": f"{batch.environment}{simulated}",
        "API": "the local simulator" if batch.simulated else batch.base_url,
        "Threshold": f"an amount that moved by more than {result.threshold.normalize():f} % is told",
        "Made with": f"batchrun {batchrun.__version__}",
    }
    return ComparisonContent(
        title=f"{result.job}: {result.label} against {batch.name}",
        facts=tuple(facts.items()),
        comparison=result.comparison,
        threshold=result.threshold,
        label=result.label,
        months=result.months,
        notes=result.notes,
        made_at=SystemClock().now(),
    )
