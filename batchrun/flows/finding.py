"""Finds the batch that a command names: by its name, by its results workbook, or as `last`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from batchrun.core.suggestions import did_you_mean
from batchrun.errors import BadCommandLine, Declined, NotFound
from batchrun.flows.origins import is_loopback, origins
from batchrun.flows.other_files import JOBS
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, spec_file
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.workbook_name import batch_named_in

LAST = "last"


def find_batch(journal: Journal, named: str, teller: Teller, *, acts: bool = False, yes: bool = False) -> Batch:
    """Find a batch; raise NotFound with the nearest name. `last` on live is asked about where the command acts."""
    with journal.reading() as connection:
        found = journal_batches.last(connection) if named == LAST else journal_batches.find(connection, named)
        names = journal_batches.names(connection)
    if found is None and named != LAST and _is_path(named):
        found = _by_workbook(journal, Path(named))
    if found is None:
        raise _not_found(journal, named, names)
    if named == LAST and acts and found.environment == "live" and not found.simulated and not yes:
        _ask_about(found, teller)
    return found


def _ask_about(batch: Batch, teller: Teller) -> None:
    answer = teller.ask(f"The last batch is {batch.name}, on LIVE. Go on with it?")
    if answer is None:
        raise BadCommandLine(f"the last batch is on live, so it has to be named: {batch.name}")
    if not answer:
        raise Declined("nothing was done")


def _is_path(named: str) -> bool:
    return named.lower().endswith(".xlsx") or Path(named).exists()


def _by_workbook(journal: Journal, path: Path) -> Batch | None:
    if not path.exists():
        raise NotFound(f"there is no workbook at {path}")
    if path.suffix.lower() in JOBS:
        raise _of_job(journal, path)
    with journal.reading() as connection:
        found = journal_batches.find_by_workbook(connection, str(path.resolve()))
        if found is None:
            name = batch_named_in(path)
            found = journal_batches.find(connection, name) if name else None
    if found is None:
        raise NotFound(f"{path.name} is no results workbook of a batch in the journal {journal.path}")
    return found


def _of_job(journal: Journal, path: Path) -> NotFound:
    """Say that a job is no batch, and name its last one."""
    spec = spec_file.read_spec(path).spec
    with journal.reading() as connection:
        batches = [] if spec is None else journal_batches.every(connection)
    last = next((batch.name for batch in batches if spec is not None and batch.job == spec.job), None)
    named = f"; the last batch of it is {last}" if last is not None else f", and no batch of it is in {journal.path}"
    return NotFound(f"{path.name} is a job, and a batch is wanted{named}")


def _not_found(journal: Journal, named: str, names: list[str]) -> NotFound:
    if not names:
        return NotFound(f"the journal {journal.path} holds no batch yet; start one with: batchrun run JOB")
    return NotFound(f'there is no batch "{named}" in the journal {journal.path}{did_you_mean(named, names)}')


def at_origins(batch: Batch, base_url: str | None, review_url: str | None) -> Batch:
    """Reach a batch's API where the command line says; raise BadCommandLine where that is another world.

    A batch remembers its origins. Only servers on this machine may have moved, as rehearsals do.
    """
    if base_url is None and review_url is None:
        return batch
    if batch.simulated:
        raise BadCommandLine(f"{batch.name} was simulated, so it takes no --base-url or --review-url")
    asked = origins(base_url or batch.base_url, review_url or (None if base_url else batch.review_url))
    for flag, old, new in (
        ("--base-url", batch.base_url, asked.base),
        ("--review-url", batch.review_url, asked.review),
    ):
        if old != new and not (_is_here(old) and _is_here(new)):
            raise BadCommandLine(f"{flag}: {batch.name} belongs to {old}; its runs are not known at {new}")
    return replace(batch, base_url=asked.base, review_url=asked.review)


def _is_here(origin: str) -> bool:
    return is_loopback(urlsplit(origin).hostname or "")
