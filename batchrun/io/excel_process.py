"""Talk to the process that parses a workbook: start it, take its answers, and say plainly when it died."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from batchrun.errors import BadInput
from batchrun.io.excel_protocol import Request, SheetFacts
from batchrun.model import Cell

Row = tuple[int, tuple[Cell, ...]]
_LAST_WORDS = 2.0  # seconds for a child that has said its last to leave by itself


class WorkbookProcess:
    """A running child process that reads one sheet; the child ends when this end of the pipe closes."""

    def __init__(self, request: Request) -> None:
        self._name = request.name
        self._finished = False
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "batchrun.io.excel_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if "BATCHRUN_DEBUG" in os.environ else subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        try:
            self._ask(request)
            self.facts: SheetFacts = self._expect("info")
        except BaseException:
            self.close()
            raise

    def rows(self) -> Iterator[Row]:
        """Stream the rows that hold something, by number."""
        while True:
            kind, content = self._answer()
            if kind == "end":
                return
            yield from content

    def close(self) -> None:
        """End the process if it still runs."""
        process = self._process
        if self._finished:
            self._wait_a_little()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                _close_quietly(stream)
        process.kill()
        process.wait()

    def _wait_a_little(self) -> None:
        try:
            self._process.wait(_LAST_WORDS)
        except subprocess.TimeoutExpired:
            return

    def _ask(self, request: Request) -> None:
        assert self._process.stdin is not None  # noqa: S101  a pipe was asked for
        try:
            self._process.stdin.write(json.dumps(asdict(request)).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None

    def _expect(self, wanted: str) -> Any:
        kind, content = self._answer()
        if kind != wanted:
            raise self._died()
        return content

    def _answer(self) -> tuple[str, Any]:
        assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
        try:
            kind, content = pickle.load(self._process.stdout)  # noqa: S301  both ends are ours
        except (EOFError, pickle.UnpicklingError):
            raise self._died() from None
        self._finished = kind in {"end", "fault"}
        if kind == "fault":
            raise BadInput(content)
        return kind, content

    def _died(self) -> BadInput:
        self._wait_a_little()  # else the cause would be the kill
        self._process.kill()
        cause = _cause(self._process.wait())
        return BadInput(
            f"{self._name} could not be read: the process that reads it {cause}, so the file is damaged or needs too "
            "much memory; open it in Excel and save it anew, or save the sheet as CSV."
        )


def _close_quietly(stream: Any) -> None:
    try:
        stream.close()
    except OSError:  # the child is gone and so is what was still to be written
        return


def _cause(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was stopped by {signal.Signals(-code).name}"
    except ValueError:
        return f"was stopped by signal {-code}"
