"""Commands on a terminal, whose questions a test can answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from crashing_batchrun import CrashDesk
from finance_desk import PATIENCE

if sys.platform != "win32":
    import pty

# Tests that run in the background inherit that Ctrl-C is ignored; nobody at a terminal does.
HEARS_CTRL_C = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from batchrun.cli.main import main
main()
"""


@contextmanager
def on_a_terminal(
    desk: CrashDesk, *words: str, key: str | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a command whose questions can be answered; what is said comes through the terminal."""
    ours, theirs = pty.openpty()
    origin = ["--base-url", desk.server.origin] if words[0] == "run" else []
    line = [sys.executable, "-c", HEARS_CTRL_C, *words, *origin]
    environment = {**desk.environment, "RAPIDFOLIO_API_KEY": key}
    with subprocess.Popen(
        line, cwd=desk.folder, env=environment, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE
    ) as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()
            os.close(ours)


def heard(terminal: int, what: str) -> str:
    """Read what is said up to some words."""
    said = ""
    while what not in said:
        with suppress(OSError):  # the other side was closed
            said += os.read(terminal, 4096).decode()
            continue
        raise AssertionError(said)
    return said


def answered(process: subprocess.Popen[bytes], terminal: int, answer: str | None) -> Any:
    """Answer a question, by Ctrl-C where there is no answer; give the command's JSON once it has ended."""
    if answer:
        os.write(terminal, f"{answer}\n".encode())
    else:
        process.send_signal(signal.SIGINT)
    return json.loads(process.communicate(timeout=PATIENCE)[0])
