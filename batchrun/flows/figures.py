"""How a batch's rows and amounts stand, read from the journal at one moment, and whether they add up to its input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchrun.core.proofs import proof_of
from batchrun.core.totals import Totals
from batchrun.io import journal_batches, journal_rows
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.model import ControlTotal, Proof, State


@dataclass(frozen=True, slots=True)
class Figures:
    """A batch's rows and control totals by state."""

    counts: Mapping[State, int]
    totals: tuple[ControlTotal, ...]
    proof: Proof


def figures_of(journal: Journal, batch: Batch) -> Figures:
    """Count a batch's rows and add up its control totals by state."""
    with journal.reading() as connection:
        # Its settings are read once more: rows may have been corrected since the batch was found.
        held = journal_batches.find(connection, batch.name) or batch
        counts = journal_batches.counts(connection, [batch.id]).get(batch.id, {})
        totals = Totals(held.settings["totals"])
        if totals.entries:
            for state, amounts in journal_rows.amounts_by_state(connection, batch.id):
                totals.add(state, amounts)
    controls = totals.controls()
    return Figures(counts, controls, proof_of(counts, controls, held.settings))
