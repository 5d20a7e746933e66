"""A private copy of what a person handed in, in the system's folder for temporary files."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from batchrun.io import leftovers, system


class TemporaryCopy:
    """An empty file of this user's alone, until it is released; a context manager.

    It is held, so that others see that it is in use; what a killed command left here goes away a day later.
    """

    def __init__(self, kind: str, suffix: str = "") -> None:
        handle, place = tempfile.mkstemp(prefix=f"batchrun-{kind}-", suffix=suffix)
        os.close(handle)
        self.path = Path(place)
        self._held = ExitStack()
        self._held.callback(self.path.unlink, missing_ok=True)
        self._held.enter_context(system.held(self.path))
        leftovers.sweep(self.path)

    def release(self) -> None:
        """Delete it."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
