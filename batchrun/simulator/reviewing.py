"""Takes in what callers do to a run that exists: read it, cancel it, decide its review."""

from __future__ import annotations

from batchrun.simulator.bodies import Verdict
from batchrun.simulator.clock import Clock
from batchrun.simulator.ledger import Ledger
from batchrun.simulator.refusals import RefusedError
from batchrun.simulator.runs import OPEN, Decision, Run, Status, stage_at


class Desk:
    """Finds runs and changes them as the documents allow."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def find(self, run_id: str, environment: str | None) -> Run:
        """Give a run; sandbox and live are isolated, so a key of the other environment finds nothing."""
        run = self._ledger.find(run_id)
        if run is None or (environment is not None and run.environment != environment):
            raise RefusedError(404, "there is no such run")
        return run

    def cancel(self, run: Run) -> Run:
        """Cancel a pending or running run."""
        now = self._clock.now()
        status = stage_at(run, now).status
        if status not in OPEN:
            raise RefusedError(409, f"the run is {status} and cannot be cancelled")
        return self._ledger.cancel(run, now)

    def decide(self, run_id: str, environment: str | None, verdict: Verdict) -> None:
        """Take in a decision, once: the same key and run again changes nothing."""
        decided = self._ledger.decided_with(verdict.key)
        run = self.find(run_id, environment)
        if decided == run_id:
            return
        if decided is not None:
            raise RefusedError(409, "this idempotencyKey was used for another run")
        now = self._clock.now()
        if stage_at(run, now).status is not Status.AWAITING_REVIEW:
            raise _not_awaiting(run)
        reason = None if verdict.approved else verdict.reason
        self._ledger.decide(run, Decision(verdict.key, now, verdict.approved, verdict.outputs, reason))


def _not_awaiting(run: Run) -> RefusedError:
    if run.decisions:
        return RefusedError(409, "a decision has already been submitted for this run")
    return RefusedError(404, "the run is not awaiting a review")
