"""`plan`: all that a run does before its first request, written down and sealed for a second person to approve."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

from batchrun.core import duplicates, mapping, sealed_document
from batchrun.core import plan as plans
from batchrun.core.duplicates import Taken
from batchrun.core.durations import parse_rate
from batchrun.core.plan import Duplicate, InputFile, Plan, Rehearsal, SealedFile, Selection, StagedRow
from batchrun.core.totals import as_json
from batchrun.errors import BadCommandLine
from batchrun.flows import planned, staging
from batchrun.flows.clock import SystemClock
from batchrun.flows.loading import Choice, LoadedJob, loaded
from batchrun.flows.origins import Origins
from batchrun.flows.run import refuse_unfinished, twin_of
from batchrun.flows.staging import RunChoice
from batchrun.flows.telling import Teller
from batchrun.flows.weighing import Weighed, weighed
from batchrun.io import journal_batches, journal_plans
from batchrun.io.journal import Journal, open_journal
from batchrun.io.journal_batches import Batch, Draft
from batchrun.io.journal_plans import ShownRow
from batchrun.io.plan_workbook import PlanWorkbook, plan_workbook
from batchrun.io.whole_file import sha256_of, write_new
from batchrun.model import ControlTotal, State

MOST_COLUMNS = 12  # beside key and sums; more could not be read on a page


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan that was written, and its readable workbook."""

    path: Path
    workbook: Path
    sha256: str
    plan: Plan
    counts: Mapping[State, int]
    totals: tuple[ControlTotal, ...]

    @property
    def next(self) -> str:
        """Give the command by which it is approved."""
        return planned.approve_command(self.path)

    def as_json(self) -> dict[str, object]:
        """Give the document of `plan --json`."""
        return {
            "version": 1,
            "plan": str(self.path),
            "workbook": str(self.workbook),
            "rows": self.plan.rows,
            "runs": self.plan.runs,
            "counts": self.plan.counts,
            "totals": self.plan.totals,
            "sha256": self.sha256,
            "next": self.next,
            "error": None,
        }


@dataclass(frozen=True, slots=True)
class _Staged:
    """What was staged for a plan, and is not kept."""

    draft: Draft
    weighed: Weighed
    rows: list[StagedRow]
    shown: list[ShownRow]
    columns: tuple[str, ...]
    rehearsal: Rehearsal | None


def plan(
    path: Path, choice: Choice, origins: Origins, journal_path: Path | None, output: Path, teller: Teller
) -> Planned:
    """Write the plan of a job; raise what would keep its run from starting, and then nothing is written."""
    output, workbook = _places(output)
    if choice.input == Path("-"):
        raise BadCommandLine("a plan is of a sheet that can be read again, so --input names a file")
    with loaded(path, choice) as job:
        refuse_unfinished(job)
        journal = open_journal(journal_path)
        try:
            found = _staged(journal, job, origins, teller)
        finally:
            journal.close()
        made = _plan(job, found, output.parent)
    content = made.sealed()
    sha256 = sealed_document.sha256(content)
    totals = found.weighed.totals.controls()
    summed = job.spec.results.summed
    columns = found.columns[:MOST_COLUMNS], found.columns[MOST_COLUMNS:]
    shown = PlanWorkbook(
        output, sha256, made, found.weighed.counts, totals, job.spec.key, summed, *columns, found.shown
    )
    _write(output, content, workbook, shown)
    taken = [Taken(row.number, row.key, row.why or "") for row in found.shown if row.state is State.DUPLICATE]
    for note in (*made.notes, *duplicates.told(taken, len(taken))):
        teller.warn(note)
    if not made.runs:
        teller.warn("by this plan nothing would be sent")
    return Planned(output, workbook, sha256, made, found.weighed.counts, totals)


def _places(output: Path) -> tuple[Path, Path]:
    """Give where plan and workbook go; raise BadCommandLine where something is there already."""
    place = output.expanduser().resolve()
    if place.suffix.lower() in (".xlsx", ".yaml", ".yml", ".csv"):
        raise BadCommandLine(f"-o {output.name}: a plan is a JSON file; name it {output.stem}{plans.SUFFIX}")
    workbook = place.with_name(plans.workbook_name(place.name))
    for one in (place, workbook):
        if os.path.lexists(one):
            raise _exists(one)
    return place, workbook


def _exists(place: Path) -> BadCommandLine:
    return BadCommandLine(f"{place} exists already, and a plan never overwrites anything; take another name")


