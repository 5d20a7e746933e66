"""The bodies that the simulator answers with, in the documents' words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from batchrun.simulator.output import merged
from batchrun.simulator.runs import TERMINAL, Run, Stage, Status, story


def moment(at: int | None) -> str | None:
    """Write a time as the API does: ISO 8601, UTC, milliseconds."""
    if at is None:
        return None
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def output_of(run: Run) -> orjson.Fragment:
    """Give a completed run's output, reviewers' outputs laid over it."""
    overrides = [decision.outputs for decision in run.decisions if decision.outputs]
    return orjson.Fragment(merged(run.fate.output, overrides) if overrides else run.fate.output)


def run_view(run: Run, now: int) -> dict[str, Any]:
    """Show a run as `GET /runs/:id` does."""
    past = [stage for stage in story(run) if stage.at <= now] or [Stage(run.created, Status.PENDING)]
    status, error = past[-1].status, past[-1].error
    return {
        "id": run.id,
        "status": status,
        "type": "api",
        "environment": run.environment,
        "input": orjson.Fragment(run.data),
        "output": output_of(run) if status is Status.COMPLETED else None,
        "error": error,
        "startedAt": moment(next((stage.at for stage in past if stage.status is Status.RUNNING), None)),
        "completedAt": moment(past[-1].at) if status in TERMINAL else None,
        "createdAt": moment(run.created),
        "procedureVersionId": run.version_id,
    }


def accepted(run: Run, origin: str) -> dict[str, Any]:
    """Say that an asynchronous run was accepted; the documents say `running`, even while it is pending."""
    return {"runId": run.id, "status": "running", "statusUrl": f"{origin}/runs/{run.id}"}


def awaiting(run: Run, origin: str) -> dict[str, Any]:
    """Say that a synchronous run waits for a review."""
    return {**accepted(run, origin), "status": "awaiting_review"}


def ended(run: Run, stage: Stage) -> dict[str, Any]:
    """Say how a synchronous run ended. Only `completed` is documented; the others are alike, with the error."""
    told = {"output": output_of(run)} if stage.status is Status.COMPLETED else {"error": stage.error}
    return {"runId": run.id, "status": stage.status, **told, "completedAt": moment(stage.at)}


def timed_out(run: Run, origin: str, timeout: Decimal) -> dict[str, Any]:
    """Say that a synchronous run goes on in the background."""
    error = f"Execution exceeded timeout of {timeout.normalize():f}ms"
    return {"runId": run.id, "status": "timeout", "error": error, "statusUrl": f"{origin}/runs/{run.id}"}
