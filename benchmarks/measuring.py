"""Runs a command as a process, and says what it took by the operating system's account: time and memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

EVERY = 0.05  # seconds between two looks at the memory


@dataclass(frozen=True)
class Measured:
    """What one run took. `peak_mb` is the most that the process and its children held together (PSS)."""

    what: str
    rows: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def rows_a_second(self) -> float:
        """Rows a second of the whole process, start-up and all."""
        return self.rows / self.seconds

    def as_json(self) -> dict[str, Any]:
        """Give it for a file."""
        return {**asdict(self), "rows_a_second": round(self.rows_a_second, 1)}


def measured(what: str, rows: int, command: Sequence[str], *, codes: Sequence[int] = (0, 1), **more: Any) -> Measured:
    """Run a command to its end; its exit code must be one of `codes`."""
    before, began = os.times(), time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more) as process:
        watch = _Watch(process.pid)
        watch.start()
        out, err = process.communicate()
        seconds = time.perf_counter() - began
        watch.ended.set()
        watch.join()
    after = os.times()
    if process.returncode not in codes:
        raise SystemExit(f"{what}: exit {process.returncode}\n{out.decode()[-2000:]}\n{err.decode()[-2000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Measured(what, rows, seconds, cpu, watch.peak / 1024)


class _Watch(threading.Thread):
    """Looks at the memory of a process and its children, again and again."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.ended = threading.Event()
        self.peak = 0

    def run(self) -> None:
        """Look until the process has ended."""
        while not self.ended.wait(EVERY):
            self.peak = max(self.peak, sum(_kilobytes(pid) for pid in _family(self._pid)))


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue
    return found


def _kilobytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def machine() -> dict[str, Any]:
    """Describe the machine."""
    return {"system": platform.platform(), "python": sys.version.split()[0], "cores": os.cpu_count()}


def show(title: str, found: Sequence[Measured]) -> None:
    """Print a table, each number of rows by itself; the ratio is to the last line of its group."""
    print(f"\n{title}")
    print(f"{'':36}{'rows':>11}{'seconds':>10}{'CPU s':>9}{'rows/s':>11}{'peak MB':>9}{'ratio':>8}")
    for one in found:
        last = [other for other in found if other.rows == one.rows][-1]
        ratio = one.rows_a_second / last.rows_a_second
        print(
            f"{one.what:36}{one.rows:>11,}{one.seconds:>10.2f}{one.cpu_seconds:>9.2f}"
            f"{one.rows_a_second:>11,.0f}{one.peak_mb:>9.0f}{ratio:>8.2f}"
        )
