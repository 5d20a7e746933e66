"""`review`: sends the decisions that a reviewer filled in, each once, and writes that same file again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from batchrun.core import review as core_review
from batchrun.core.conduct import Stop
from batchrun.core.review import Standing
from batchrun.core.totals import Totals, counted, grouped
from batchrun.engine.decide import Sending
from batchrun.errors import BadCommandLine, BadDecisions, CouldNotStart, Declined, NotFound
from batchrun.flows import finishing, handing_in, reporting
from batchrun.flows.clock import SystemClock
from batchrun.flows.deciding import Deciding, sending_of
from batchrun.flows.doors import review_doors_for
from batchrun.flows.figures import figures_of
from batchrun.flows.finding import at_origins
from batchrun.flows.folding import fold
from batchrun.flows.handing_in import Plan, Planned
from batchrun.flows.loops import is_in_a_loop, run_loop
from batchrun.flows.outcome import INTERRUPTION, Outcome, outcome_of
from batchrun.flows.purged import refuse_purged
from batchrun.flows.sending import Following
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_decisions, journal_files, journal_rows, system, workbook_lock
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_decisions import Made
from batchrun.io.system import Interrupts
from batchrun.io.workbook_reading import WorkbookCopy, open_copy
from batchrun.model import State

SHOWN = 20


@dataclass(frozen=True, slots=True)
class ReviewChoice:
    """What the command line chooses of a review."""

    skip_invalid: bool = False
    dry_run: bool = False
    yes: bool = False
    base_url: str | None = None
    review_url: str | None = None
    following: Following = field(default_factory=Following)


def review(journal: Journal, named: str, teller: Teller, choice: ReviewChoice) -> Outcome:
    """Send a workbook's decisions; where one cannot be sent as it stands, none is, unless the others are asked for."""
    path = _workbook(journal, named)
    who = workbook_lock.opened_by(path)
    if who is not None:
        by = "" if who == workbook_lock.SOMEBODY else f" by {who}"
        raise CouldNotStart(
            f"{path.name} is open in Excel{by}, so what is typed there may not be saved; close it, then review it",
            code="workbook-open",
        )
    with system.interrupts(taken=not is_in_a_loop()) as interrupts, open_copy(path) as copy:
        batch = at_origins(_batch_of(journal, copy), choice.base_url, choice.review_url)
        fold(journal, batch)
        refuse_purged(journal, batch, "and all of its reviews are over")
        _refuse_or_tell(plan := handing_in.plan_of(journal, batch, copy), teller, choice)
        if choice.dry_run:
            _show(journal, batch, plan, teller)
            return _outcome(journal, batch, None, path)
        if not plan.due:
            teller.say(_nothing_due(plan))
        stop = _carry_out(journal, batch, copy, path, plan, teller, choice, interrupts)
        return _written(journal, batch, path, copy, stop, teller, interrupts)


def _workbook(journal: Journal, named: str) -> Path:
    """Find the workbook that is named by its path, or by its batch."""
    path = Path(named).expanduser()
    if path.exists():
        return path.resolve()
    with journal.reading() as connection:
        batch = journal_batches.find(connection, named)
    if batch is None:
        raise NotFound(f"there is no workbook at {path}")
    return Path(batch.workbook)


def _batch_of(journal: Journal, copy: WorkbookCopy) -> Batch:
    with journal.reading() as connection:
        batch = journal_batches.find(connection, copy.batch) if copy.batch else None
    if batch is None:
        named = f'names the batch "{copy.batch}"' if copy.batch else "names no batch on its Summary sheet"
        raise NotFound(f"{copy.name} {named}, which the journal {journal.path} does not know; nothing was sent")
    return batch


def _refuse_or_tell(plan: Plan, teller: Teller, choice: ReviewChoice) -> None:
    if not plan.faults:
        return
    if not choice.skip_invalid:
        told = "" if not plan.due else f"{counted(len(plan.due), 'decision')} could be sent with --skip-invalid. "
        raise BadDecisions([*plan.told(), f"{counted(len(plan.faults), 'fault')} in all. {told}".strip()])
    for fault in plan.told():
        teller.warn(f"not sent: {fault}")


