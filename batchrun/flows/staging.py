"""Puts a job's rows into the journal as a batch that does not exist until it is sealed."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import orjson

import batchrun
from batchrun.core import naming, spec_checks
from batchrun.core.causes import Causes
from batchrun.core.conduct import most_refusals
from batchrun.core.durations import parse_rate
from batchrun.core.prepare import Prepared
from batchrun.core.totals import as_settings
from batchrun.errors import BadCommandLine, CouldNotStart, InvalidRows
from batchrun.flows import preparing
from batchrun.flows.clock import SystemClock
from batchrun.flows.loading import LoadedJob
from batchrun.flows.origins import Origins
from batchrun.flows.preparing import Pass
from batchrun.flows.telling import Counting
from batchrun.io import journal_batches, journal_files, journal_rows, system
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Draft
from batchrun.model import Problem, State

CHUNK = 2_000
SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class RunChoice:
    """What the command line chooses of a run, beyond what it chooses of the job."""

    rate: str | None = None
    concurrency: int | None = None
    max_errors: str = "100%"
    simulate: bool = False
    knobs: tuple[str, ...] = ()
    again: bool = False
    allow_duplicates: bool = False
    or_resume: bool = False
    canary: int | None = None
    output: Path | None = None
    grace: float | None = None


def draft_of(job: LoadedJob, origins: Origins, choice: RunChoice, input_sha256: str) -> Draft:
    """Give all that the batch will be besides its rows."""
    spec, environment = job.spec, job.choice.environment
    origin = f"{SIMULATED}:{uuid4()}" if choice.simulate else origins.base
    return Draft(
        job=spec.job,
        stem=naming.batch_stem(spec.job, job.params),
        world=naming.world_name(spec.procedure.id, environment, origin),
        environment=environment,
        base_url=SIMULATED if choice.simulate else origins.base,
        review_url=SIMULATED if choice.simulate else origins.review,
        simulated=choice.simulate,
        knobs=_knobs(spec.simulate, choice.knobs, simulated=choice.simulate),
        procedure_id=spec.procedure.id,
        procedure_version=spec.procedure.version,
        mode=spec.procedure.mode,
        timeout_ms=spec.procedure.timeout_ms,
        params=job.params,
        settings=_settings(job, choice),
        identity=_identity(job, input_sha256),
        input_name=job.preparer.info.file_name,
        input_path=str(job.input.resolve()),
        input_sha256=input_sha256,
        spec_path=str(job.file.path.resolve()),
        spec_sha256=hashlib.sha256(job.file.content).hexdigest(),
        schema_name=job.schema.path.name,
        schema_sha256=hashlib.sha256(job.schema.content).hexdigest(),
        sheet=job.preparer.info,
        notes=(),
        made_by=system.user_name(),
        host=system.host_name(),
        made_with=batchrun.__version__,
        workbook=str(_workbook(job, choice)),
    )


def _refuse_wrong(flag: str, text: str, read: Callable[[str], object]) -> None:
    try:
        read(text)
    except ValueError as error:
        raise BadCommandLine(f"{flag}: {error}") from None


def _settings(job: LoadedJob, choice: RunChoice) -> dict[str, object]:
    rate = choice.rate or job.spec.rate
    _refuse_wrong("--rate", rate, parse_rate)
    _refuse_wrong("--max-errors", choice.max_errors, lambda text: most_refusals(text, 1))
    return {
        "rate": rate,
        "account_rate": job.spec.account_rate,
        "concurrency": choice.concurrency or job.spec.concurrency,
        "max_errors": choice.max_errors,
        "not_run": list(job.spec.procedure.not_run),
        "repeatable": job.spec.procedure.repeatable,
        "allow_duplicates": choice.allow_duplicates,
        "totals": as_settings(job.spec.results.summed),
        "output": None if job.spec.results.output is None else list(job.spec.results.output),
        "canary": choice.canary or job.spec.canary,
        "grouped": bool(job.spec.group_by),
        "description": job.spec.description,
        "review": {
            "four_eyes": job.spec.review.four_eyes,
            "outputs": None if job.outputs is None else hashlib.sha256(job.outputs.content).hexdigest(),
            "outputs_name": None if job.outputs is None else job.outputs.path.name,
        },
    }


def _knobs(block: Mapping[str, object], given: tuple[str, ...], *, simulated: bool) -> dict[str, object]:
    knobs: dict[str, object] = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in block.items()
    }
    for pair in given:
        name, separator, value = pair.partition("=")
        if not separator:
            raise BadCommandLine(f'--knob: "{pair}" is not NAME=VALUE')
        knobs[name] = value
    if simulated:
        _refuse_unknown(knobs)
    return knobs


def _refuse_unknown(knobs: Mapping[str, object]) -> None:
    """Refuse what the simulator would refuse, before there is a batch: it starts only once there is one."""
    from batchrun.simulator.knobs import KnobError, parse_knobs

    try:
        parse_knobs(knobs)
    except KnobError as error:
        raise BadCommandLine(f"the simulator's knobs: {error}") from None


def _identity(job: LoadedJob, input_sha256: str) -> bytes:
    """Hash what makes two executions the same: job, params, selection, spec, schema and input bytes."""
    parts = [job.spec.job, sorted(job.params.items()), job.choice.rows, job.choice.limit, job.choice.skip_invalid]
    digest = hashlib.sha256(orjson.dumps(parts))
    for content in (job.file.content, job.schema.content, input_sha256.encode()):
        digest.update(hashlib.sha256(content).digest())
    return digest.digest()


def _workbook(job: LoadedJob, choice: RunChoice) -> Path:
    if choice.output is not None:
        return choice.output.expanduser().resolve()
    if job.spec.results.file is not None:
        return job.file.near(spec_checks.fill_params(job.spec.results.file, job.params))
    source = job.input.resolve()
    if job.input == Path("-"):
        return source.with_name(f"{job.spec.job}.results.xlsx")
    return source.with_name(f"{source.name.removesuffix(source.suffix)}.results.xlsx")


@contextlib.contextmanager
def staged(journal: Journal, draft: Draft) -> Iterator[int]:
    """Stage a batch under a lock that dies with this process; it is discarded unless it was sealed."""
    _sweep(journal)
    with contextlib.ExitStack() as held:
        with journal.writing() as connection:
            batch_id = journal_batches.stage(connection, draft, SystemClock().now())
            # Locked before anybody else can see it, so that nobody takes it for what a crash has left.
            if not held.enter_context(system.try_lock(journal.lock_file(batch_id))):
                raise CouldNotStart("another batchrun holds the place of the new batch; run it again", code="held")
        try:
            yield batch_id
        finally:
            with journal.writing() as connection:
                if batch_id in journal_batches.unsealed(connection):
                    journal_batches.discard(connection, batch_id)


def _sweep(journal: Journal) -> None:
    """Discard what a crash left half-written; what another process is staging now is locked, and stays."""
    with journal.reading() as connection:
        left = journal_batches.unsealed(connection)
    for batch_id in left:
        with system.try_lock(journal.lock_file(batch_id)) as mine:
            if mine:
                with journal.writing() as connection:
                    journal_batches.discard(connection, batch_id)


def stage_rows(journal: Journal, batch_id: int, draft: Draft, job: LoadedJob, counting: Counting) -> Pass:
    """Put every selected row into the journal, and make invalid those whose key comes twice."""
    through = Pass(job)
    period = tuple((name, job.params[name]) for name in job.spec.once_per)
    invalid, causes = 0, Causes()
    buffer: list[dict[str, object]] = []
    leaders: dict[int, int] = {}  # of groups that go on
    for position, one in enumerate(preparing.prepared_rows(through, counting)):
        if one.payload is not None and one.more:
            leaders[one.row.number] = position
        leader = _leader(leaders, one)
        buffer.append(journal_rows.staged_values(batch_id, position, one, draft.world, period, leader))
        through.read.add(State.READY, one.amounts)
        invalid += one.is_invalid
        causes.add(one.problems)
        if len(buffer) >= CHUNK:
            _flush(journal, buffer)
    _flush(journal, buffer)
    preparing.refuse_no_rows(through)
    for one in preparing.repeated_rows(through):
        problem = preparing.repeat_problem(through, one)
        _make_invalid(journal, batch_id, one, problem)
        invalid += one.payload is not None
        causes.add([problem])
    if invalid and not job.choice.skip_invalid:
        raise InvalidRows(causes.first(), causes.counts, invalid, through.rows)
    return through


def _leader(leaders: dict[int, int], one: Prepared) -> int | None:
    """Give the position of the row whose payload a row is a part of, and forget it after the last such row."""
    if one.member_of is None:
        return None
    return leaders[one.member_of] if one.more else leaders.pop(one.member_of)


def _flush(journal: Journal, buffer: list[dict[str, object]]) -> None:
    with journal.writing() as connection:
        journal_rows.insert_rows(connection, buffer)
    buffer.clear()


def _make_invalid(journal: Journal, batch_id: int, one: Prepared, problem: Problem) -> None:
    with journal.writing() as connection:
        journal_rows.make_invalid(connection, batch_id, [(one.row.number, [*one.problems, problem])])


def keep_files(journal: Journal, job: LoadedJob, draft: Draft) -> None:
    """Copy input, spec and schema into the journal, each as the bytes that were read."""
    with journal.writing() as connection:
        journal_files.keep_bytes(connection, job.file.content)
        journal_files.keep_bytes(connection, job.schema.content)
        if job.outputs is not None:
            journal_files.keep_bytes(connection, job.outputs.content)
        journal_files.keep_file(connection, job.handed_in, draft.input_sha256)
