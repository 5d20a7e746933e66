"""The time, in milliseconds since the epoch, never running backwards."""

from __future__ import annotations

import time


class Clock:
    """Wall-clock time, so that runs go on while the simulator is down; a clock set back must not un-end a run."""

    def __init__(self) -> None:
        self._latest = 0

    def now(self) -> int:
        """Give the time in milliseconds since the epoch."""
        self._latest = max(self._latest, time.time_ns() // 1_000_000)
        return self._latest
