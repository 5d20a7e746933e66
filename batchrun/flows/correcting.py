"""Corrected rows for `retry --input`: matched by key with a batch's rows, checked by the batch's own job, and told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from batchrun.core import correcting
from batchrun.core.lifecycle import NEVER_SENT
from batchrun.core.prepare import compile_preparer
from batchrun.core.proofs import with_correction
from batchrun.core.schema import Schema
from batchrun.core.spec import JobSpec
from batchrun.core.totals import Totals, counted, grouped
from batchrun.errors import BadCorrections, BadSpec, CouldNotStart, NotFound
from batchrun.flows.corrected_file import CorrectedFile, read_corrected
from batchrun.flows.corrected_rows import Corrected, Wanted, Weighing
from batchrun.flows.expectations import check_amounts
from batchrun.flows.preparing import note_largest
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_corrections, journal_files, journal_rows, spec_file, system
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_corrections import Origin
from batchrun.io.journal_rows import RowRecord
from batchrun.model import State

if TYPE_CHECKING:
    from sqlalchemy import Connection

SHOWN = 20  # changed cells
MOST_TOLD = 1_000  # problems


@dataclass(frozen=True, slots=True)
class Corrections:
    """What a corrected file asks for: all of its rows that can be sent."""

    file: CorrectedFile
    rows: tuple[Corrected, ...]

    @property
    def changed(self) -> list[Corrected]:
        """The rows of which a cell or the payload changed."""
        return [one for one in self.rows if one.is_new]

    @property
    def records(self) -> list[RowRecord]:
        """The batch's rows, with the amounts that they will have."""
        return [replace(one.record, amounts=one.new.amounts) for one in self.rows]


def read(journal: Journal, batch: Batch, path: Path, wanted: Wanted, teller: Teller) -> Corrections:
    """Read a corrected file and weigh every row; raise BadCorrections with every problem, each with its cell."""
    spec, schema = _own_job(journal, batch)
    file = read_corrected(path, spec, batch.sheet.header)
    preparer = compile_preparer(spec, file.info, schema, batch.params)
    weighing = Weighing(journal, batch, file, preparer, wanted, correcting.grouped_by_points(spec))
    rows = tuple(weighing.rows())
    for note in (*file.notes, *weighing.notes()):
        teller.say(note)
    _tell_problems(file, weighing, rows, wanted, teller)
    if not rows:
        raise NotFound(f"{file.name} names no row of {batch.name} that can be sent again; nothing was sent")
    if batch.environment == "live":
        _hold_limits(journal, batch, spec, rows)
    return Corrections(file, rows)


def _hold_limits(journal: Journal, batch: Batch, spec: JobSpec, rows: Sequence[Corrected]) -> None:
    """Hold the batch, as it would be with the new amounts, against its job's caps: a correction lifts none of them."""
    if not (spec.limits.total or spec.limits.each):
        return
    totals, largest = Totals(spec.results.summed), dict[str, tuple[Decimal, int]]()
    corrected = {one.record.position for one in rows}
    with journal.reading() as connection:
        for record in journal_rows.stream(connection, batch, sorted(set(State) - NEVER_SENT - {State.REFUSED})):
            if record.position not in corrected:
                totals.add(State.READY, record.amounts)
    for one in rows:
        totals.add(State.READY, one.new.amounts)
        note_largest(largest, totals.entries, one.new.amounts, one.record.number)
    check_amounts(spec.limits, totals, largest, "row {}".format)


def _own_job(journal: Journal, batch: Batch) -> tuple[JobSpec, Schema]:
    """Give the spec and the schema as they were when the batch began, whatever lies on the disk now."""
    with journal.reading() as connection:
        content = journal_files.kept_bytes(connection, batch.spec_sha256)
        schema = journal_files.kept_bytes(connection, batch.schema_sha256)
    file = spec_file.spec_from(content, Path(batch.spec_path))
    if file.spec is None:
        raise BadSpec(file.tell(file.faults))
    return file.spec, spec_file.schema_from(schema, batch.schema_name)


def _tell_problems(
    file: CorrectedFile, weighing: Weighing, rows: Sequence[Corrected], wanted: Wanted, teller: Teller
) -> None:
    if not weighing.problems:
        return
    asked = len(file.rows) - weighing.left_out
    kept_back = asked - len(rows)  # with a faulty row, all of its group
    lines = correcting.told(weighing.problems, MOST_TOLD)
    if not wanted.skip_invalid:
        raise BadCorrections(file.name, lines, kept_back, asked)
    teller.warn(f"{counted(kept_back, 'row')} of {file.name} left out (--skip-invalid):")
    for line in lines:
        teller.warn(line)


