"""How a key's history reads, on a screen and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from batchrun.cli.words import WIDTH, table
from batchrun.core import purging
from batchrun.core.lifecycle import NEVER_SENT
from batchrun.core.moments import to_the_minute
from batchrun.core.review import Recorded, told
from batchrun.core.totals import counted

if TYPE_CHECKING:
    from batchrun.flows.history import Found, History, SearchedJournal, Similar
    from batchrun.flows.rereading import RunNow
    from batchrun.io.journal_batches import Batch

UNSEEN = (
    "Not seen from here: runs that were started elsewhere, from another computer's journal, the dashboard or "
    "another tool. Of batches that were purged, keys, states and run ids are still here."
)


def lines(history: History, bold: Callable[[str], str]) -> Iterator[str]:
    """Say a key's history, the oldest row first."""
    if history.found:
        batches = len({(one.journal, one.row.batch.id) for one in history.found})
        where = f"{counted(len(history.found), 'row')} of {batches_told(batches)}"
        yield f'The key "{history.key}" is in {where}.'
    else:
        yield f'No row of the batches that were searched has the key "{history.key}".'
    payloads = [one.payload_number for one in history.found if one.payload_number is not None]
    told_of = len(set(payloads)) if len(payloads) > 1 else 0  # of one payload alone there is nothing to tell
    for one in history.found:
        yield ""
        yield from _found(one, told_of, several=len(history.journals) > 1, bold=bold)
    if history.similar:
        yield ""
        yield "Nearly the same key; where one thing has two such keys, it may be paid twice:"
        for apart, group in groupby(history.similar, lambda one: one.likeness.apart):
            yield f"  differs in {apart}:"
            yield from table([_similar(one) for one in group])
        if history.more_similar:
            yield f"  and {counted(history.more_similar, 'more row')}"
    yield ""
    yield from (_searched(one) for one in history.journals)
    yield from wrap(UNSEEN, WIDTH)


def _found(one: Found, payloads: int, *, several: bool, bold: Callable[[str], str]) -> Iterator[str]:
    row, batch = one.row, one.row.batch
    yield bold(f"{batch.name}, row {row.number}: {row.state.value.replace('_', ' ')}")
    yield from table([[f"  {label}", value] for label, value in _facts(one, payloads, several=several) if value])
    if row.purged_at is not None:
        yield f"  Note: {purging.sentence(batch.name, row.purged_at)}."


def _facts(one: Found, payloads: int, *, several: bool) -> Iterator[tuple[str, str]]:
    row, batch = one.row, one.row.batch
    if several:
        yield "journal", one.journal
    yield "job", _job(batch)
    yield "where", _where(batch)
    yield "made", f"{to_the_minute(batch.created_at)} UTC by {batch.made_by} on {batch.host}"
    yield "key", _taking(one)
    yield "run", row.run_id or ""
    yield "sent", "" if row.sent_at is None else f"{_second(row.sent_at)} UTC, {counted(row.attempts, 'attempt')}"
    yield "ended", "" if row.finished_at is None else f"{_second(row.finished_at)} UTC"
    yield "payload", _payload(one, payloads)
    yield "error", row.error or ""
    for correction in row.corrections:
        yield "corrected", f"{to_the_minute(correction.at)} UTC from {correction.file_name} by {correction.by}"
    for decision in row.decisions:
        yield "decision", f"{told(decision)} - {decision.state.value.replace('_', ' ')}"
    for run in one.runs:
        yield "API now", _run(run)


def _job(batch: Batch) -> str:
    params = ", ".join(f"{name}={value}" for name, value in batch.params.items())
    return f"{batch.job} ({params})" if params else batch.job


def _where(batch: Batch) -> str:
    if batch.simulated:
        return f"simulated {batch.environment}, {batch.procedure_id}: nothing really ran"
    return f"{batch.environment}, {batch.procedure_id} at {batch.base_url}"


def _taking(one: Found) -> str:
    taken = "taken by this row" if one.row.takes_key else "not taken by this row"
    if one.row.state in NEVER_SENT:
        taken = "not taken: this row was never sent"
    alone = ", in this rehearsal alone" if one.row.takes_key and one.row.batch.simulated else ""
    return f"{taken}{alone}, once per {_period(one)}" if one.period else f"{taken}{alone}"


def _period(one: Found) -> str:
    return ", ".join(f"{name} {value}" for name, value in one.period or ())