def _nothing_due(plan: Plan) -> str:
    if plan.settled:
        return f"Nothing is to be sent: {counted(plan.settled, 'decision')} had been sent before."
    return "Nothing is to be sent: no decision is filled in."


def _show(journal: Journal, batch: Batch, plan: Plan, teller: Teller) -> None:
    """Say what would be sent, and that nothing was."""
    for one in plan.due[:SHOWN]:
        with journal.reading() as connection:
            record = journal_rows.by_number(connection, batch, one.standing.number)
        key = f" ({', '.join(record.key)})" if record is not None else ""
        teller.say(f"row {one.standing.number}{key} would be {_words(one)}")
    if len(plan.due) > SHOWN:
        teller.say(f"and {len(plan.due) - SHOWN:,} more")
    teller.say(f"{_in_all(journal, batch, plan.due) if plan.due else _nothing_due(plan)} Nothing was sent (--dry-run).")


def _words(one: Planned) -> str:
    decision = one.decision
    others = ", ".join(f"{name} = {value}" for name, value in (decision.outputs or {}).items())
    what = "approved" if decision.approved else f'rejected, because "{decision.rejection_reason}"'
    lost = one.recorded is not None and one.recorded.state is core_review.DecisionState.OPEN
    again = ", once more, since its answer was lost" if lost else ""
    return f"{what}{f' with {others}' if others else ''}, by {decision.reviewer}{again}"


def _in_all(journal: Journal, batch: Batch, due: Sequence[Planned]) -> str:
    """Count what is approved and rejected, with the sums of the control columns."""
    parts = []
    for word, approved in (("Approve", True), ("reject", False)):
        if chosen := [one for one in due if one.decision.approved is approved]:
            parts.append(f"{word} {_rows_and_sums(journal, batch, chosen)}")
    told = " and ".join(parts)
    return f"{told[:1].upper()}{told[1:]}."


def _rows_and_sums(journal: Journal, batch: Batch, chosen: Sequence[Planned]) -> str:
    totals, rows = Totals(batch.settings["totals"]), 0
    decimals = {one.column: one.decimals for one in figures_of(journal, batch).totals}
    with journal.reading() as connection:
        for one in chosen:
            for record in journal_rows.group_of(connection, batch, one.standing.position):
                totals.add(record.state, record.amounts)
                rows += 1
    told = [f"{one.column} {grouped(one.input, decimals.get(one.column, one.decimals))}" for one in totals.controls()]
    others = sum(one.decision.outputs is not None for one in chosen)
    told += [f"{others:,} with other values"] if others else []
    return counted(rows, "row") + (f" ({', '.join(told)})" if told else "")


def _assure(journal: Journal, batch: Batch, plan: Plan, teller: Teller, *, yes: bool) -> None:
    """Show counts and sums; on live, ask."""
    told = _in_all(journal, batch, plan.due)
    if batch.environment != "live" or batch.simulated or yes:
        teller.say(told)
        return
    question = f"On LIVE: {told} Send these decisions?"
    answer = teller.ask(question)
    if answer is None:
        raise BadCommandLine(f"{question} This is asked first, and here nobody can answer; add --yes if you are sure")
    if not answer:
        raise Declined("nothing was sent")


def _carry_out(
    journal: Journal,
    batch: Batch,
    copy: WorkbookCopy,
    path: Path,
    plan: Plan,
    teller: Teller,
    choice: ReviewChoice,
    interrupts: Interrupts,
) -> Stop | None:
    """Record the decisions that are due, send them, and follow what they set going."""
    if not plan.due and not plan.going_on:
        return None
    doors = review_doors_for(batch, Path(batch.spec_path))
    if plan.due:
        _assure(journal, batch, plan, teller, yes=choice.yes)
    try:
        with doors.opened(journal, batch) as route:
            deciding = Deciding(journal, batch, doors, route, teller, choice.following, interrupts)
            stop = _send(journal, batch, copy, plan, deciding, teller)
            for told in deciding.told:
                teller.warn(f"row {_number(plan, told.position)}: {told.message}")
            if stop is not None:
                teller.warn(f"stopped, because {stop.message}; go on with: {_again(path)}")
                return stop
            positions = plan.going_on | {one.standing.position for one in plan.due}
            stop = run_loop(deciding.follow(positions)) if choice.following.follow else None
    except KeyboardInterrupt:
        if not interrupts.seen:
            raise
        return finishing.interruption()
    if stop is not None and stop.code != INTERRUPTION:
        teller.warn(f"following stopped, because {stop.message}; look again with: batchrun refresh {batch.name}")
    return stop


