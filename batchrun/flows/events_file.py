"""Writes every step of a batch as a line of JSON, for programs that look on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from batchrun.engine.ports import Watch
from batchrun.errors import CouldNotStart
from batchrun.flows.clock import SystemClock
from batchrun.model import State


class _Recorder:
    def __init__(self, file: TextIO, batch: str, inner: Watch) -> None:
        self._file = file
        self._batch = batch
        self._inner = inner

    def stepped(self, position: int, before: State | None, after: State) -> None:
        self._write(event="step", position=position, before=before, after=after)
        self._inner.stepped(position, before, after)

    def waiting(self, reason: str, seconds: float) -> None:
        self._write(event="wait", reason=reason, seconds=round(seconds, 3))
        self._inner.waiting(reason, seconds)

    def _write(self, **event: object) -> None:
        line = {"at": SystemClock().now().isoformat(), "batch": self._batch, **event}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


@contextmanager
def recording(path: Path | None, batch: str, inner: Watch) -> Iterator[Watch]:
    """Record what `inner` is told, too; with no path, only `inner` is told."""
    if path is None:
        yield inner
        return
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise CouldNotStart(f"the events file {path} cannot be written: {error.strerror}") from None
    with file:
        yield _Recorder(file, batch, inner)
