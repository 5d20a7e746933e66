"""Where the journal lies. Apart from the journal itself, so that to ask is quick where there is none."""

from __future__ import annotations

import os
from pathlib import Path

from batchrun.io import system


def default_path() -> Path:
    """Give the journal's place: BATCHRUN_JOURNAL, or the user's state folder."""
    named = os.environ.get("BATCHRUN_JOURNAL")
    return Path(named).expanduser().resolve() if named else system.state_folder() / "journal.db"


def place_if_any(path: Path | None = None) -> Path | None:
    """Give the place of the journal that is named, or of the user's; None where there is none yet."""
    place = path.expanduser().resolve() if path is not None else default_path()
    return place if place.exists() else None
