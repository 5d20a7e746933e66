"""What a batch can no longer do once its payloads and cells were removed, in one sentence."""

from __future__ import annotations

from batchrun.core import purging
from batchrun.errors import CouldNotStart
from batchrun.flows.telling import Teller
from batchrun.io import journal_purges, system
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch


def tell_purged(journal: Journal, batch: Batch, teller: Teller, so: str = "") -> bool:
    """Say that a batch was purged, where it was; `so` is what follows from it."""
    told = _told(journal, batch, so)
    if told is not None:
        teller.warn(told)
    return told is not None


def refuse_purged(journal: Journal, batch: Batch, so: str) -> None:
    """Raise CouldNotStart where a batch was purged; `so` is why the command cannot go on."""
    told = _told(journal, batch, so)
    if told is not None:
        raise CouldNotStart(told, code="purged", next=f"batchrun status {system.shell_word(batch.name)}")


def _told(journal: Journal, batch: Batch, so: str) -> str | None:
    with journal.reading() as connection:
        at = journal_purges.purged_at(connection, batch.id)
    return None if at is None else ", ".join(part for part in (purging.sentence(batch.name, at), so) if part)
