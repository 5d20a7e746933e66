"""Folds webhook deliveries into the rows whose runs they name; every command that opens a batch does it."""

from __future__ import annotations

from batchrun.flows.clock import SystemClock
from batchrun.io import journal_deliveries
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch


def fold(journal: Journal, batch: Batch) -> int:
    """Fold all that has arrived, a page at a time; give how many steps rows took."""
    steps = 0
    while True:
        with journal.reading() as connection:
            if not journal_deliveries.anything_to_fold(connection, batch):
                return steps
        with journal.writing() as connection:
            steps += len(journal_deliveries.fold(connection, batch, SystemClock().now()))
