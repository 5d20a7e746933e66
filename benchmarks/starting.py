"""What it takes to start: `python benchmarks/starting.py`. `--help`, and a check of ten rows; the best of five."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import preparing
from measuring import Measured, machine, measured, show

ROUNDS = 5


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        preparing.make(folder, 10)
        check = ["check", str(folder / "job.yaml"), "--journal", str(folder / "none.db")]
        found = [
            _best("python -c pass", [sys.executable, "-c", "pass"]),
            _best("batchrun --help", [sys.executable, "-m", "batchrun", "--help"]),
            _best("batchrun check, ten rows", [sys.executable, "-m", "batchrun", *check]),
        ]
    show("Starting", found)
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": machine(), "found": [one.as_json() for one in found]}, indent=1))


def _best(what: str, command: list[str]) -> Measured:
    return min((measured(what, 10, command) for _ in range(ROUNDS)), key=lambda one: one.cpu_seconds)


if __name__ == "__main__":
    main()
