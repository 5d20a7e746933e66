"""`check`: reads, maps and validates every row, and sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from batchrun.core import duplicates, payloads
from batchrun.core.causes import Causes
from batchrun.core.duplicates import Taken
from batchrun.core.naming import world_name
from batchrun.core.prepare import Prepared
from batchrun.core.totals import Totals, as_json
from batchrun.errors import COMPLETED, NEEDS_ATTENTION
from batchrun.flows import expectations, preparing, same_sheet
from batchrun.flows.command_words import choice_words, expectation_words, origin_words
from batchrun.flows.loading import Choice, LoadedJob, loaded
from batchrun.flows.origins import Origins
from batchrun.flows.preparing import Pass
from batchrun.flows.telling import Counting, Teller
from batchrun.io import journal_place, system, workbook_lock
from batchrun.io.whole_file import sha256_of
from batchrun.model import ControlTotal, Problem, State

if TYPE_CHECKING:
    from batchrun.io.journal import Journal
    from batchrun.io.marked_copy import Report


@dataclass
class CheckReport:
    """What a check found. `seconds` is how long sending takes at the set rate; None where none is set."""

    job: str = ""
    environment: str = "sandbox"
    rows: int = 0
    invalid: int = 0
    duplicates: int = 0
    totals: tuple[ControlTotal, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    causes: Causes = field(default_factory=Causes)
    notes: list[str] = field(default_factory=list)
    bodies: list[tuple[int, bytes]] = field(default_factory=list)
    seconds: float | None = None
    rate: str = ""
    marked: Report | None = None
    next: str | None = None

    @property
    def valid(self) -> int:
        """Rows that a run would send."""
        return self.rows - self.invalid - self.duplicates

    @property
    def exit_code(self) -> int:
        """0 where every row is valid."""
        return NEEDS_ATTENTION if self.invalid or self.duplicates else COMPLETED

    def as_json(self) -> dict[str, object]:
        """Give the document of `check --json`."""
        return {
            "version": 1,
            "rows": self.rows,
            "valid": self.valid,
            "invalid": self.invalid,
            "duplicates": self.duplicates,
            "totals": as_json(self.totals),
            "problems": [problem_json(problem) for problem in self.problems],
            "error": None,
        }


def problem_json(problem: Problem) -> dict[str, object]:
    """Give one problem as `check --json` shows it."""
    return {name: getattr(problem, name) for name in Problem.__dataclass_fields__}


def check(
    path: Path,
    choice: Choice,
    origins: Origins,
    journal_path: Path | None,
    teller: Teller,
    show: int = 0,
    marked: Path | None = None,
    *,
    whole: bool = True,
) -> CheckReport:
    """Check a job's rows; problems are data, and what keeps the job from being read is raised.

    `marked` is where a copy of the sheet with its bad cells marked is to be written, if there are any. Unless the
    problems are wanted `whole`, or for that copy, only the first of each cause are held, however many rows are bad.
    """
    with loaded(path, choice) as job:

        def checked() -> CheckReport:
            with teller.counting("rows checked") as counting:
                return _checked(job, origins, journal_path, counting, show, whole=whole or marked is not None)

        return checked() if marked is None else _marked(job, marked, checked)


def _marked(job: LoadedJob, place: Path, checked: Callable[[], CheckReport]) -> CheckReport:
    """Check, and write the copy of the sheet; a place that cannot be written is refused before the check."""
    from batchrun.io import marked_copy

    plan = marked_copy.plan_report(place, job.source)
    report = checked()
    if report.problems:
        key, sheet = job.preparer.key_columns, job.spec.source.sheet
        report.marked = marked_copy.write_report(plan, job.source, report.problems, key, sheet)
    return report


def _journal_if_any(path: Path | None) -> Journal | None:
    """Open the journal where there is one; else what it takes, a third of a small check's time, is not even loaded."""
    place = journal_place.place_if_any(path)
    if place is None:
        return None
    from batchrun.io.journal import open_journal

    return open_journal(place)


