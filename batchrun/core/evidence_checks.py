"""Whether what a pack says of a batch holds together: hashes, histories, run ids, counts and sums. Pure.

Feed it in this order: events, run ids, rows, then ask for the faults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from batchrun.core import evidence, payloads, proofs
from batchrun.core.evidence import Fault
from batchrun.core.lifecycle import NEVER_SENT, STEPS, Event
from batchrun.core.totals import Totals, as_json, read_amount
from batchrun.model import State

SHOWN = 10
Line = Mapping[str, Any]


@dataclass(slots=True)
class _Life:
    """What a row's history leads to."""

    state: State = State.READY
    attempts: int = 0
    broken: bool = False


@dataclass(slots=True)
class _Found:
    """The faults of one member: the first ones, and how many there are."""

    first: list[str] = field(default_factory=list)
    count: int = 0


class BatchCheck:
    """Weighs the lines of one batch's extract. `batch` is the content of journal/batch.json."""

    def __init__(self, batch: Line, *, purged: bool) -> None:
        self._batch = batch
        self._purged = purged
        self._faults: dict[str, _Found] = {}
        self._lives: dict[int, _Life] = {}
        self._runs: dict[str, int] = {}
        self._leaders: dict[int, tuple[Any, ...]] = {}
        self._last = -1
        self.counts: dict[State, int] = {}
        self._runs_possible = 0
        self._grouped = bool(batch["batch"]["settings"].get("grouped"))
        self.totals = Totals(batch["batch"]["settings"]["totals"])

    def file(self, kept: evidence.KeptFile, found: str) -> None:
        """Hold a file's hash against the one that the batch has."""
        if kept.sha256 != found:
            self._fault(
                kept.member, f"it is not {kept.what} that the batch was made from: the journal has another hash"
            )

    def event(self, event: Line) -> None:
        """Replay one step of one row."""
        position, told = event["position"], Event(event["event"])
        life = self._lives.setdefault(position, _Life())
        life.attempts += told is Event.INTENT
        before, after = State(event["before"]), State(event["after"])
        sound = before is life.state and STEPS.get((before, told)) is after and event["attempt"] == life.attempts
        if not sound and not life.broken:
            self._fault(evidence.EVENTS, f"the step of {event['at']} ({told}) does not follow from the one before it")
            life.broken = True
        life.state = after

    def run_id(self, held: Line) -> None:
        """Take in whose a run is."""
        run_id, position = held["run_id"], held["position"]
        if run_id in self._runs:
            self._fault(evidence.RUN_IDS, f"the run {run_id} belongs to two rows")
        self._runs[run_id] = position

    def row(self, row: Line) -> None:
        """Hold one row against its payload, its history and its run."""
        position, number, state = row["position"], row["number"], State(row["state"])
        if position <= self._last:
            self._fault(evidence.ROWS, f"row {number} is there twice, or out of its order")
        self._last = max(position, self._last)
        self._payload(row)
        life = self._lives.pop(position, None)
        leader = row["leader"]
        if leader is None:
            self._history(number, state, row["attempts"], life)
        elif self._as_member(row) != self._leaders.get(leader) or life is not None:
            self._fault(evidence.ROWS, f"row {number} does not say the same as the row whose payload it is a part of")
        if row["run_id"] is not None and self._runs.get(row["run_id"]) != (position if leader is None else leader):
            self._fault(evidence.ROWS, f"row {number} has the run {row['run_id']}, which is not its own")
        if self._grouped and leader is None:
            self._leaders[position] = self._as_member(row)
        self._runs_possible += row["payload_id"] is not None
        self.counts[state] = self.counts.get(state, 0) + 1
        self.totals.add(state, [read_amount(amount) for amount in row["amounts"]])

    def correction(self, line: Line) -> None:
        """Hold what a row was before it was corrected against its hash."""
        if line["payload"] is not None and _payload_id(line["payload"]) != line["payload_id"]:
            self._fault(evidence.CORRECTIONS, f"the payload before the correction of {line['at']} is not what it was")

    def faults(self) -> Iterator[Fault]:
        """Give all that was found, a few of a kind."""
        for position in list(self._lives)[:1]:
            self._fault(evidence.EVENTS, f"there are steps of a row that is not there (position {position})")
        self._sums()
        for member, found in self._faults.items():
            yield from (Fault(member, message) for message in found.first)
            if found.count > len(found.first):
                yield Fault(member, f"and {found.count - len(found.first):,} more of its lines do not hold together")

    @staticmethod
    def _as_member(row: Line) -> tuple[Any, ...]:
        return row["state"], row["attempts"], row["run_id"], row["sent_at"], row["finished_at"]

    def _payload(self, row: Line) -> None:
        payload = row["payload"]
        if payload is None:
            gone = row["payload_id"] is not None and not self._purged
            if gone:
                self._fault(evidence.ROWS, f"row {row['number']} has lost its payload")
        elif _payload_id(payload) != row["payload_id"]:
            self._fault(evidence.ROWS, f"row {row['number']}: its payload was changed; its hash is another one's")

    def _history(self, number: int, state: State, attempts: int, life: _Life | None) -> None:
        if life is None:
            if (state is not State.READY and state not in NEVER_SENT) or attempts:
                told = f"row {number} is {state.value}, and no step in {evidence.EVENTS} made it so"
                self._fault(evidence.ROWS, told)
        elif state is not life.state or attempts != life.attempts:
            told = f"row {number} is {state.value} after {attempts} attempts, and its history leads to"
            self._fault(evidence.ROWS, f"{told} {life.state.value} after {life.attempts}")

    def _sums(self) -> None:
        counts = {state.value: count for state, count in self.counts.items()}
        if counts != self._batch["counts"] or sum(counts.values()) != self._batch["rows"]:
            self._fault(evidence.BATCH, "its counts by state are not those of the rows")
        if self._runs_possible != self._batch["runs"]:
            self._fault(evidence.BATCH, "its number of payloads is not that of the rows")
        controls = self.totals.controls()
        if as_json(controls) != self._batch["totals"]:
            self._fault(evidence.BATCH, "its control totals are not the sums of the rows' amounts")
        told = proofs.differences(proofs.proof_of(self.counts, controls, self._batch["batch"]["settings"]))
        if told:
            self._fault(evidence.ROWS, f"the rows do not add up to what was read from the sheet: {'; '.join(told)}")

    def _fault(self, member: str, message: str) -> None:
        found = self._faults.setdefault(member, _Found())
        found.count += 1
        if len(found.first) < SHOWN:
            found.first.append(message)


def _payload_id(payload: str) -> str:
    return payloads.payload_id(payload.encode()).hex()
