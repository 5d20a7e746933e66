"""What it costs to follow runs that take their time: `python benchmarks/following.py [--runs 100000] [--seconds 30]`.

A journal holds a batch with so many open runs. `batchrun resume` follows them, against a static server that says
"running" for ever, and is stopped after some seconds: how many readings a second, and how much of a core.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import machine
from sending import HERE, counts_at, server
from workbook import fill

from batchrun.io.journal import open_journal

SETTLING = 5.0  # seconds until the process is loaded and has read its open runs


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 1_000, 100_000])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    print(f"{'open runs':>12}{'readings/s':>12}{'of a core':>11}")
    found = [_followed(runs, given.seconds) for runs in given.runs]
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": machine(), "found": found}, indent=1))


def _followed(runs: int, seconds: int) -> dict[str, float]:
    environment = {**os.environ, "RAPIDFOLIO_API_KEY": "rsk_sandbox_x", "PYTHONPATH": str(HERE.parent)}
    with tempfile.TemporaryDirectory() as name, server("0", "0", "running") as origin:
        folder = Path(name)
        journal = folder / "journal.db"
        batch = fill(journal, runs, folder / "results.xlsx")
        _open_again(journal, origin)
        command = [sys.executable, "-m", "batchrun", "resume", batch, "--journal", str(journal), "--wait", "1h"]
        with subprocess.Popen(
            [*command, "--quiet", "--json"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(SETTLING)
            before, read = _worked(process.pid), counts_at(origin)["readings"]
            time.sleep(seconds)
            worked, readings = _worked(process.pid) - before, counts_at(origin)["readings"] - read
            process.send_signal(signal.SIGKILL)
    print(f"{runs:>12,}{readings / seconds:>12,.1f}{worked / seconds:>11.1%}", flush=True)
    return {"runs": runs, "readings_a_second": readings / seconds, "of_a_core": worked / seconds}


def _open_again(path: Path, origin: str) -> None:
    journal = open_journal(path)
    with journal.writing() as connection:
        connection.exec_driver_sql("UPDATE batches SET base_url = ?, review_url = ?", (origin, origin))
        connection.exec_driver_sql("UPDATE rows SET state = 'running', output = NULL, error = NULL, finished_at = NULL")
    journal.close()


def _worked(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
