"""Sees to it that a command has its three streams, and that words which cannot be said keep it from nothing."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, cast

STANDARD = range(3)


class Watched:
    """A stream of which it is known whether it failed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write, and remember why that could not be done."""
        with self._watching():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Bring out what was written, and remember why that could not be done."""
        with self._watching():
            self._stream.flush()

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Unfailing(Watched):
    """A stream for words on the way: where it cannot be written (a full disk, a reader who has gone), they are lost."""

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        with contextlib.suppress(OSError):
            yield


def see_to_streams() -> None:
    """Put something in the place of streams that are closed, and let no word on stderr fail.

    The number of a closed one would be given to the next file that is opened, a workbook say, and whatever a library
    or a child says there would be written into it.
    """
    if os.name == "posix":
        _occupy()
    nowhere = Path(os.devnull)
    if sys.stdin is None:
        sys.stdin = nowhere.open(encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = nowhere.open("w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = nowhere.open("w", encoding="utf-8")
    if not isinstance(sys.stdout, Watched):
        sys.stdout = cast(TextIO, Watched(sys.stdout))
    if not isinstance(sys.stderr, Unfailing):
        sys.stderr = cast(TextIO, Unfailing(sys.stderr))


def cannot_answer() -> bool:
    """Tell whether something that was printed on stdout could not be written."""
    return getattr(sys.stdout, "error", None) is not None


def give_up_answering() -> None:
    """Let what is still to come on stdout go nowhere, so that the process can end in peace."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _occupy() -> None:
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free, so this one
