"""A run, and its story: a pure function of what was drawn for it and what was decided about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """A run's status, in the API's words."""

    PENDING = "pending"
    RUNNING = "running"
    AWAITING_REVIEW = "awaiting_review"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = frozenset({Status.PENDING, Status.RUNNING})
TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class Fate:
    """What shall become of a run; settled when it is accepted, so that turned knobs change no run that exists.

    `pending` and `stretches` are milliseconds; the run pauses for a review between two stretches.
    """

    pending: int
    stretches: tuple[int, ...]
    error: str | None
    output: bytes
    review_title: str = ""
    review_data: bytes = b"{}"


@dataclass(frozen=True, slots=True)
class Decision:
    """A reviewer's decision. `at` is in milliseconds since the epoch; `outputs` is a JSON object."""

    key: str
    at: int
    approved: bool
    outputs: bytes | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """One accepted run. `data` is its input as it was sent; times are milliseconds since the epoch."""

    number: int
    id: str
    content: bytes
    procedure: str
    environment: str
    version_id: str
    data: bytes
    created: int
    fate: Fate
    decisions: tuple[Decision, ...] = ()
    cancelled: int | None = None


class Stage(NamedTuple):
    """From when on a run has a status."""

    at: int
    status: Status
    error: str | None = None


def story(run: Run) -> list[Stage]:
    """Tell all of a run's stages that can be known now, the coming ones too."""
    stages = [Stage(run.created, Status.PENDING), Stage(run.created + run.fate.pending, Status.RUNNING)]
    for pause, stretch in enumerate(run.fate.stretches[:-1]):
        stages.append(Stage(stages[-1].at + stretch, Status.AWAITING_REVIEW))
        if pause >= len(run.decisions):
            return _cut(run, stages)
        stages.append(_after(run.decisions[pause]))
        if stages[-1].status is Status.FAILED:
            return stages
    stages.append(_end(run, stages[-1].at + run.fate.stretches[-1]))
    return _cut(run, stages)


def stage_at(run: Run, now: int) -> Stage:
    """Tell the stage that a run is in."""
    stages = story(run)
    return next((stage for stage in reversed(stages) if stage.at <= now), stages[0])


def _after(decision: Decision) -> Stage:
    return (
        Stage(decision.at, Status.RUNNING) if decision.approved else Stage(decision.at, Status.FAILED, decision.reason)
    )


def _end(run: Run, at: int) -> Stage:
    return Stage(at, Status.COMPLETED) if run.fate.error is None else Stage(at, Status.FAILED, run.fate.error)


def _cut(run: Run, stages: list[Stage]) -> list[Stage]:
    if run.cancelled is None:
        return stages
    return [*(stage for stage in stages if stage.at <= run.cancelled), Stage(run.cancelled, Status.CANCELLED)]
