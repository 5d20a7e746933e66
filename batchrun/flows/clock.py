"""The clock and the dice: the only place that reads them, handed to the engine by the front door."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's own time and chance."""

    def monotonic(self) -> float:
        """Give seconds on a clock that never jumps."""
        return time.monotonic()

    def now(self) -> datetime:
        """Give the time of day, aware, in UTC."""
        return datetime.now(UTC)

    def chance(self) -> float:
        """Give a number in [0, 1); only the spread of waiting times hangs on it."""
        return random.random()  # noqa: S311  # jitter, not a secret

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
