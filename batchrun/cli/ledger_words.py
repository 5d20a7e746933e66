"""How a purge and a copy of the journal read on a screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from batchrun.cli.history_words import batches_told
from batchrun.cli.words import table
from batchrun.core.moments import to_the_minute
from batchrun.core.totals import counted

if TYPE_CHECKING:
    from batchrun.flows.purge import OldBatch, PurgeReport
    from batchrun.io.journal_backup import Copied

SHOWN = 20


def purge_lines(report: PurgeReport) -> Iterator[str]:
    """Say what was removed, what was left alone, and what else may hold it."""
    done = "would be purged" if report.dry_run else "purged"
    yield from _old(report.purged, f"{batches_told(len(report.purged))} made before {report.before} {done}")
    if report.left:
        yield from _old(report.left, f"{batches_told(len(report.left))} left alone")
    if report.already:
        yield f"{batches_told(report.already)} had been purged earlier."
    if report.rewritten:
        yield f"The file was written anew: {_size(report.bytes_before)} before, {_size(report.bytes_after)} now."
    if not report.purged or report.dry_run:
        return
    yield "Removed: payloads, cells, outputs, the words of problems and errors, review data, and the files read."
    yield "Kept: keys, hashes, run ids, states, times, amounts (they are the control totals) and the trail of steps."
    yield "Not touched: sheets, results workbooks, evidence and backups that lie outside the journal."
    if report.copies:
        yield f"These copies still hold what was removed; delete them yourself: {', '.join(report.copies)}"


def _old(batches: Sequence[OldBatch], heading: str) -> Iterator[str]:
    yield f"{heading}{':' if batches else '.'}"
    cells = [
        [f"  {one.name}", f"made {to_the_minute(one.created_at)}", counted(one.rows, "row"), one.why_left or ""]
        for one in batches[:SHOWN]
    ]
    yield from table(cells) if cells else ()
    if len(batches) > SHOWN:
        yield f"  and {batches_told(len(batches) - SHOWN)} more; see all of them with --json"


def backup_lines(journal: Path, copied: Copied) -> Iterator[str]:
    """Say what was copied, and how it is used."""
    yield from table(
        [
            ["Copied", str(journal)],
            ["to", str(copied.path)],
            ["holding", f"{batches_told(copied.batches)}, {counted(copied.rows, 'row')}, {_size(copied.bytes)}"],
            ["SHA-256", copied.sha256],
        ]
    )
    yield "It is whole and was checked. It holds all that the journal holds, so keep it as safe."
    yield "To look into it: batchrun status --journal COPY. To come back to it: while no batchrun runs, move"
    yield "the journal and its -wal and -shm files away, and copy it to the journal's place. Rows that were sent"
    yield "after the copy was made are not in it: look for those before anything is sent again."


def _size(count: int) -> str:
    return f"{count / 1_000_000:,.1f} MB"
