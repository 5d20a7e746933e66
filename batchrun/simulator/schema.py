"""Whether data conforms to the procedure's input schema, when the simulator was given one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from batchrun.simulator.exact_json import NotJsonError, read_exactly, read_members
from batchrun.simulator.refusals import RefusedError


class Conformity:
    """Holds data against a JSON Schema; without one all data conforms. A bad schema raises ValueError."""

    def __init__(self, path: Path | None) -> None:
        self._errors: Callable[[dict[str, Any]], Iterator[Any]] | None = _errors_by(path) if path else None

    def check(self, data: dict[str, Any]) -> None:
        """Refuse data that does not conform with 422 and the first reason."""
        error = next(self._errors(data), None) if self._errors else None
        if error is not None:
            path = ".".join(("data", *map(str, error.instance_path)))
            raise RefusedError(422, f"{path}: {error.message}")


def _errors_by(path: Path) -> Callable[[dict[str, Any]], Iterator[Any]]:
    import jsonschema_rs  # only who asks for a schema pays for it

    raw = path.read_bytes()
    try:
        read_members(raw)
        validator = jsonschema_rs.validator_for(read_exactly(raw), offline=True)
    except (NotJsonError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as fault:
        reason = getattr(fault, "message", None) or fault
        raise ValueError(f"The schema {path} cannot be used: it {reason}.") from fault
    return validator.iter_errors
