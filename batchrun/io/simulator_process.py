"""Runs the simulator beside a batch, as a process of its own that ends with this one."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from batchrun.errors import BadCommandLine, CouldNotStart

STOP_SECONDS = 10


@contextlib.contextmanager
def simulator(state: Path, knobs: Mapping[str, Any], seed: int) -> Iterator[str]:
    """Run the simulator on a free loopback port and give its origin; its runs are kept in `state`."""
    command = [sys.executable, "-m", "batchrun.simulator", "--port", "0", "--machine", "--exit-with-stdin"]
    command += ["--state", str(state), "--seed", str(seed)]
    for name, value in knobs.items():
        command += ["--knob", f"{name}={value}"]
    process = subprocess.Popen(  # noqa: S603  # our own module, no shell
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        yield _origin(process)
    finally:
        _end(process)


def _origin(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None and process.stderr is not None  # noqa: S101  # pipes were asked for
    line = process.stdout.readline()
    if line:
        return str(json.loads(line)["listening"])
    said = process.stderr.read().decode(errors="replace").strip()
    if process.wait() == 2:
        raise BadCommandLine(f"the simulator did not start: {said}")
    raise CouldNotStart(f"the simulator did not start: {said.splitlines()[-1] if said else 'it said nothing'}")


def _end(process: subprocess.Popen[bytes]) -> None:
    # The end of its stdin tells it to stop; a new session keeps the terminal's Ctrl-C from reaching it first.
    process.terminate()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