def _write(output: Path, content: bytes, workbook: Path, shown: PlanWorkbook) -> None:
    """Write both files, or none."""
    place = workbook
    if output.parent.exists() and not output.parent.is_dir():
        raise BadCommandLine(f"{output} cannot be written: {output.parent.name} is no folder")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_new(workbook, plan_workbook(shown, workbook.parent))
        try:
            place = output
            write_new(output, content)
        except BaseException:
            workbook.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise _exists(place) from None
    except OSError as error:
        raise BadCommandLine(f"{place} cannot be written ({error.strerror}); take another place with -o") from None


def _staged(journal: Journal, job: LoadedJob, origins: Origins, teller: Teller) -> _Staged:
    """Stage the job as a run does, look at what is staged, and let go of it."""
    draft = staging.draft_of(job, origins, RunChoice(), sha256_of(job.input))
    twin_of(journal, draft, RunChoice(), for_plan=True)
    with staging.staged(journal, draft) as batch_id:
        found = weighed(journal, batch_id, draft, job, teller)
        with journal.reading() as connection:
            rows = journal_plans.staged_rows(connection, batch_id)
            columns = _columns(job)
            shown = list(journal_plans.shown_rows(connection, batch_id, columns[:MOST_COLUMNS]))
            rehearsed = journal_plans.rehearsal(connection, batch_id, draft.procedure_id)
        header = job.preparer.info.header
        names = tuple(header[column] for column in columns)
        return _Staged(draft, found, rows, shown, names, _rehearsal(journal, rehearsed))


def _columns(job: LoadedJob) -> list[int]:
    """Give the sheet's columns that are sent, by which people know a row; key and sums stand in Rows anyway."""
    header, spec = job.preparer.info.header, job.spec
    there = {*spec.key, *(name for one in spec.results.summed for name in (one.column, one.by))}
    return [column for column in mapping.columns_fed(job.preparer.mapper) if header[column] not in there]


def _rehearsal(journal: Journal, batch: Batch | None) -> Rehearsal | None:
    if batch is None:
        return None
    with journal.reading() as connection:
        counts = journal_batches.counts(connection, [batch.id])[batch.id]
    date = batch.created_at[:10]
    return Rehearsal(batch=batch.name, date=date, counts={state.value: count for state, count in counts.items()})


def _plan(job: LoadedJob, found: _Staged, folder: Path) -> Plan:
    draft, spec, choice = found.draft, job.spec, job.choice
    payloads = plans.to_send(found.rows)
    per_second = parse_rate(spec.rate)
    return Plan(
        job=spec.job,
        environment=draft.environment,
        world=draft.world,
        base_url=draft.base_url,
        review_url=draft.review_url,
        procedure=draft.procedure_id,
        procedure_version=draft.procedure_version,
        mode=draft.mode,
        timeout_ms=draft.timeout_ms,
        rate=draft.settings["rate"],
        concurrency=draft.settings["concurrency"],
        spec=SealedFile(
            name=job.file.path.name, sha256=draft.spec_sha256, path=_relative(job.file.path.resolve(), folder)
        ),
        schema=SealedFile(name=draft.schema_name, sha256=draft.schema_sha256),
        outputs=_outputs(job),
        input=InputFile(
            name=draft.input_name,
            sha256=draft.input_sha256,
            path=_relative(job.input.resolve(), folder),
            sheet=draft.sheet.sheet,
            given=choice.input is not None,
        ),
        params=dict(draft.params),
        selection=Selection(rows=choice.rows, limit=choice.limit, skip_invalid=choice.skip_invalid),
        approval=spec.approval,
        approvers=spec.approvers,
        rows=len(found.rows),
        runs=len(payloads),
        counts={state.value: count for state, count in found.weighed.counts.items()},
        totals=as_json(found.weighed.totals.controls()),
        duplicates=[
            Duplicate(row=row.number, taken=row.why or "") for row in found.rows if row.state is State.DUPLICATE
        ],
        notes=list(found.weighed.notes),
        seconds=None if per_second == inf else round(len(payloads) / per_second, 1),
        rehearsal=found.rehearsal,
        made_at=journal_batches.text_time(SystemClock().now()),
        made_by=draft.made_by,
        host=draft.host,
        made_with=draft.made_with,
        payloads=payloads,
        payloads_sha256=plans.payloads_sha256(payloads),
    )


def _outputs(job: LoadedJob) -> SealedFile | None:
    if job.outputs is None:
        return None
    return SealedFile(name=job.outputs.path.name, sha256=sealed_document.sha256(job.outputs.content))


def _relative(path: Path, folder: Path) -> str:
    """Give a path from the plan's folder, so that both can be moved together; whole where no way leads there."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return path.as_posix()