def _checked(
    job: LoadedJob, origins: Origins, journal_path: Path | None, counting: Counting, show: int, *, whole: bool
) -> CheckReport:
    through = Pass(job)
    tally = _Tally(job, origins, journal_path, whole=whole)
    report = CheckReport(job=job.spec.job, environment=job.choice.environment, rate=job.spec.rate)
    for some in preparing.prepared_chunks(through, counting):
        tally.add(some)
        sent = ((one.row.number, one.payload) for one in some if one.payload is not None)
        for number, payload in islice(sent, show - len(report.bodies)):
            report.bodies.append((number, payloads.request_body(payload, job.spec.procedure)))
    preparing.refuse_no_rows(through)
    tally.finish(through)
    report.rows, report.invalid, report.duplicates = through.rows, tally.invalid, tally.duplicates
    report.totals, report.causes = tally.totals.controls(), tally.causes
    report.problems = tally.problems if whole else tally.causes.first()
    report.seconds = None if job.spec.per_second == inf else tally.runs / job.spec.per_second
    expectations.check_expectations(through, tally.totals)
    expectations.check_limits(through, {State.READY: report.valid}, tally.totals)
    report.notes = [*preparing.notes_of(through), *tally.same_sheet]
    report.notes += duplicates.told(list(tally.taken.values()), tally.duplicates)
    if workbook_lock.opened_by(job.input) is not None:
        report.notes.append(preparing.OPEN_IN_EXCEL.format(job.input.name))
    report.next = _next_command(job, origins) if not report.exit_code else None
    return report


def _next_command(job: LoadedJob, origins: Origins) -> str:
    """Give the command that rehearses the very same rows, or where an API is named, sends them there."""
    words = ["batchrun", "run", str(job.file.path), *choice_words(job.choice), *expectation_words(job.choice)]
    words += [*origin_words(origins)] or ["--simulate"]
    return " ".join(map(system.shell_word, words))


class _Tally:
    """Counts rows by the state that they would have."""

    def __init__(self, job: LoadedJob, origins: Origins, journal_path: Path | None, *, whole: bool) -> None:
        self._job = job
        self._world = world_name(job.spec.procedure.id, job.choice.environment, origins.base)
        self._period = tuple((name, job.params[name]) for name in job.spec.once_per)
        self._journal = _journal_if_any(journal_path)
        self.totals = Totals(job.spec.results.summed)
        self.invalid = self.duplicates = self.runs = 0
        self.problems: list[Problem] = []
        self.causes = Causes()
        self._whole = whole
        self.taken: dict[int, Taken] = {}
        self.same_sheet: list[str] = []

    def add(self, some: list[Prepared]) -> None:
        self._found(chain.from_iterable(one.problems for one in some))
        of_state: dict[State, list[Prepared]] = {}
        for one, state in self._states(some):
            of_state.setdefault(state, []).append(one)
        for state, ones in of_state.items():
            self.totals.add_all(state, [one.amounts for one in ones])
        self.invalid += len(of_state.get(State.INVALID, ()))
        self.duplicates += len(of_state.get(State.DUPLICATE, ()))
        self.runs += sum(one.payload is not None for one in of_state.get(State.READY, ()))

    def finish(self, through: Pass) -> None:
        for one in preparing.repeated_rows(through):
            self._make_invalid(one, preparing.repeat_problem(through, one))
        self.problems.sort(key=lambda problem: problem.row)
        if self._journal is not None:
            if self._job.params and self.runs:
                sha256 = sha256_of(self._job.handed_in)
                self.same_sheet += same_sheet.notes(self._journal, self._world, self._job.params, sha256)
            self._journal.close()

    def _found(self, problems: Iterable[Problem]) -> None:
        found = list(problems)
        self.causes.add(found)
        if self._whole:
            self.problems += found

    def _make_invalid(self, one: Prepared, problem: Problem) -> None:
        self._found([problem])
        (_, state), *_ = self._states([one])
        if state is not State.INVALID:
            self.invalid += 1
            self.duplicates -= state is State.DUPLICATE
            self.taken.pop(one.row.number, None)
            self.totals.move(state, State.INVALID, one.amounts)

    def _states(self, some: list[Prepared]) -> Iterator[tuple[Prepared, State]]:
        if self._journal is None:
            yield from ((one, State.INVALID if one.is_invalid else State.READY) for one in some)
            return
        ids = [None if one.is_invalid else payloads.key_id(self._world, one.key, self._period) for one in some]
        taken = self._taken([key_id for key_id in ids if key_id is not None])
        for one, key_id in zip(some, ids, strict=True):
            if key_id is None:
                yield one, State.INVALID
            elif (why := taken.get(key_id)) is None:
                yield one, State.READY
            else:
                if len(self.taken) < duplicates.SHOWN:
                    self.taken[one.row.number] = Taken(one.row.number, one.key, why)
                yield one, State.DUPLICATE

    def _taken(self, ids: list[bytes]) -> dict[bytes, str]:
        if self._journal is None or not ids:
            return {}
        from batchrun.io import journal_rows

        with self._journal.reading() as connection:
            return journal_rows.taken_keys(connection, ids, self._job.choice.environment)
