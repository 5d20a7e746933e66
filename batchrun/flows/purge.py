"""`purge`: removes payloads, cells and files of old batches; keys, hashes, run ids, states, times and amounts stay."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from batchrun.core import purging
from batchrun.core.totals import counted
from batchrun.errors import BadCommandLine, Declined, NotFound, Stopped
from batchrun.flows.clock import SystemClock
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_purges, system
from batchrun.io.journal import Journal, journal_if_any
from batchrun.io.journal_batches import Batch, text_time
from batchrun.io.journal_place import place_of
from batchrun.model import State

SHOWN = 20
BEING_SENT = "another batchrun is sending it right now"


@dataclass(frozen=True, slots=True)
class OldBatch:
    """One batch that is older than the date: what was removed, or why it is left alone."""

    name: str
    created_at: str
    rows: int
    why_left: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Give it as `purge --json` shows it."""
        told = {"batch": self.name, "created": self.created_at, "rows": self.rows}
        return told if self.why_left is None else {**told, "why": self.why_left}


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """What a purge did, or would do.

    `rewritten` says that the file was written anew now, `erased` that no byte of what was removed is left in it.
    """

    journal: str
    before: str
    dry_run: bool
    purged: tuple[OldBatch, ...] = ()
    left: tuple[OldBatch, ...] = ()
    already: int = 0
    erased: bool = False
    rewritten: bool = False
    bytes_before: int = 0
    bytes_after: int = 0
    copies: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give the document of `purge --json`."""
        return {
            "version": 1,
            "journal": self.journal,
            "before": self.before,
            "dry_run": self.dry_run,
            "purged": [one.as_json() for one in self.purged],
            "left": [one.as_json() for one in self.left],
            "purged_earlier": self.already,
            "erased": self.erased,
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
            "copies": list(self.copies),
            "error": None,
        }


def parse_day(text: str) -> datetime:
    """Read `--before`: a day, as 2025-01-01, which begins at midnight UTC."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise BadCommandLine(f'--before: "{text}" is no day; write it as 2025-01-31') from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def purge(
    journal_path: Path | None, before: datetime, teller: Teller, *, yes: bool = False, dry_run: bool = False
) -> PurgeReport:
    """Purge every batch that was made before a time and is over; one transaction a batch, then the file anew."""
    journal = journal_if_any(journal_path)
    if journal is None:
        raise NotFound(f"there is no journal at {place_of(journal_path)}, so there is nothing to purge")
    try:
        found = _found(journal, before, dry_run=dry_run)
        if dry_run:
            return found
        if found.purged:
            _assure(journal, found, teller, yes=yes)
        return _purged(journal, found, before, teller)
    finally:
        journal.close()


def _found(journal: Journal, before: datetime, *, dry_run: bool) -> PurgeReport:
    """Look at every batch that was made before a time: whether it is over, or why it is left alone."""
    with journal.reading() as connection:
        earlier = journal_purges.every(connection)
        old = [one for one in journal_batches.every(connection) if one.created_at < text_time(before)]
        counts = journal_batches.counts(connection, [one.id for one in old])
        left = {one.id: purging.unfinished(counts.get(one.id, {})) for one in old}
    rows = {one.id: sum(counts.get(one.id, {}).values()) for one in old}
    lines = [
        OldBatch(one.name, one.created_at, rows[one.id], _why_left(journal, one, left[one.id]))
        for one in reversed(old)
        if one.id not in earlier
    ]
    return PurgeReport(
        journal=str(journal.path),
        before=text_time(before)[:10],
        dry_run=dry_run,
        purged=tuple(one for one in lines if one.why_left is None),
        left=tuple(one for one in lines if one.why_left is not None),
        already=sum(one.id in earlier for one in old),
        bytes_before=_bytes(journal),
        bytes_after=_bytes(journal),
        copies=tuple(map(str, journal.copies())),
    )


def _why_left(journal: Journal, batch: Batch, unfinished: Mapping[State, int]) -> str | None:
    if system.is_locked(journal.lock_file(batch.id)) or system.is_locked(journal.review_lock_file(batch.id)):
        return BEING_SENT
    told = ", ".join(f"{count:,} {state.value.replace('_', ' ')}" for state, count in unfinished.items())
    return f"its rows have not all ended ({told})" if told else None


