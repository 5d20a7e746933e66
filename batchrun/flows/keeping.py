"""`journal path` and `journal backup`: where the journal lies, and a whole copy of it."""

from __future__ import annotations

from pathlib import Path

from batchrun.errors import BadCommandLine, NotFound
from batchrun.io import journal_backup
from batchrun.io.journal import journal_if_any
from batchrun.io.journal_backup import Copied
from batchrun.io.journal_place import place_of


def backup(journal_path: Path | None, output: Path) -> tuple[Path, Copied]:
    """Copy the journal into a new file while others write; give the journal's place, and what was copied."""
    wanted = output.expanduser().resolve()
    if wanted.is_dir():
        raise BadCommandLine(f"-o: {wanted} is a folder; name a file in it, as {wanted / 'journal-copy.db'}")
    journal = journal_if_any(journal_path)  # opened as ever, so that one that is no journal is told as such
    if journal is None:
        raise NotFound(f"there is no journal at {place_of(journal_path)}, so there is nothing to copy")
    try:
        return journal.path, journal_backup.backup(journal.path, wanted)
    finally:
        journal.close()
