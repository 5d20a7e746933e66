"""Writes every step of a batch as a line of JSON, for programs that look on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from batchrun.engine.ports import Watch
from batchrun.errors import CouldNotStart
from batchrun.flows.clock import SystemClock
from batchrun.model import State


class _Recorder:
    def __init__(self, file: TextIO, batch: str, inner: Watch, failed: Callable[[OSError], None]) -> None:
        self._file = file
        self._batch = batch
        self._inner = inner
        self._failed = failed
        self._broken = False

    def stepped(self, position: int, before: State | None, after: State) -> None:
        self._write(event="step", position=position, before=before, after=after)
        self._inner.stepped(position, before, after)

    def waiting(self, reason: str, seconds: float) -> None:
        self._write(event="wait", reason=reason, seconds=round(seconds, 3))
        self._inner.waiting(reason, seconds)

    def _write(self, **event: object) -> None:
        if self._broken:
            return
        line = {"at": SystemClock().now().isoformat(), "batch": self._batch, **event}
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:  # who only looks on is no reason to lose the answers that are under way
            self._broken = True
            self._failed(error)


@contextmanager
def recording(path: Path | None, batch: str, inner: Watch, warn: Callable[[str], None]) -> Iterator[Watch]:
    """Record what `inner` is told, too; with no path, only `inner` is told.

    Where the file cannot be written any more, that is told once, and the batch goes on without it.
    """
    if path is None:
        yield inner
        return
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise CouldNotStart(f"the events file {path} cannot be written: {error.strerror}") from None

    def failed(error: OSError) -> None:
        with suppress(OSError):  # the words may go to the same disk
            warn(
                f"the events file {path} cannot be written any more ({error.strerror}), and the batch goes on without "
                f"it; the journal has every step, look with: batchrun show {batch} --row N"
            )

    try:
        yield _Recorder(file, batch, inner, failed)
    finally:
        with suppress(OSError):  # it tries once more to write what did not fit
            file.close()
