"""How one row's life reads, on a screen and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

from batchrun.cli.words import table
from batchrun.core import payloads, purging
from batchrun.core.review import Recorded, told
from batchrun.flows.check import problem_json
from batchrun.flows.show import RowLife
from batchrun.io.journal_corrections import Correction
from batchrun.io.rows_file import cell_text


def lines(life: RowLife, bold: Callable[[str], str]) -> Iterator[str]:
    """Say a row's life, the cells first and the last answer last."""
    record = life.record
    yield bold(f"{life.batch.name}, row {record.number}: {record.state.value.replace('_', ' ')}")
    yield life.next_step
    if life.purged_at is not None:
        yield f"Note: {purging.sentence(life.batch.name, life.purged_at)}."
    yield ""
    yield from table([[f"  {name}", value] for name, value in life.cells.items()])
    for problem in record.problems:
        yield f"  problem: {problem.cell}: {problem.message}"
    if record.payload is not None:
        yield ""
        yield f"Payload: {record.payload.decode()}"
    if record.run_id is not None:
        yield f"Run: {record.run_id}"
    if record.output is not None:
        yield f"Output: {payloads.to_json(record.output).decode()}"
    if record.error is not None:
        yield f"Error: {record.error}"
    if life.corrections:
        yield ""
        yield "Corrections (UTC):"
        yield from (line for one in life.corrections for line in _correction(one, life))
    if life.decisions:
        yield ""
        yield "Decisions:"
        yield from (f"  {_decision(one)}" for one in life.decisions)
    if life.steps:
        yield ""
        yield "Steps (UTC):"
        yield from table([_step(step) for step in life.steps])


def _correction(one: Correction, life: RowLife) -> Iterator[str]:
    origin = one.origin
    yield f"  {one.at:%Y-%m-%d %H:%M:%S} from {origin.file_name} by {origin.by} (SHA-256 {origin.file_sha256})"
    yield from (f"    {change.told()}" for change in life.changes(one))
    if one.payload_before is not None:
        yield f"    Payload before: {one.payload_before.decode()}"


def _correction_json(one: Correction, life: RowLife) -> dict[str, Any]:
    return {
        "at": _time(one.at),
        "by": one.origin.by,
        "file": one.origin.file_name,
        "file_sha256": one.origin.file_sha256,
        "changes": [
            {"column": change.column, "before": cell_text(change.before), "after": cell_text(change.after)}
            for change in life.changes(one)
        ],
        "payload_before": None if one.payload_before is None else orjson.loads(one.payload_before),
        "payload_after": None if one.payload_after is None else orjson.loads(one.payload_after),
    }


def _decision(one: Recorded) -> str:
    said = f": {one.detail}" if one.detail else ""
    return f"review {one.pause}: {told(one)} - {one.state.value.replace('_', ' ')}{said}"


def _decision_json(one: Recorded, answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    decision = one.decision
    return {
        "review": one.pause,
        "approved": decision.approved,
        "rejection_reason": decision.rejection_reason,
        "outputs": None if decision.outputs is None else orjson.loads(payloads.to_json(decision.outputs)),
        "reviewer": decision.reviewer,
        "idempotency_key": one.key,
        "state": one.state.value,
        "decided_at": _time(one.decided_at),
        "answered_at": _time(one.answered_at),
        "detail": one.detail,
        "answers": [
            {name: value for name, value in answer.items() if name not in ("id", "decision_id")}
            for answer in answers
            if answer["decision_id"] == one.id
        ],
    }


def _step(step: dict[str, Any]) -> list[str]:
    answered = f"HTTP {step['status']}" if step["status"] else ""
    said = ", ".join(part for part in (answered, step["run_id"], step["detail"]) if part)
    return [f"  {step['at'][:23].replace('T', ' ')}", f"{step['before']} -> {step['after']}".replace("_", " "), said]


def document(life: RowLife) -> dict[str, Any]:
    """Give the document of `show --json`."""
    record = life.record
    return {
        "version": 1,
        "batch": life.batch.name,
        "row": record.number,
        "state": record.state.value,
        "next_step": life.next_step,
        "purged": life.purged_at,
        "key": list(record.key),
        "cells": life.cells,
        "payload": None if record.payload is None else orjson.loads(record.payload),
        "problems": [problem_json(problem) for problem in record.problems],
        "run_id": record.run_id,
        "output": None if record.output is None else orjson.loads(payloads.to_json(record.output)),
        "error_text": record.error,
        "attempts": record.attempts,
        "sent_at": _time(record.sent_at),
        "finished_at": _time(record.finished_at),
        "corrections": [_correction_json(one, life) for one in life.corrections],
        "decisions": [_decision_json(one, life.answers) for one in life.decisions],
        "steps": [
            {name: value for name, value in step.items() if name not in ("id", "batch_id")} for step in life.steps
        ],
        "error": None,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
