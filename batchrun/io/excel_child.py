"""Parse a workbook in a process of its own, which may die of a hostile file without harm, and hand over its rows.

The parent writes one line of JSON, keeps the pipe open as a sign of life, and reads pickled messages: `info` once, then
`rows` in chunks, then `end`; or `fault` with a sentence at any time. Whatever ends without `end` or `fault` has died.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from batchrun.errors import BadInput
from batchrun.io.excel_package import DAMAGE, damaged
from batchrun.io.excel_protocol import Kind, Request

if TYPE_CHECKING:
    from batchrun.io.excel_rows import Row

_ROWS_A_MESSAGE = 500
_BASE_MEMORY = 1 << 30
_MEMORY_A_BYTE = 6  # of unpacked workbook; XML grows several times when it becomes cells


def main() -> None:
    """Answer the request on standard input."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing but answers may go to the parent
    request = Request(**json.loads(sys.stdin.readline()))
    _end_with_parent()
    limit_memory(_BASE_MEMORY + _MEMORY_A_BYTE * request.max_size)
    _answer(request, answers)


def _answer(request: Request, answers: IO[bytes]) -> None:
    from batchrun.io.excel_reading import read_workbook

    try:
        facts, rows = read_workbook(request)
        _send(answers, "info", facts)
        for chunk in _chunks(rows):
            _send(answers, "rows", chunk)
        _send(answers, "end", None)
    except BadInput as fault:
        _send(answers, "fault", fault.message)
    except DAMAGE:
        _send(answers, "fault", damaged(request.name).message)


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _ROWS_A_MESSAGE)):
        yield chunk


def _send(answers: IO[bytes], kind: Kind, content: Any) -> None:
    pickle.dump((kind, content), answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


def _end_with_parent() -> None:
    """Leave as soon as the parent closes its end of the pipe, which the system does when it dies."""

    def watch() -> None:
        # Not sys.stdin, whose lock this thread would hold while the interpreter shuts down.
        while os.read(0, 4096):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# Not in the system module, which knows what each system lacks: this process loads as little as it can.
def limit_memory(size: int) -> None:
    """Cap this process's address space, in bytes, and leave no core dump; does nothing where the system cannot."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold the sheet's values
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = size if hard == resource.RLIM_INFINITY else min(size, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    except (OSError, ValueError):  # macOS refuses it at times
        return


if __name__ == "__main__":
    main()
