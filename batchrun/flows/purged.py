"""What a batch can no longer do once its payloads and cells were removed, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchrun.core import purging
from batchrun.errors import CouldNotStart
from batchrun.flows.telling import Teller
from batchrun.io import journal_purges, system
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch

if TYPE_CHECKING:
    from sqlalchemy import Connection


def tell_purged(journal: Journal, batch: Batch, teller: Teller, so: str = "") -> bool:
    """Say that a batch was purged, where it was; `so` is what follows from it."""
    with journal.reading() as connection:
        told = _told(connection, batch, so)
    if told is not None:
        teller.warn(told)
    return told is not None


def refuse_purged(journal: Journal, batch: Batch, so: str) -> None:
    """Raise CouldNotStart where a batch was purged; `so` is why the command cannot go on."""
    with journal.reading() as connection:
        refuse_purged_rows(connection, batch, so)


def refuse_purged_rows(connection: Connection, batch: Batch, so: str) -> None:
    """Do the same in the transaction that reads the rows, so that none is read once it is empty."""
    told = _told(connection, batch, so)
    if told is not None:
        raise CouldNotStart(told, code="purged", next=f"batchrun status {system.shell_word(batch.name)}")


def _told(connection: Connection, batch: Batch, so: str) -> str | None:
    at = journal_purges.purged_at(connection, batch.id)
    return None if at is None else ", ".join(part for part in (purging.sentence(batch.name, at), so) if part)
