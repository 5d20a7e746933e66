"""How well a set rate is kept and used: `python benchmarks/pace.py [--seconds 60] [--rates 50 1000]`.

A batch is sent at each rate to a static server on loopback that notes when each start arrives: at once, with a latency
of 40 ms give or take 40, and as two batches at once that share one account_rate. `fullest` is the fullest window of one
second that the server saw, as a share of the rate; `used` is what was sent of what the rate allowed, from the first
start to the last.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import machine
from sending import HERE, counts_at, server

JOB = """\
job: pace
procedure: {{id: proc_pace}}
source: {{file: {name}.csv}}
key: Key
schema: schema.json
data: {{key: Key}}
rate: {rate}/s
concurrency: {concurrency}
results: {{file: {name}.xlsx}}
{more}
"""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rates", type=int, nargs="+", default=[50, 1000])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    print(f"{'':44}{'rate':>8}{'sent':>9}{'fullest':>9}{'used':>8}")
    found = [one for rate in given.rates for one in _at(rate, given.seconds)]
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": machine(), "found": found}, indent=1))


def _at(rate: int, seconds: int) -> list[dict[str, Any]]:
    return [
        _kept("at once", rate, rate * seconds, ()),
        _kept("latency 40 ms, give or take 40", rate, rate * seconds, ("0", "80")),
        _kept("two batches, one account_rate", rate, rate * seconds, (), batches=2),
    ]


def _kept(what: str, rate: int, rows: int, latency: Sequence[str], batches: int = 1) -> dict[str, Any]:
    environment = {**os.environ, "RAPIDFOLIO_API_KEY": "rsk_sandbox_x", "PYTHONPATH": str(HERE.parent)}
    with tempfile.TemporaryDirectory() as name, server(*latency) as origin:
        folder = Path(name)
        (folder / "schema.json").write_text('{"type": "object", "properties": {"key": {"type": "string"}}}')
        running = []
        for number in range(batches):
            job = _job(folder, f"job{number}", rate, rows // batches, shared=batches > 1)
            words = ["run", job, "--base-url", origin, "--journal", "journal.db", "--no-wait", "--json", "--quiet"]
            command = [sys.executable, "-m", "batchrun", *words]
            running.append(
                subprocess.Popen(
                    command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        if any(process.wait() not in (0, 4) for process in running):
            raise SystemExit(f"{what}: a batch did not run to its end")
        seen = counts_at(origin)
    used = (seen["starts"] - 1) / seen["starting_seconds"] / rate
    fullest = seen["busiest_window"] / rate
    print(f"{what:44}{rate:>7}/s{seen['starts']:>9,}{fullest:>9.1%}{used:>8.1%}", flush=True)
    return {"what": what, "rate": rate, "rows": seen["starts"], "fullest": fullest, "used": used}


def _job(folder: Path, name: str, rate: int, rows: int, *, shared: bool) -> str:
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["Key"], *([f"{name}-{number:07d}"] for number in range(rows))])
    concurrency = max(8, min(256, rate // 8))  # Little's law: rate times the longest latency, and some to spare
    more = f"account_rate: {rate}/s" if shared else ""
    text = JOB.format(name=name, rate=rate, concurrency=concurrency, more=more)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return f"{name}.yaml"


if __name__ == "__main__":
    main()
