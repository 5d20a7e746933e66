"""Where the journal lies. Apart from the journal itself, so that to ask is quick where there is none."""

from __future__ import annotations

import os
from pathlib import Path

from batchrun.io import system


def default_path() -> Path:
    """Give the journal's place: BATCHRUN_JOURNAL, or the user's state folder."""
    named = os.environ.get("BATCHRUN_JOURNAL")
    return Path(named).expanduser().resolve() if named else system.state_folder() / "journal.db"


def place_of(path: Path | None = None) -> Path:
    """Give the place of the journal that is named, or of the user's, whether it is there or not."""
    return path.expanduser().resolve() if path is not None else default_path()


def place_if_any(path: Path | None = None) -> Path | None:
    """Give the same; None where there is none yet."""
    place = place_of(path)
    return place if place.exists() else None
