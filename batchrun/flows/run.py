"""`run`: check, journal, send, follow, and write the workbook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from pathlib import Path

from batchrun.core import drafting, duplicates
from batchrun.core.durations import parse_rate, words
from batchrun.core.lifecycle import UNSENT
from batchrun.core.spec_faults import SpecFault
from batchrun.core.totals import Totals, counted, grouped
from batchrun.errors import AlreadyRan, BadCommandLine, BadSpec, Declined, PlanRefused
from batchrun.flows import holding, planned, staging
from batchrun.flows.clock import SystemClock
from batchrun.flows.doors import Doors, doors_for
from batchrun.flows.loading import Choice, LoadedJob, loaded
from batchrun.flows.origins import Origins
from batchrun.flows.outcome import Outcome, next_command
from batchrun.flows.planned import Approved, plan_command
from batchrun.flows.sending import Following, go_on
from batchrun.flows.staging import RunChoice
from batchrun.flows.taking_up import agreed_to_go_on
from batchrun.flows.telling import Teller
from batchrun.flows.weighing import weighed
from batchrun.io import journal_batches, journal_rows
from batchrun.io.journal import Journal, open_journal
from batchrun.io.journal_batches import Batch, Draft
from batchrun.io.whole_file import sha256_of
from batchrun.model import State


def run(
    path: Path,
    choice: Choice,
    run_choice: RunChoice,
    origins: Origins,
    journal_path: Path | None,
    teller: Teller,
    *,
    yes: bool = False,
    following: Following | None = None,
    approved: Approved | None = None,
) -> Outcome:
    """Run a job to its end; raise what keeps it from starting, and then nothing was sent and nothing is recorded.

    `approved` is the plan that it is run by; the choice and the origins are that plan's then.
    """
    with loaded(path, choice) as job:
        refuse_unfinished(job, simulate=run_choice.simulate)
        _refuse_unplanned(job, run_choice, origins, approved)
        journal = open_journal(journal_path)
        try:
            sha256 = sha256_of(job.handed_in)
            draft = staging.draft_of(job, origins, run_choice, sha256)
            if approved is not None:
                draft = planned.proved(approved, job, draft)
            doors = doors_for(draft, job.file.path)
            twin = twin_of(journal, draft, run_choice)
            if twin is None:
                twin = _sealed(journal, job, draft, teller, approved, yes=yes)
                return go_on(journal, twin, doors, teller, following or Following(), run_choice.grace)
            if approved is not None:
                planned.refuse_other_batch(approved, twin)
            return _gone_on(journal, twin, doors, teller, following or Following(), run_choice)
        finally:
            journal.close()


def refuse_unfinished(job: LoadedJob, *, simulate: bool = False) -> None:
    """Refuse a job that `init` drafted and nobody completed; a rehearsal needs no procedure."""
    if drafting.is_unfinished(job.spec) and not simulate:
        said = f"{drafting.PROCEDURE_ID} is a placeholder; write the procedure's id, or rehearse with --simulate"
        raise BadSpec(job.file.tell([SpecFault(("procedure", "id"), said)]))


def _refuse_unplanned(job: LoadedJob, choice: RunChoice, origins: Origins, approved: Approved | None) -> None:
    """Refuse a job that asks for an approved plan and has none; a rehearsal reaches no API."""
    if job.spec.approval is None or approved is not None or choice.simulate:
        return
    kind = "a signed approval" if job.spec.approval == "signed" else "an approval"
    raise PlanRefused(
        f"{job.file.path.name} asks for {kind} (approval: {job.spec.approval}), so it is run by a plan that a second "
        "person approved: batchrun run --plan F.plan.json; nothing was sent. Make the plan first",
        code="approval-needed",
        next=plan_command(job, origins),
    )


def _gone_on(
    journal: Journal, twin: Batch, doors: Doors, teller: Teller, following: Following, choice: RunChoice
) -> Outcome:
    """Go on with an earlier execution of the same (--or-resume); where nothing is to do, that is no failure."""
    with journal.reading() as connection:
        counts = journal_batches.counts(connection, [twin.id])[twin.id]
    if choice.canary is not None and State.READY in counts and twin.settings.get("canary") is None:
        raise BadCommandLine(f"{twin.name} began without a canary, so it goes on without --canary, or not at all")
    idle = not any(state in UNSENT or state in (State.PENDING, State.RUNNING) for state in counts)
    teller.say(f"This very job ran before, as {twin.name}{': nothing is to do' if idle else ', which goes on'}.")
    agreed = agreed_to_go_on(journal, twin, teller)
    return replace(go_on(journal, twin, doors, teller, following, choice.grace, agreed=agreed), nothing_to_do=idle)


def twin_of(journal: Journal, draft: Draft, choice: RunChoice, *, for_plan: bool = False) -> Batch | None:
    """Find an earlier execution of the same; raise AlreadyRan unless it was asked for again, or to go on with it."""
    by_plan = for_plan or "plan" in draft.settings
    if choice.again:
        return None
    with journal.reading() as connection:
        twin = journal_batches.twin(connection, draft.identity, draft.world, untouched=choice.or_resume)
        counts = {} if twin is None else journal_batches.counts(connection, [twin.id])[twin.id]
        if twin is None or choice.or_resume:
            return twin
        goes_on = next_command(connection, twin, counts)
    once_more = ". If it shall really run once more: --again, and --allow-duplicates for rows whose keys are taken"
    raise AlreadyRan(
        f"this very job, with the same sheet, ran before as {twin.name} on {twin.created_at[:10]}; nothing was sent "
        f"now{'' if by_plan else once_more}",
        next=goes_on or f"batchrun status {twin.name}",
    )


def _sealed(
    journal: Journal, job: LoadedJob, draft: Draft, teller: Teller, approved: Approved | None, *, yes: bool
) -> Batch:
    """Stage the rows, hold them against what was expected, ask where money is at stake, and make the batch exist."""
    with staging.staged(journal, draft) as batch_id:
        found = weighed(journal, batch_id, draft, job, teller)
        counts, totals = found.counts, found.totals
        if approved is not None:
            planned.refuse_other_rows(journal, batch_id, approved, found)
            teller.say(f"By the plan {approved.file.path.name}, approved by {approved.approval.told}")
        _tell(journal, batch_id, draft, counts, totals, teller)
        for note in found.notes:
            teller.warn(note)
        _confirm(draft, counts, totals, teller, yes=yes)
        staging.keep_files(journal, job, draft)
        if approved is not None:
            planned.keep(journal, approved)
        with journal.writing() as connection:
            settings = {**holding.canary_setting(connection, batch_id, draft.settings), "read": found.read}
            journal_batches.amend(connection, batch_id, notes=list(found.notes), settings=settings)
            name = journal_batches.seal(connection, batch_id, SystemClock().now())
            batch = journal_batches.find(connection, name)
    assert batch is not None  # noqa: S101  # it was sealed a line above
    return batch


def _tell(
    journal: Journal, batch_id: int, draft: Draft, counts: Mapping[State, int], totals: Totals, teller: Teller
) -> None:
    teller.say(f"Journal: {journal.path}")
    ready = counts.get(State.READY, 0)
    with journal.reading() as connection:  # a group of rows is sent as one
        sends = journal_batches.counts(connection, [batch_id], payloads=True).get(batch_id, {}).get(State.READY, 0)
    sums = _sums(totals)
    rate, canary = draft.settings["rate"], draft.settings["canary"]
    teller.say(f"{draft.job}: {counted(ready, 'row')} to send at {rate}{_lasting(sends, rate)}{sums}")
    if canary is not None and canary < sends:
        unit = "payload" if draft.settings["grouped"] else "row"
        first = f"the first {unit} is" if canary == 1 else f"the first {counted(canary, unit)} are"
        teller.say(f"Canary: {first} sent alone, and looked at before the others are.")
    if State.INVALID in counts:
        teller.warn(f"invalid and left out: {counted(counts[State.INVALID], 'row')}")
    if State.DUPLICATE in counts:
        _tell_duplicates(journal, batch_id, counts[State.DUPLICATE], teller, by_plan="plan" in draft.settings)
    if draft.environment == "live" and draft.procedure_version is None:
        teller.warn("the job pins no procedure version, so a new default version may run; add procedure.version")
    if draft.environment == "live" and not draft.simulated:
        with journal.reading() as connection:
            if not journal_batches.any_in_world(connection, draft.world):
                teller.warn(
                    "this journal holds no earlier live batch of this procedure, so it knows of no row paid before"
                )


def _tell_duplicates(journal: Journal, batch_id: int, count: int, teller: Teller, *, by_plan: bool) -> None:
    hint = "" if by_plan else " (--allow-duplicates sends them too)"
    teller.warn(f"duplicates, not sent: {counted(count, 'row')} whose key was sent before{hint}")
    with journal.reading() as connection:
        changed = journal_rows.changed_duplicates(connection, batch_id)
        named = journal_rows.duplicates(connection, batch_id, duplicates.SHOWN)
    for line in duplicates.told(named, count):
        teller.warn(line)
    if changed:
        rows = ", ".join(map(str, changed[:20])) + (" …" if len(changed) > 20 else "")
        teller.warn(f"of these, {counted(len(changed), 'row')} had another payload when the key was sent: rows {rows}")


def _lasting(sends: int, rate: str) -> str:
    per_second = parse_rate(rate)
    return "" if per_second == inf else f", about {words(sends / per_second)}"


def _sums(totals: Totals) -> str:
    parts = [
        f"{control.column} {grouped(control.by_state.get(State.READY, control.input * 0), control.decimals)}"
        for control in totals.controls()
    ]
    return "; " + ", ".join(parts) if parts else ""


def _confirm(draft: Draft, counts: Mapping[State, int], totals: Totals, teller: Teller, *, yes: bool) -> None:
    """Ask before anything is sent to live; duplicates that are allowed are asked about by themselves."""
    if draft.environment != "live" or draft.simulated:
        return
    ready = counts.get(State.READY, 0)
    question = f"Send {counted(ready, 'row')} to LIVE{_sums(totals)}?"
    if yes:
        teller.say(question.replace("?", " (--yes)."))
    else:
        _ask(question, teller)
    if draft.settings["allow_duplicates"] and not yes:
        _ask("Rows whose key was sent before will be sent AGAIN (--allow-duplicates). Really?", teller)


def _ask(question: str, teller: Teller) -> None:
    answer = teller.ask(question)
    if answer is None:
        raise BadCommandLine("a live run asks first, and here nobody can answer; add --yes if you are sure")
    if not answer:
        raise Declined("nothing was sent")


def resume(
    journal: Journal,
    batch: Batch,
    teller: Teller,
    *,
    max_errors: str | None = None,
    following: Following | None = None,
    grace: float | None = None,
    doors: Doors | None = None,
    confirm: bool = False,
) -> Outcome:
    """Go on with a batch that stopped; with nothing left to send it follows and writes.

    What a canary or a new version of the procedure holds back is sent only where somebody says, by `confirm`, that a
    person has looked; what was cancelled on live only by `confirm`, or where somebody is asked.
    """
    if max_errors is not None:
        batch = replace(batch, settings={**batch.settings, "max_errors": max_errors})
    doors = doors or doors_for(batch, Path(batch.spec_path))
    agreed = not confirm and agreed_to_go_on(journal, batch, teller)
    return go_on(journal, batch, doors, teller, following or Following(), grace, confirm=confirm, agreed=agreed)
