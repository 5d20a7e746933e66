"""The pace that several processes share, as arithmetic: turns are taken in advance, one process after the other.

Times are seconds since 1970, passed in: the one clock that processes share.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from batchrun.core.pacing import Connected

# Turns lie this much further apart than the rate asks for: no process sees what the others really send, so the lateness
# of one must fit in between.
HEADROOM = 1.015
LATE = 0.010  # what leaves later than this after its turn could meet the next ones in one window
SET_BACK = 1.0  # what is less costs less than a second of standing still
FURTHEST_TURNS = 200  # nobody takes turns further ahead: a clock that was set back would stand everything still
FURTHEST_SECONDS = 10.0
# So little at once that twenty processes together stay well below that.
LEASED_TURNS = 4
LEASED_SECONDS = 0.5


class Account(Protocol):
    """The pace that all processes with one API key share."""

    def expected(self, waiting: int) -> float:
        """Give the seconds until so many that wait will have had their turns, by what was found last."""

    async def turn(self, connected: Connected, waiting: int = 1) -> bool:
        """Wait for a turn; so many wait for one, this one among them.

        False where the connection does not last till then. No turn is spent: ask again once it is renewed.
        """


class Turns(NamedTuple):
    """Some turns: the moment of the first, how far they lie apart, how many they are."""

    first: float
    interval: float
    number: int

    @property
    def end(self) -> float:
        """The moment from which turns are free again."""
        return self.first + self.interval * self.number

    def moments(self) -> list[float]:
        """Give the moment of each turn."""
        return [self.first + self.interval * place for place in range(self.number)]


def take_turns(taken_until: float, now: float, per_second: float, count: int) -> Turns:
    """Take the next turns after those that are taken; one that passed unused is lost, and never caught up.

    Of many that are asked for only the first are given, so that nobody takes turns so far ahead as no clock allows.
    """
    interval = HEADROOM / per_second
    is_sane = taken_until <= now + FURTHEST_SECONDS + FURTHEST_TURNS * interval
    number = max(1, min(count, most_at_once(per_second)))
    return Turns(max(now, taken_until) if is_sane else now, interval, number)


def most_at_once(per_second: float) -> int:
    """Give how many turns anybody may take at once."""
    return max(LEASED_TURNS, int(LEASED_SECONDS * per_second))


def expected_wait(others: float, waiting: int, per_second: float) -> float:
    """Give the seconds until so many have had their turns, where `others` is how long those of others go on.

    Whoever takes all that may be taken at once lets the others take theirs before taking more.
    """
    return others * -(-waiting // most_at_once(per_second)) + waiting * HEADROOM / per_second


def was_set_back(leased: tuple[float, float], now: tuple[float, float]) -> bool:
    """Tell whether the shared clock was set back since turns were leased; both are its time and a steady clock's."""
    return (now[0] - leased[0]) - (now[1] - leased[1]) < -SET_BACK


def is_late(moment: float, now: float) -> bool:
    """Tell whether a turn has passed, so that another must be taken."""
    return now - moment > LATE