def _written(
    journal: Journal,
    batch: Batch,
    path: Path,
    copy: WorkbookCopy,
    stop: Stop | None,
    teller: Teller,
    interrupts: Interrupts,
) -> Outcome:
    """Write the file that was handed in again, through a second Ctrl-C too; a third leaves that undone."""
    interrupts.first = lambda: None
    try:
        written = reporting.write(journal, batch.name, teller, path, handed_in=copy.sha256)
    except KeyboardInterrupt:
        if not interrupts.seen:
            raise
        teller.warn(f"the workbook was not written; write it with: {_again(path)}")
        stop, written = stop or finishing.interruption(), None
    return _outcome(journal, batch, stop, written or path)


def _again(path: Path) -> str:
    return f"batchrun review {system.shell_word(str(path))}"


def _send(
    journal: Journal, batch: Batch, copy: WorkbookCopy, plan: Plan, deciding: Deciding, teller: Teller
) -> Stop | None:
    """Record what is due, once nothing but the network can fail, and send it; one process at a time."""
    if not plan.due:
        return None
    with system.try_lock(journal.review_lock_file(batch.id)) as mine:
        if not mine:
            raise CouldNotStart(f"another batchrun is sending decisions of {batch.name} right now", code="held")
        sendings = _recorded(journal, batch, copy, plan)
        stop = run_loop(deciding.send(sendings)) if sendings else None
    if stop is None:
        of_all = "" if deciding.taken == len(sendings) else f" of {len(sendings):,}"
        teller.say(f"{counted(deciding.taken, 'decision')}{of_all} sent and taken.")
    return stop


def _number(plan: Plan, position: int) -> int:
    return next(one.standing.number for one in plan.due if one.standing.position == position)


def _recorded(journal: Journal, batch: Batch, copy: WorkbookCopy, plan: Plan) -> list[Sending]:
    """Commit every decision with its key, before any of them leaves; what somebody else recorded meanwhile is left."""
    known = [one.recorded for one in plan.due if one.recorded is not None]
    begun = {one.id for one in known if one.state is core_review.DecisionState.OPEN}
    with journal.writing() as connection:
        now = SystemClock().now()
        before = {one.position: one for one in journal_decisions.standings(connection, batch)}
        new = [
            Made(one.standing.position, str(one.standing.run_id), one.standing.pause, one.decision)
            for one in plan.due
            if one.recorded is None and _waits_still(one.standing, before[one.standing.position])
        ]
        journal_files.keep_file(connection, copy.path, copy.sha256)  # what was handed in, as it was
        journal_decisions.record(
            connection,
            batch,
            new,
            sent_by=system.user_name(),
            workbook_sha256=copy.sha256,
            now=now,
            again=[one.id for one in known if one.id not in begun],
        )
        standings = {one.position: one for one in journal_decisions.standings(connection, batch)}
    found = []
    for planned in plan.due:
        standing = standings[planned.standing.position]
        live = standing.live(standing.pause)
        if (
            live is not None
            and live.state is core_review.DecisionState.OPEN
            and live.decision.same_as(planned.decision)
        ):
            run_id, begun_before = str(standing.run_id), live.id in begun
            found.append(sending_of(standing.position, run_id, live, begun_before=begun_before))
    return found


def _waits_still(planned: Standing, now: Standing) -> bool:
    """Tell whether a row waits for the very review for which a decision was planned: a webhook may have come since."""
    return (now.state, now.run_id, now.pause) == (State.AWAITING_REVIEW, planned.run_id, planned.pause)


def _outcome(journal: Journal, batch: Batch, stop: Stop | None, path: Path) -> Outcome:
    outcome = replace(outcome_of(journal, batch.name), workbook=str(path))
    if stop is None:
        # The file that was handed in may be another than the batch's own.
        return replace(outcome, next=_again(path)) if (outcome.next or "").startswith("batchrun review ") else outcome
    return replace(outcome, interrupted=stop.code == INTERRUPTION, stopped=stop.message, next=_again(path))
