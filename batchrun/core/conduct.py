"""How a batch bears its answers: when it goes on, slows, asks whether the API is back, or stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from batchrun.core.answers import Effect, Fault, Seen, Verdict
from batchrun.core.pacing import RetryBudget, backoff

DOUBTS_IN_A_ROW = 5
REFUSALS_WITHOUT_ACCEPTANCE = 10
BACKOFF_BASE = 0.5
BACKOFF_CAP = 30.0
UNREACHED_CAP = 10.0
# Where no connection can be made any more, all rows wait a little: a quick pace would spend the budget within a second,
# and so it lasts for half a minute, in which most networks and servers come back. Single failures hold nothing.
LONGEST_HOLD = 1.5
FAILURES_BEFORE_HOLD = 3
SHORTEST_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class Stop:
    """Why sending stopped before its end: a code, and a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Policy:
    """How a batch bears errors. `most_refusals` of None is no limit of its own."""

    most_refusals: int | None = None
    not_run: frozenset[int] = frozenset()
    repeatable: bool = False
    accepted_before: bool = False


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an answer makes the batch do. `again` is the seconds before its row may be sent again.

    For `pause` seconds no row is sent, and then fewer are; for `hold` seconds none is, and then as many as before.
    """

    stop: Stop | None = None
    again: float = 0.0
    pause: float | None = None
    hold: float | None = None
    probe: bool = False
    speed_up: bool = False


def most_refusals(text: str, rows: int) -> int | None:
    """Give how many refusals are borne for `100%`, `5%` or `20`. Raise ValueError where it is neither."""
    number = text.removesuffix("%").strip()
    if not (number.isascii() and number.isdigit()):
        raise ValueError(f'"{text}" is not a number of rows or a share of them; write for example 20 or 5%')
    if not text.endswith("%"):
        return int(number)
    return None if int(number) >= 100 else ceil(rows * int(number) / 100)


class Conduct:
    """Counts what came, in the order of answers. `chance` gives numbers in [0, 1)."""

    def __init__(self, policy: Policy, chance: Callable[[], float]) -> None:
        self._policy = policy
        self._chance = chance
        self._budget = RetryBudget()
        self.accepted = policy.accepted_before
        self._refusals = 0
        self._doubts = 0
        self._unreached = 0
        self._slowed = 0

    def after(self, verdict: Verdict, seen: Seen, *, held: bool = False) -> Reaction:
        """Say what one answer makes the batch do; `held` where nothing is sent just now."""
        if verdict.effect is not Effect.DOUBT:
            self._doubts = 0
        if verdict.effect is Effect.UNREACHED and held and self.accepted:
            return Reaction(again=self._until_again())  # it is one failure with that for which nothing is sent
        return _REACTIONS[verdict.effect](self, verdict, seen)

    def after_known_run(self, run_id: str | None) -> Stop:
        """Say why a run id that another row has stops the batch."""
        return Stop(
            "run-id-again",
            f"the API gave a row the run id {run_id}, which belongs to another row already, so nobody knows whether "
            "that row was run (it is in doubt); look for it in the dashboard, and ask the API's support, before more "
            "is sent",
        )

    def begin_anew(self) -> None:
        """Forget old failures: the API is back, or the machine slept."""
        self._doubts = self._unreached = self._slowed = 0
        self._budget.begin_anew()

    def _goes_on(self, _verdict: Verdict, _seen: Seen) -> Reaction:
        self.accepted = True
        self._unreached = self._slowed = 0
        self._budget.refill()
        return Reaction(speed_up=True)

    def _refused(self, verdict: Verdict, _seen: Seen) -> Reaction:
        self._refusals += 1
        self._unreached = 0
        most = self._policy.most_refusals
        if not self.accepted and self._refusals >= REFUSALS_WITHOUT_ACCEPTANCE:
            told = f"the API refused each of the first {self._refusals} rows; the last one because {verdict.error}"
            return Reaction(stop=Stop("all-refused", told))
        if most is not None and self._refusals > most:
            told = f"the API refused {self._refusals} rows, and --max-errors bears {most}"
            return Reaction(stop=Stop("too-many-errors", told))
        return Reaction()

    def _doubted(self, _verdict: Verdict, _seen: Seen) -> Reaction:
        self._doubts += 1
        again = backoff(self._doubts, BACKOFF_BASE, BACKOFF_CAP, self._chance())
        return Reaction(again=again, probe=self._doubts >= DOUBTS_IN_A_ROW)

    def _unreachable(self, verdict: Verdict, seen: Seen) -> Reaction:
        self._unreached += 1
        if not self._budget.spend():
            told = f"the API cannot be reached{_by(seen)}: {verdict.error}"
            return Reaction(stop=Stop("unreachable", told))
        # An address that was never reached is more likely wrong than down, and nobody wants to wait for that.
        holds = self.accepted and self._unreached >= FAILURES_BEFORE_HOLD
        return Reaction(again=self._until_again(), hold=self._until_again(LONGEST_HOLD) if holds else None)

    def _until_again(self, cap: float = UNREACHED_CAP) -> float:
        return backoff(self._unreached, BACKOFF_BASE, cap, self._chance())

    def _too_many(self, verdict: Verdict, _seen: Seen) -> Reaction:
        self._slowed += 1
        pause = verdict.wait
        if pause is None:
            pause = max(SHORTEST_PAUSE, backoff(self._slowed, 1.0, BACKOFF_CAP, self._chance()))
        return Reaction(pause=pause)

    def _stops(self, verdict: Verdict, seen: Seen) -> Reaction:
        return Reaction(stop=stop_for(verdict, seen))


def stop_for(verdict: Verdict, seen: Seen) -> Stop:
    """Say why an answer stops the batch, and what a person can do."""
    if seen.status is None:
        code = {Fault.TLS_FAILED: "tls-failed", Fault.PROXY_REFUSED: "proxy-refused"}
        return Stop(
            code.get(seen.fault or Fault.BROKEN, "bad-url"), f"the API cannot be reached{_by(seen)}: {seen.detail}"
        )
    if 300 <= seen.status < 400:
        told = "the answer points elsewhere, and a payment is never sent on to another address; check --base-url"
        return Stop("redirected", f"{verdict.error}: {told}")
    hint = _HINTS.get(seen.status, "the API takes none of the rows")
    return Stop("key-refused" if seen.status in (401, 403) else "refused-all", f"{hint} ({verdict.error})")


def _by(seen: Seen) -> str:
    return f" {seen.route}" if seen.route else ""


_HINTS: Mapping[int, str] = {
    401: "the API does not take the key; look at it with: batchrun doctor",
    402: "the account has to be paid first",
    403: "the key may not do this; check the environment, and what the key is allowed",
    404: "the API knows no such procedure; check procedure.id in the job, and -e sandbox or live",
    405: "this address takes no runs; check --base-url",
    415: "this address does not take JSON; check --base-url",
    451: "the API may not answer from here",
}
_REACTIONS: Mapping[Effect, Callable[[Conduct, Verdict, Seen], Reaction]] = {
    Effect.GOES_ON: Conduct._goes_on,
    Effect.REFUSAL: Conduct._refused,
    Effect.DOUBT: Conduct._doubted,
    Effect.UNREACHED: Conduct._unreachable,
    Effect.SLOWS: Conduct._too_many,
    Effect.STOPS: Conduct._stops,
}
