"""What a completed run puts out: a small default, or a template filled from the input."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from batchrun.simulator.chance import token
from batchrun.simulator.exact_json import NotJsonError, field_at, read_exactly, read_members, write_exactly

_FIELD = re.compile(r"\{([^{}]+)\}")
_DEFAULT = {"approved": True, "transactionId": "{$transactionId}"}


def read_template(path: Path | None) -> dict[str, Any]:
    """Read a template, a JSON object; without a file, the default. Raises ValueError for anything else."""
    if path is None:
        return _DEFAULT
    try:
        return {name: member.value for name, member in read_members(path.read_bytes()).items()}
    except NotJsonError as fault:
        raise ValueError(f"The output template {path} cannot be used: it {fault}.") from fault


def fill(template: dict[str, Any], data: dict[str, Any], run_id: str) -> bytes:
    """Fill a template; a text that is one `{path}` alone keeps the input's type."""
    names = {"$runId": run_id, "$transactionId": f"txn_{token(10, run_id.encode())}"}
    return write_exactly(_filled(template, {**data, **names}))


def merged(output: bytes, overrides: Iterable[bytes]) -> bytes:
    """Lay reviewers' outputs over a run's own; the later one wins."""
    whole = read_exactly(output)
    for override in overrides:
        whole.update(read_exactly(override))
    return write_exactly(whole)


def _filled(part: Any, data: dict[str, Any]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(value, data) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, data) for value in part]
    return _filled_text(part, data) if isinstance(part, str) else part


def _filled_text(text: str, data: dict[str, Any]) -> Any:
    alone = _FIELD.fullmatch(text)
    if alone:
        return field_at(data, tuple(alone[1].split(".")))
    return _FIELD.sub(lambda field: _word(field_at(data, tuple(field[1].split(".")))), text)


def _word(value: object) -> str:
    if isinstance(value, str | Decimal):
        return str(value)
    return "" if value is None else orjson.dumps(value, default=str).decode()
