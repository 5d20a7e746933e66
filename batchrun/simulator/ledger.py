"""Every run that was accepted: in memory, and in the state file when there is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from batchrun.simulator.runs import Decision, Run
from batchrun.simulator.state_file import StateFile


class Ledger:
    """The accepted runs. A change is on disk before it is seen, and before any caller hears of it."""

    def __init__(self, state: StateFile | None = None) -> None:
        self._state = state
        self._runs = {run.id: run for run in state.runs()} if state else {}
        self._refused = Counter(state.refused() if state else {})
        self._told = state.told() if state else set()
        self._same = Counter(run.content for run in self._runs.values())
        self._keys = {decision.key: run.id for run in self._runs.values() for decision in run.decisions}
        self._watchers: list[Callable[[Run], None]] = []

    def watch(self, watcher: Callable[[Run], None]) -> None:
        """Call `watcher` with each run that comes or changes from now on."""
        self._watchers.append(watcher)

    def runs(self) -> Iterable[Run]:
        """Give all runs, in the order of acceptance."""
        return self._runs.values()

    def find(self, run_id: str) -> Run | None:
        """Give a run, or None."""
        return self._runs.get(run_id)

    def next_number(self) -> int:
        """Give the number of the next run; runs are never taken out, so none comes twice."""
        return len(self._runs) + 1

    def same(self, content: bytes) -> int:
        """Count the runs of this content."""
        return self._same[content]

    def starts(self, content: bytes) -> int:
        """Count the starts of this content that came so far, refused ones included."""
        return self._same[content] + self._refused[content]

    def refuse(self, content: bytes) -> None:
        """Count one more start of this content that left no run."""
        self._refused[content] += 1
        if self._state:
            self._state.refuse(content, self._refused[content])

    def add(self, run: Run) -> None:
        """Take in an accepted run."""
        if self._state:
            self._state.add(run)
        self._same[run.content] += 1
        self._set(run)

    def cancel(self, run: Run, at: int) -> Run:
        """Take in a cancellation."""
        if self._state:
            self._state.cancel(run.id, at)
        return self._set(replace(run, cancelled=at))

    def decide(self, run: Run, decision: Decision) -> Run:
        """Take in a reviewer's decision."""
        if self._state:
            self._state.decide(run.id, decision)
        self._keys[decision.key] = run.id
        return self._set(replace(run, decisions=(*run.decisions, decision)))

    def decided_with(self, key: str) -> str | None:
        """Give the id of the run that was decided with this idempotency key."""
        return self._keys.get(key)

    def was_told(self, run_id: str, stage: int) -> bool:
        """Say whether a stage was delivered as a webhook."""
        return (run_id, stage) in self._told

    def tell(self, run_id: str, stage: int) -> None:
        """Take in that a stage was delivered as a webhook."""
        if self._state:
            self._state.tell(run_id, stage)
        self._told.add((run_id, stage))

    def _set(self, run: Run) -> Run:
        self._runs[run.id] = run
        for watcher in self._watchers:
            watcher(run)
        return run
