"""How fast to send, as arithmetic: these objects return seconds to wait, and the caller sleeps.

Times are seconds on one monotonic clock, passed in.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from math import inf
from typing import Protocol

# The schedule runs this much below the set rate, so that the hard guard below seldom has to hold a send back: what
# is held back is never caught up. At least 99 % of the rate must be used.
HEADROOM = 1.008
BURST_SECONDS = 0.010
WINDOW_MARGIN = 1.006
SLOWEST_SHARE = 1 / 64
FIRST_SPACING = 5.0
LONGEST_SPACING = 30.0
# Between two sends of a batch without a rate, what is longer is mostly a wait for an API that was away.
STANDSTILL = 0.25
SHORTEST_SPACING = 0.001
FEWEST_READINGS = 5.0
MOST_READINGS = 200.0
READERS = 8
# So long before a request may leave, its connection is looked at: soon enough to open another in most networks.
LOOK_AHEAD = 0.25


class Connected(Protocol):
    """The connection on which a request waits until it may leave.

    Whoever counts requests asks it first and lets it write at once: a request that was counted and then had to wait
    for a handshake would leave among those that were counted later.
    """

    def lasts(self, seconds: float) -> bool:
        """Tell whether a request could be written on it `seconds` from now, as far as anybody can know."""

    async def renew(self) -> None:
        """Make it last for LOOK_AHEAD seconds. Raise what its owner raises where that cannot be."""


def reading_rate(per_second: float) -> float:
    """Give how many readings of runs a second there may be, for a job that sends at a rate."""
    return min(max(per_second, FEWEST_READINGS), MOST_READINGS)


def readings(per_second: float, senders: int) -> tuple[float, int]:
    """Give the same while rows are sent, and how many may be read at once; a job without a rate bounds neither."""
    if per_second == inf:
        return inf, senders
    return reading_rate(per_second), min(senders, READERS)


class Pace:
    """A steady rate without catching up: after a stall at most 10 ms' worth of sends leave at once.

    `slow_down` halves the rate, each quiet stretch of sends wins it back: additive increase, multiplicative decrease.
    """

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._share = 1.0
        self._next = -inf
        self._not_before = -inf
        self._recent: deque[float] = deque(maxlen=64)
        self._reached = per_second

    @property
    def interval(self) -> float:
        """Seconds between two sends at the present pace; an unlimited one has none until it was slowed down."""
        if self.per_second == inf and self._share == 1.0:
            return 0.0
        return HEADROOM / (self._reached * self._share)

    def wait(self, now: float) -> float:
        """Give the seconds until the next send may leave."""
        return max(0.0, self._not_before - now, self._next - now)

    def take(self, now: float) -> None:
        """Note that a send leaves now."""
        if self._next == -inf:  # the first send is no burst
            self._next = now
        self._next = max(self._next, now - BURST_SECONDS) + self.interval
        self._recent.append(now)

    def slow_down(self, now: float, pause: float) -> None:
        """Send nothing for `pause` seconds, and then at half the pace.

        A whole volley of 429s, from requests that were in flight together, halves it once.
        """
        if now >= self._not_before:
            if self.per_second == inf and self._share == 1.0:
                self._reached = self._observed(now)
            self._share = max(self._share / 2, SLOWEST_SHARE)
        self._not_before = max(self._not_before, now + pause)

    def hold(self, now: float, pause: float) -> None:
        """Send nothing for `pause` seconds, and then go on as before."""
        self._not_before = max(self._not_before, now + pause)

    def is_held(self, now: float) -> bool:
        """Tell whether nothing is sent now, by `hold` or `slow_down`."""
        return now < self._not_before

    def _observed(self, now: float) -> float:
        """Give the pace of the last sends, without the time in which sending stood still."""
        moments = [*self._recent, now]
        going = sum(min(after - before, STANDSTILL) for before, after in pairwise(moments))
        return max(1.0, len(self._recent) / max(going, 0.001)) if self._recent else 1.0

    def speed_up(self) -> None:
        """Win a little of the pace back, after an answer that was no 429."""
        self._share = min(1.0, self._share + 0.02)

    @property
    def is_slowed(self) -> bool:
        """Tell whether the pace is below the set rate."""
        return self._share < 1.0


class Window:
    """The hard guard: in no window of one second do more sends leave than the rate allows."""

    def __init__(self, per_second: float) -> None:
        self._limit = 0 if per_second == inf else max(1, int(per_second))
        # A little longer than it must be: what leaves here evenly may arrive some milliseconds closer together.
        self._span = WINDOW_MARGIN * self._limit / per_second if self._limit else 0.0
        self._sent: deque[float] = deque(maxlen=self._limit or None)

    def wait(self, now: float) -> float:
        """Give the seconds until one more send fits into the window."""
        if not self._limit or len(self._sent) < self._limit:
            return 0.0
        return max(0.0, self._sent[0] + self._span - now)

    def take(self, now: float) -> None:
        """Note that a send leaves now."""
        if self._limit:
            self._sent.append(now)


class Spacing:
    """How many seconds lie between any two readings of runs while webhooks tell of them; none where nobody listens.

    A reading is then but a sample. One that brings what no webhook has told brings the next ones closer, so that lost
    webhooks, or a listener that nobody was told of, cost a minute; one without news puts them further apart.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def hear(self, listening: bool, told: bool) -> None:
        """Note whether somebody listens for webhooks, and whether one has just told something."""
        if not listening:
            self.seconds = 0.0
        elif told or not self.seconds:
            self.seconds = max(self.seconds, FIRST_SPACING)

    def learn(self, news: bool) -> None:
        """Note whether a reading brought what a webhook should have told."""
        if self.seconds:
            nearer, further = self.seconds / 4, self.seconds * 1.5
            self.seconds = max(nearer, SHORTEST_SPACING) if news else min(further, LONGEST_SPACING)


def backoff(attempt: int, base: float, cap: float, chance: float) -> float:
    """Give the seconds before attempt number `attempt` (from 1), with full jitter; `chance` is in [0, 1)."""
    return float(min(cap, base * 2 ** min(attempt - 1, 32)) * chance)


class RetryBudget:
    """A bucket of tokens that failures to connect spend and successes refill, so that a dead network is no storm.

    It begins small, since an address that was never reached is more likely wrong than down, and grows with answers.
    Source of the idea: the retry token bucket of the AWS SDKs.
    """

    def __init__(self, start: float = 60.0, most: float = 200.0, cost: float = 5.0, gain: float = 2.0) -> None:
        self._most = most
        self._tokens = start
        self._cost = cost
        self._gain = gain

    def spend(self) -> bool:
        """Take the price of one retry; False when the budget is spent."""
        if self._tokens < self._cost:
            return False
        self._tokens -= self._cost
        return True

    def refill(self) -> None:
        """Put a little back, after an answer came."""
        self._tokens = min(self._most, self._tokens + self._gain)

    def begin_anew(self) -> None:
        """Fill it up, as after the machine slept."""
        self._tokens = self._most
