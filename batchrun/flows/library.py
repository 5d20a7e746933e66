"""The same verbs for notebooks and programs: `load_job`, `check`, `run`, and a batch's results as a DataFrame."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from batchrun.engine.ports import Watch
from batchrun.flows import check as check_flow
from batchrun.flows import contents
from batchrun.flows import run as run_flow
from batchrun.flows.check import CheckReport
from batchrun.flows.finding import find_batch
from batchrun.flows.loading import Choice, loaded
from batchrun.flows.origins import Origins, origins
from batchrun.flows.outcome import Outcome, outcome_of
from batchrun.flows.sending import Following
from batchrun.flows.staging import RunChoice
from batchrun.flows.telling import Counting
from batchrun.io import data_frame
from batchrun.io.journal import open_journal
from batchrun.model import Environment, State

if TYPE_CHECKING:
    from pandas import DataFrame

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was loaded without faults, and what was chosen of it."""

    path: Path
    choice: Choice
    origins: Origins
    journal: Path | None


def load_job(
    path: PathLike,
    *,
    params: Mapping[str, str] | None = None,
    environment: Environment = "sandbox",
    input: PathLike | None = None,
    rows: str | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    base_url: str | None = None,
    review_url: str | None = None,
    journal: PathLike | None = None,
) -> Job:
    """Load a job and look at its spec, schema and sheet; raise a BatchrunError that names every fault.

    The arguments are the command line's options of the same names.
    """
    choice = Choice(
        environment=environment,
        params=dict(params or {}),
        input=None if input is None else Path(input),
        rows=rows,
        limit=limit,
        skip_invalid=skip_invalid,
    )
    with loaded(Path(path), choice):
        pass
    place = None if journal is None else Path(journal)
    return Job(Path(path), choice, origins(base_url, review_url), place)


def check(
    job: Job, *, expect_rows: int | None = None, expect_totals: Mapping[str, str | Decimal] | None = None
) -> CheckReport:
    """Read, map and validate every row; send nothing. Problems are in `.problems`."""
    choice = _expecting(job.choice, expect_rows, expect_totals)
    return check_flow.check(job.path, choice, job.origins, job.journal, _Nobody())


def run(
    job: Job,
    *,
    simulate: bool = False,
    yes: bool = False,
    expect_rows: int | None = None,
    expect_totals: Mapping[str, str | Decimal] | None = None,
    rate: str | None = None,
    concurrency: int | None = None,
    max_errors: str = "100%",
    again: bool = False,
    allow_duplicates: bool = False,
    canary: int | None = None,
    wait: float | None = None,
    output: PathLike | None = None,
) -> Batch:
    """Check, send, follow every run to its end or its review, and write the workbook.

    `wait` is in seconds. A live run needs `yes=True`, since nobody is asked. `canary` rows are sent first, and the
    batch then stops until `batchrun resume BATCH --confirm`. What keeps the job from starting is raised; how the rows
    fared is in the batch.
    """
    choice = RunChoice(
        rate=rate,
        concurrency=concurrency,
        max_errors=max_errors,
        simulate=simulate,
        again=again,
        allow_duplicates=allow_duplicates,
        canary=canary,
        output=None if output is None else Path(output),
    )
    expecting = _expecting(job.choice, expect_rows, expect_totals)
    outcome = run_flow.run(
        job.path, expecting, choice, job.origins, job.journal, _Nobody(), yes=yes, following=Following(wait=wait)
    )
    return Batch(str(outcome.batch), job.journal, outcome)


def open_batch(name: str = "last", *, journal: PathLike | None = None) -> Batch:
    """Open a batch by its name, by its results workbook, or the last one."""
    place = None if journal is None else Path(journal)
    opened = open_journal(place)
    try:
        found = find_batch(opened, name, _Nobody())
        return Batch(found.name, place, outcome_of(opened, found.name))
    finally:
        opened.close()


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it stood when it was opened, or when its run ended."""

    name: str
    journal: Path | None
    outcome: Outcome

    @property
    def counts(self) -> Mapping[State, int]:
        """Rows by state."""
        return self.outcome.counts

    @property
    def workbook(self) -> Path | None:
        """The results workbook."""
        return None if self.outcome.workbook is None else Path(self.outcome.workbook)

    @property
    def exit_code(self) -> int:
        """What the command line would exit with."""
        return self.outcome.exit_code

    def results(self) -> DataFrame:
        """Give the Results sheet as a DataFrame: the source's columns, then those that begin with `_`.

        Numbers are Decimals, exactly as the sheet shows them; times are aware, in UTC.
        """
        opened = open_journal(self.journal)
        try:
            batch = find_batch(opened, self.name, _Nobody())
            fields = contents.output_fields(opened, batch)
            return data_frame.results(batch.sheet.header, contents.result_rows(opened, batch), fields)
        finally:
            opened.close()


def _expecting(choice: Choice, rows: int | None, totals: Mapping[str, str | Decimal] | None) -> Choice:
    return replace(
        choice, expect_rows=rows, expect_totals={column: str(amount) for column, amount in (totals or {}).items()}
    )


class _Nobody:
    """A Teller for notebooks: warnings go to stderr, and no question can be answered."""

    def say(self, text: str) -> None:
        """Tell nothing."""

    def warn(self, text: str) -> None:
        """Tell what should be looked at."""
        sys.stderr.write(f"batchrun: {text}\n")

    def announce(self, text: str) -> None:
        """Tell nothing: no question can be answered."""

    def ask(self, _question: str) -> bool | None:
        """Nobody answers."""
        return None

    def watching(self, *_counts: object) -> AbstractContextManager[Watch]:
        """Watch nothing."""
        return contextlib.nullcontext(_Blind())

    @contextlib.contextmanager
    def counting(self, _what: str) -> Iterator[Counting]:
        """Count for nobody."""
        yield lambda _count: None


class _Blind:
    def stepped(self, position: int, before: State | None, after: State) -> None:
        """See nothing."""

    def waiting(self, reason: str, seconds: float) -> None:
        """See nothing."""
