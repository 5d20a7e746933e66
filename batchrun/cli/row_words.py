"""How one row's life reads, on a screen and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import orjson

from batchrun.cli.words import table
from batchrun.core import payloads
from batchrun.flows.check import problem_json
from batchrun.flows.show import RowLife


def lines(life: RowLife, bold: Callable[[str], str]) -> Iterator[str]:
    """Say a row's life, the cells first and the last answer last."""
    record = life.record
    yield bold(f"{life.batch.name}, row {record.number}: {record.state.value.replace('_', ' ')}")
    yield life.next_step
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
    if life.steps:
        yield ""
        yield "Steps (UTC):"
        yield from table([_step(step) for step in life.steps])


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
        "steps": [
            {name: value for name, value in step.items() if name not in ("id", "batch_id")} for step in life.steps
        ],
        "error": None,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
