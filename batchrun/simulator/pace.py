"""The rate above which starts are answered 429: a token bucket."""

from __future__ import annotations


class Bucket:
    """Room for one second's worth of starts, filled again at the rate. Times are milliseconds."""

    def __init__(self, per_second: float, now: int) -> None:
        self._per_second = per_second
        self._room = max(1.0, per_second)
        self._left = self._room
        self._then = now

    def take(self, now: int) -> bool:
        """Take one start's room; False when there is none."""
        self._left = min(self._room, self._left + (now - self._then) * self._per_second / 1000)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
