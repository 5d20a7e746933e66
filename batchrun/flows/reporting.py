"""Writes the results workbook from the journal: never over another batch's, never over what somebody typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from batchrun.core.review import OVERRIDE
from batchrun.core.review_cells import is_filled_in
from batchrun.errors import BadDecisions, BadInput, NotFound
from batchrun.flows.clock import SystemClock
from batchrun.flows.contents import LeftOver, content
from batchrun.flows.folding import fold
from batchrun.flows.purged import tell_purged
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_workbooks, workbook_lock
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_workbooks import WrittenWorkbook
from batchrun.io.whole_file import NOTHING, ChangedMeanwhile, sha256_of
from batchrun.io.workbook import write_workbook
from batchrun.io.workbook_kept import keep
from batchrun.io.workbook_reading import WorkbookCopy, open_copy

MOST_NAMES = 1_000


class _LeftAlone(Exception):
    """What lies at a place is not ours to write over; the text says why."""


def write(
    journal: Journal, name: str, teller: Teller, output: Path | None = None, *, handed_in: str | None = None
) -> Path | None:
    """Write a batch's workbook; where it cannot be written, say so and leave the batch as it is.

    `handed_in` is the SHA-256 of the file at that place as it was read: one that was saved since is left alone.
    """
    with journal.reading() as connection:
        batch = journal_batches.find(connection, name)
    if batch is None:
        raise NotFound(f"there is no batch {name}")
    fold(journal, batch)
    if tell_purged(journal, batch, teller, "so its workbook is left as it is"):
        return None
    wanted, own = output or Path(batch.workbook), Path(batch.workbook)
    adopts = handed_in is None or wanted == own or not own.exists()  # a copy that is handed in stays a copy
    try:
        path, sha256 = _write_at_or_beside(journal, batch, wanted, teller, handed_in)
    except OSError as error:
        teller.warn(
            f"the workbook {wanted} could not be written ({error.strerror}); write it with: batchrun report {name}"
        )
        return None
    if adopts:
        with journal.writing() as connection:
            journal_batches.amend(connection, batch.id, workbook=str(path), workbook_sha256=sha256)
    return path


def free_name(wanted: Path, teller: Teller) -> Path:
    """Give a place where nothing is yet: the one that is wanted, or a numbered one beside it."""
    if not wanted.exists():
        return wanted
    path = next(path for path in _numbered(wanted) if not path.exists())
    teller.warn(f"{wanted.name} exists already, so it is left alone; this is written to {path.name}")
    return path


def _numbered(wanted: Path) -> Iterator[Path]:
    for number in range(2, MOST_NAMES):
        yield wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")


def _write_at_or_beside(
    journal: Journal, batch: Batch, wanted: Path, teller: Teller, handed_in: str | None
) -> tuple[Path, str]:
    try:
        return wanted, _write_at(journal, batch, wanted, handed_in, teller)
    except _LeftAlone as left:
        reason = str(left)
    for path in _numbered(wanted):
        try:
            sha256 = _write_at(journal, batch, path, None, teller)
        except _LeftAlone:
            continue
        teller.warn(f"{wanted.name} {reason}, so it is left alone; this is written to {path.name}")
        return path, sha256
    raise NotFound(f"there is no free name beside {wanted}; name another file with -o")


def _write_at(journal: Journal, batch: Batch, path: Path, handed_in: str | None, teller: Teller) -> str:
    """Write at a place; raise _LeftAlone where what lies there is not ours to write over."""
    who = workbook_lock.opened_by(path)
    if who is not None:
        raise _LeftAlone(f"is open in Excel{'' if who == workbook_lock.SOMEBODY else f' by {who}'}")
    if not path.exists():
        return _save(journal, batch, path, LeftOver(), NOTHING, teller)
    sha256 = sha256_of(path)
    if handed_in not in (None, sha256):
        raise _LeftAlone("was changed since it was read")
    with journal.reading() as connection:
        written = journal_workbooks.written_at(connection, path)
    if written is not None and written.batch == batch.name and written.sha256 == sha256 and not written.kept:
        return _save(journal, batch, path, LeftOver(), sha256, teller)
    with _our_copy(batch, path) as copy:
        left = _left_over(copy, batch, written)
        return _save(journal, batch, path, left, copy.sha256, teller)


def _our_copy(batch: Batch, path: Path) -> WorkbookCopy:
    """Open what lies at a place; raise _LeftAlone unless it is a workbook of this batch."""
    try:
        copy = open_copy(path)
    except (NotFound, BadDecisions, BadInput):
        raise _LeftAlone("exists already") from None
    if copy.batch != batch.name:
        copy.close()
        raise _LeftAlone("exists already")
    return copy


def _left_over(copy: WorkbookCopy, batch: Batch, written: WrittenWorkbook | None) -> LeftOver:
    try:
        widths = written.widths if written is not None and written.batch == batch.name else {}
        # The rows first: two readers go through them, and that takes memory that the layout would have to stand beside.
        typed = {row.number: row.cells for row in copy.rows() if row.number is not None and is_filled_in(row.cells)}
        kept = keep(copy, widths, batch.sheet.header)
    except (NotFound, BadDecisions, BadInput) as error:
        raise _LeftAlone(f"cannot be read to its end ({error.message})") from None
    if kept.lost:
        raise _LeftAlone(f"holds what would be lost ({'; '.join(kept.lost)})")
    fields = tuple(name.removeprefix(OVERRIDE) for name in copy.header if name.startswith(OVERRIDE))
    return LeftOver(typed, tuple(name for name in fields if name), copy.doubts(), kept)


def _save(journal: Journal, batch: Batch, path: Path, left: LeftOver, unless_changed: str, teller: Teller) -> str:
    try:
        made = write_workbook(path, content(journal, batch, left), unless_changed=unless_changed)
    except ChangedMeanwhile:
        raise _LeftAlone("was changed since it was read") from None
    for note in made.notes:
        teller.warn(f"{path.name}: {note}")
    with journal.writing() as connection:
        now = SystemClock().now()
        journal_workbooks.note(connection, batch, path, made.sha256, made.widths, now, kept=left.kept is not None)
    return made.sha256