def tell(batch: Batch, corrections: Corrections, teller: Teller) -> None:
    """Show old and new of what changed, and say what goes as it was."""
    changed = [one for one in corrections.rows if one.changes]
    lines = [f"row {one.record.number} {change.told()}" for one in changed for change in one.changes]
    cells = counted(len(lines), "cell")
    teller.say(f"{corrections.file.name}: {counted(len(changed), 'row')} corrected, {cells} changed")
    for line in lines[:SHOWN]:
        teller.say(f"  {line}")
    if len(lines) > SHOWN:
        teller.say(f"  and {counted(len(lines) - SHOWN, 'more changed cell')}")
    sent_otherwise = {one.record.owner for one in corrections.rows if one.new.payload != one.record.payload}
    _tell_unchanged(sum(not one.changes and one.record.owner not in sent_otherwise for one in corrections.rows), teller)
    _tell_sums(batch, corrections, teller)
    same = sum(one.record.owner not in sent_otherwise for one in changed)
    if same:
        teller.warn(f"of the corrected rows, {counted(same, 'row')} changed only in what the job does not send")


def _tell_unchanged(count: int, teller: Teller) -> None:
    if count == 1:
        teller.say("1 row is unchanged and is sent again as it was.")
    elif count:
        teller.say(f"{count:,} rows are unchanged and are sent again as they were.")


def _tell_sums(batch: Batch, corrections: Corrections, teller: Teller) -> None:
    before, after = _sums(batch, corrections.rows)
    old, new = ({one.column: one for one in sums.controls()} for sums in (before, after))
    for name in dict.fromkeys((*old, *new)):
        was, is_now = (sums[name].input if name in sums else Decimal(0) for sums in (old, new))
        if was != is_now:
            decimals = max(sums[name].decimals for sums in (old, new) if name in sums)
            teller.say(f"{name} of these rows in all: {grouped(was, decimals)} -> {grouped(is_now, decimals)}")


def _sums(batch: Batch, rows: Iterable[Corrected]) -> tuple[Totals, Totals]:
    """Add up rows as they were, and as they are to be."""
    before, after = Totals(batch.settings["totals"]), Totals(batch.settings["totals"])
    for one in rows:
        before.add(one.record.state, one.record.amounts)
        after.add(one.record.state, one.new.amounts)
    return before, after


def write(connection: Connection, batch: Batch, corrections: Corrections, now: datetime) -> None:
    """Write corrections in the caller's transaction, with the file and a note; raise where a row moved meanwhile."""
    records = [one.record for one in corrections.rows]
    moved = journal_corrections.changed_meanwhile(connection, batch, records)
    if moved:
        named = ", ".join(map(str, moved[:SHOWN])) + (" …" if len(moved) > SHOWN else "")
        raise CouldNotStart(
            f"rows of {batch.name} have changed since they were read (rows {named}); nothing was sent, try it again",
            code="changed-meanwhile",
        )
    changed = corrections.changed
    if not changed:
        return
    file, user = corrections.file, system.user_name()
    journal_files.keep_file(connection, file.path, file.sha256)
    origin = Origin(user, file.name, file.sha256)
    journal_corrections.correct(connection, batch, [one.new for one in changed], origin, now)
    count = sum(bool(one.changes) for one in changed)
    told = "1 row was" if count == 1 else f"{count:,} rows were"
    note = f"{told} corrected on {now:%Y-%m-%d} from {file.name} by {user} (SHA-256 {file.sha256})."
    held = journal_batches.find(connection, batch.name)
    assert held is not None  # noqa: S101  # batches are never removed
    before, after = _sums(batch, changed)
    settings = with_correction(held.settings, before.controls(), after.controls())
    journal_batches.amend(connection, batch.id, notes=[*held.notes, note], settings=settings)


def notes_by_position(corrections: Corrections) -> Mapping[int, str]:
    """Give what the trail says of each corrected row's new attempt; of a group's, at the row that bears the payload."""
    note = f"corrected from {corrections.file.name} and tried again by {system.user_name()}"
    return {one.record.owner: note for one in corrections.changed}
