"""Words for people: answers to stdout (to stderr where stdout carries JSON), progress and warnings to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TextIO

from batchrun.cli import progress
from batchrun.cli.progress import Tally
from batchrun.engine.ports import Watch
from batchrun.flows.telling import UNSETTLED, Counting
from batchrun.io import system
from batchrun.model import State

BOLD, RED, YELLOW, DIM, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"


class Screen:
    """Where a command's words go; also the Teller that flows speak to."""

    def __init__(self, *, as_json: bool, quiet: bool, yes: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.yes = yes
        self._answers: TextIO = sys.stderr if as_json else sys.stdout
        self._colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")

    def answer(self, text: str = "") -> None:
        """Show what the command was asked for."""
        print(text, file=self._answers)

    def document(self, document: dict[str, Any]) -> None:
        """Print the one JSON document, to stdout."""
        print(json.dumps(document, ensure_ascii=False), file=sys.stdout, flush=True)

    def say(self, text: str) -> None:
        """Tell what is going on."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def announce(self, text: str) -> None:
        """Tell what must be known even by --quiet, such as where something listens."""
        print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Tell what should be looked at, though the work goes on."""
        print(self._in(YELLOW, "Note: ") + text, file=sys.stderr, flush=True)

    def error(self, text: str) -> None:
        """Tell what keeps the command from doing what it was asked."""
        print(self._in(RED, "Error: ") + text, file=sys.stderr, flush=True)

    def ask(self, question: str) -> bool | None:
        """Put a question; None where nobody can answer. Only yes is yes."""
        if self.yes:
            return True
        if not system.can_ask():
            return None
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        return system.answered_line().strip().lower() in ("y", "yes")

    def watching(
        self, counts: Mapping[State, int], per_second: float, unsettled: Collection[State] = UNSETTLED
    ) -> AbstractContextManager[Watch]:
        """Show a batch's progress: a bar on a terminal, a line every 10 s elsewhere."""
        return progress.watching(Tally(counts, per_second, unsettled), self.say, quiet=self.quiet)

    @contextmanager
    def counting(self, what: str) -> Iterator[Counting]:
        """Show how far a long preparation is."""
        with progress.counting(what, self.say, quiet=self.quiet) as count:
            yield count

    def bold(self, text: str) -> str:
        """Make a heading stand out, where the answers go to a terminal."""
        return f"{BOLD}{text}{PLAIN}" if self._answers.isatty() and not os.environ.get("NO_COLOR") else text

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self._colour else text
