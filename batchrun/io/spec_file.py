"""The only module that reads job specs and schemas from disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from batchrun.core.schema import Schema, compile_schema
from batchrun.core.spec import JobSpec
from batchrun.core.spec_faults import SpecFault, build
from batchrun.errors import BadSchema, BadSpec, NotFound
from batchrun.io import yaml_text


@dataclass(frozen=True)
class SpecFile:
    """A spec as it stands on disk: its bytes, its model where one could be built, and its faults so far."""

    path: Path
    content: bytes
    document: yaml_text.Document
    spec: JobSpec | None
    faults: tuple[SpecFault, ...]

    def tell(self, faults: Sequence[SpecFault]) -> tuple[str, ...]:
        """Write faults as lines for people, in the order of the file: `payouts.yaml:14: unknown column …`."""
        numbered = {(self.document.line_of(fault.place), fault.message) for fault in faults}
        return tuple(f"{self.path.name}:{line}: {message}" for line, message in sorted(numbered))

    def near(self, relative: str) -> Path:
        """Give a path that the spec names relative to itself."""
        return (self.path.parent / Path(relative).expanduser()).resolve()


def read_spec(path: Path) -> SpecFile:
    """Read a job spec. Raise NotFound or, where not even its YAML can be read, BadSpec."""
    return spec_from(read_spec_bytes(path), path)


def read_spec_bytes(path: Path) -> bytes:
    """Read a job spec's bytes alone. Raise NotFound."""
    return _bytes_of(path, "job spec")


def spec_from(content: bytes, path: Path) -> SpecFile:
    """Read a job spec from its bytes; `path` is where it lies, or lay when they were read."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadSpec([f"{path.name}:{line}: this is not UTF-8 text; save the file as UTF-8"]) from None
    document = yaml_text.load(text)
    if document.faults:
        raise BadSpec([f"{path.name}:{line}: {message}" for line, message in sorted(document.faults)])
    if not isinstance(document.data, dict):
        raise BadSpec([f"{path.name}:1: a job spec has keys such as job:, procedure:, source:, key:, schema:, data:"])
    spec, faults = build(document.data)
    return SpecFile(path, content, document, spec, tuple(faults))


@dataclass(frozen=True)
class SchemaFile:
    """A schema as it stands on disk, compiled."""

    path: Path
    content: bytes
    schema: Schema


def read_schema(path: Path) -> SchemaFile:
    """Read and compile a JSON Schema, with exact numbers. Raise NotFound or BadSchema."""
    content = _bytes_of(path, "schema")
    return SchemaFile(path, content, schema_from(content, path.name))


def schema_from(content: bytes, name: str) -> Schema:
    """Compile a schema from its bytes."""
    try:
        document: Any = json.loads(
            content.decode("utf-8-sig"),
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_no_repeats,
        )
    except json.JSONDecodeError as error:
        raise BadSchema(f"{name}:{error.lineno}: this is no JSON: {error.msg}") from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        said = "a number in it is absurdly large" if isinstance(error, ArithmeticError) else str(error)
        raise BadSchema(f"{name}: this is no JSON: {said}") from None
    return compile_schema(document, name)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the name "{twice}" stands twice in one object')
    return made


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _bytes_of(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no {what} at {path}") from None
    except IsADirectoryError:
        raise NotFound(f"{path} is a folder; name the {what} in it") from None
    except OSError as error:
        raise NotFound(f"the {what} {path} cannot be read: {error.strerror}") from None
