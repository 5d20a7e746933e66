"""Whether the very sheet of a job was sent before with other params: last month's file under a new name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from batchrun.core import duplicates

if TYPE_CHECKING:
    from batchrun.io.journal import Journal


def notes(journal: Journal, world: str, params: Mapping[str, str], input_sha256: str) -> Iterator[str]:
    """Say of the last batch of these bytes and other params that there is one. Keys may come again, but whole files?"""
    from batchrun.io import journal_batches

    with journal.reading() as connection:
        found = journal_batches.of_sheet(connection, input_sha256, world)
    others = (one for one in found if dict(one.params) != dict(params))
    if (last := next(others, None)) is not None:
        yield duplicates.told_of_sheet(last.name, last.params, last.created_at[:10])
