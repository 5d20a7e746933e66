"""What a whole run takes: `python benchmarks/running.py [--rows 10000 100000 1000000]`.

A CSV is checked, put into the journal, sent without a rate to a static server on loopback, followed to its end and
written out as a workbook, by one process of `batchrun run`. Memory is what the system accounts to it and its children.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import preparing
from measuring import Measured, machine, measured, show
from sending import HERE, counts_at, server


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = [_run(rows, given.concurrency) for rows in given.rows]
    show("A whole run, from the sheet to the workbook", found)
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": machine(), "found": [one.as_json() for one in found]}, indent=1))


def _run(rows: int, concurrency: int) -> Measured:
    environment = {**os.environ, "RAPIDFOLIO_API_KEY": "rsk_sandbox_x", "PYTHONPATH": str(HERE.parent)}
    with tempfile.TemporaryDirectory() as name, server() as origin:
        folder = Path(name)
        preparing.make(folder, rows)
        job = {**preparing.JOB, "concurrency": concurrency}
        (folder / "job.yaml").write_text(json.dumps(job))
        words = [
            "run",
            "job.yaml",
            "--base-url",
            origin,
            "--journal",
            "journal.db",
            "--wait",
            "2h",
            "--json",
            "--quiet",
        ]
        command = [sys.executable, "-m", "batchrun", *words, "--json", "--quiet"]
        one = measured("batchrun run", rows, command, codes=(0,), cwd=folder, env=environment)
        seen = counts_at(origin)
    if seen["starts"] != rows or seen["twice"]:
        raise SystemExit(f"{rows:,} rows were to run once each, and the server saw {seen}")
    return one


if __name__ == "__main__":
    main()