def _payload(one: Found, payloads: int) -> str:
    if one.payload_number is None or not payloads:
        return ""
    return (
        "the same wherever this key is" if payloads == 1 else f"number {one.payload_number} of {payloads} that differ"
    )


def _run(run: RunNow) -> str:
    named = f"{run.attempt.run_id} (attempt {run.attempt.number})"
    if run.unread is not None:
        return f"{named} was not read: {run.unread}"
    if run.differences:
        return f"{named} DIFFERS: {'; '.join(run.differences)}"
    same = ", with this row's payload" if run.same_input else ""
    return f"{named} is {run.reading.status_word}{same}, as the journal says"


def _similar(one: Similar) -> list[str]:
    row = one.row
    where = "simulated" if row.simulated else row.environment
    state = row.state.value.replace("_", " ")
    return [f"    {', '.join(row.key)}", f"{row.batch}, row {row.number}", f"{state} ({where}) {row.at[:10]}"]


def _searched(one: SearchedJournal) -> str:
    if one.first is None or one.last is None:
        return f"Searched: {one.path}, which holds no batch yet."
    return f"Searched: {one.path}, {batches_told(one.batches)} made from {one.first[:10]} to {one.last[:10]}."


def batches_told(count: int) -> str:
    """Say a number of batches."""
    return "1 batch" if count == 1 else f"{count:,} batches"


def document(history: History) -> dict[str, Any]:
    """Give the document of `history --json`."""
    return {
        "version": 1,
        "key": history.key,
        "journal": history.journals[0].path,
        "journals": [
            {"path": one.path, "batches": one.batches, "from": one.first, "to": one.last} for one in history.journals
        ],
        "batches_searched": history.batches,
        "from": history.first,
        "to": history.last,
        "found": [_found_json(one, history) for one in history.found],
        "similar": [_similar_json(one) for one in history.similar],
        "more_similar": history.more_similar,
        "error": None,
    }


def _found_json(one: Found, history: History) -> dict[str, Any]:
    row, batch = one.row, one.row.batch
    numbers = {other.payload_number for other in history.found if other.payload_number is not None}
    told = {
        "journal": one.journal,
        "batch": batch.name,
        "job": batch.job,
        "params": dict(batch.params),
        "environment": batch.environment,
        "simulated": batch.simulated,
        "world": batch.world,
        "procedure": batch.procedure_id,
        "created": batch.created_at,
        "made_by": batch.made_by,
        "host": batch.host,
        "row": row.number,
        "key": list(row.key),
        "state": row.state.value,
        "takes_key": row.takes_key,
        "once_per": None if one.period is None else dict(one.period),
        "run_id": row.run_id,
        "runs": [{"attempt": run.number, "run_id": run.run_id, "state": run.state.value} for run in row.runs],
        "attempts": row.attempts,
        "sent_at": _time(row.sent_at),
        "finished_at": _time(row.finished_at),
        "payload_id": None if row.payload_id is None else row.payload_id.hex(),
        "payload_number": one.payload_number,
        "same_payload": None if one.payload_number is None else len(numbers) == 1,
        "error_text": row.error,
        "corrections": [correction._asdict() for correction in row.corrections],
        "decisions": [_decision_json(decision) for decision in row.decisions],
        "purged": row.purged_at,
    }
    return {**told, "verified": [_run_json(run) for run in one.runs]} if history.verified else told


def _decision_json(one: Recorded) -> dict[str, Any]:
    return {
        "review": one.pause,
        "approved": one.decision.approved,
        "rejection_reason": one.decision.rejection_reason,
        "reviewer": one.decision.reviewer,
        "decided_at": _time(one.decided_at),
        "state": one.state.value,
    }


def _run_json(run: RunNow) -> dict[str, Any]:
    reading = run.reading
    return {
        "attempt": run.attempt.number,
        "run_id": run.attempt.run_id,
        "journal": run.attempt.state.value,
        "api": "missing" if reading.missing else reading.status_word,
        "created_at": _time(reading.created_at),
        "finished_at": _time(reading.finished_at),
        "same_payload": run.same_input,
        "differences": list(run.differences),
        "unread": run.unread,
    }


def _similar_json(one: Similar) -> dict[str, Any]:
    row = one.row
    return {
        "journal": one.journal,
        "batch": row.batch,
        "environment": row.environment,
        "simulated": row.simulated,
        "row": row.number,
        "key": list(row.key),
        "state": row.state.value,
        "at": row.at,
        "apart": one.likeness.apart,
    }


def _second(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