def _assure(journal: Journal, found: PurgeReport, teller: Teller, *, yes: bool) -> None:
    rows = sum(one.rows for one in found.purged)
    batches = "1 batch" if len(found.purged) == 1 else f"{len(found.purged):,} batches"
    question = (
        f"Remove payloads, cells and files of {batches} ({counted(rows, 'row')}) made "
        f"before {found.before} from {journal.path}? This cannot be undone"
    )
    if yes:
        teller.say(f"{question} (--yes).")
        return
    # Where nobody can answer, as in a nightly job, the command with its date is the answer.
    if teller.ask(f"{question}.") is False:
        raise Declined("nothing was removed")


def _purged(journal: Journal, found: PurgeReport, before: datetime, teller: Teller) -> PurgeReport:
    done: list[OldBatch] = []
    left = list(found.left)
    with teller.counting("batches purged") as counting:
        for one in found.purged:
            why = _purge_one(journal, one)
            (left if why else done).append(replace(one, why_left=why))
            counting(len(done))
    _tidy(journal, before)
    with journal.reading() as connection:
        is_due = journal_purges.is_to_erase(connection)
    erased = not is_due or _erase(journal, teller)
    return replace(
        found,
        purged=tuple(done),
        left=tuple(left),
        erased=erased,
        rewritten=is_due and erased,
        bytes_after=_bytes(journal),
    )


def _purge_one(journal: Journal, old: OldBatch) -> str | None:
    """Purge one batch in one transaction, unless somebody took it up meanwhile; give why it was left alone."""
    with journal.reading() as connection:
        batch = journal_batches.find(connection, old.name)
    assert batch is not None  # noqa: S101  # batches are never removed
    with _held(journal, batch) as mine:
        if not mine:
            return BEING_SENT
        with journal.writing() as connection:
            counts = journal_batches.counts(connection, [batch.id]).get(batch.id, {})
            if purging.unfinished(counts):
                return "some of its rows were taken up again meanwhile"
            if journal_purges.purge_of(connection, batch.id) is None:
                journal_purges.purge(connection, batch, SystemClock().now(), system.user_name())
    return None


@contextlib.contextmanager
def _held(journal: Journal, batch: Batch) -> Iterator[bool]:
    """Hold what a sender of rows or of decisions would hold."""
    with (
        system.try_lock(journal.lock_file(batch.id)) as rows,
        system.try_lock(journal.review_lock_file(batch.id)) as no,
    ):
        yield rows and no


def _tidy(journal: Journal, before: datetime) -> None:
    """Do what came after an earlier purge, or was cut off from it: late webhooks, and a simulator's runs."""
    with journal.reading() as connection:
        earlier = journal_purges.every(connection)
        batches = [one for one in journal_batches.every(connection) if one.id in earlier]
    with journal.writing() as connection:
        changed = journal_purges.scrub_strangers(connection, before)
        for batch in batches:
            changed += journal_purges.scrub_deliveries(connection, batch, since=earlier[batch.id].at)
        if changed:
            journal_purges.note_to_erase(connection, True)
    for batch in batches:
        if batch.simulated:
            journal.remove_simulated(batch.id)


def _erase(journal: Journal, teller: Teller) -> bool:
    """Write the file anew, so that the bytes are gone; not while a batch is sent, for its sender would have to wait."""
    with journal.reading() as connection:
        active = [one.id for one in journal_batches.every(connection)] + journal_batches.unsealed(connection)
    if any(system.is_locked(journal.lock_file(batch_id)) for batch_id in active):
        teller.warn(
            "a batch is being sent right now, so the journal's file is not written anew: what was removed is "
            "overwritten with zeros in it; purge again once that batch has ended, to be sure of every copy in the file"
        )
        return False
    try:
        done = journal.rewrite()
    except Stopped as error:
        raise Stopped(
            f"{error.message}. The batches are purged, but bytes of them may still be in the file",
            code=error.code,
            next="batchrun purge --before DATE, once more",
        ) from None
    if not done:
        teller.warn("another program is reading the journal, so its log keeps old bytes; purge again when it has ended")
        return False
    with journal.writing() as connection:
        journal_purges.note_to_erase(connection, False)
    return True


def _bytes(journal: Journal) -> int:
    return journal.path.stat().st_size
