"""How fast batchrun sends, from sheet to workbook, beside a careful hand-written script and newman, in one run.

    python benchmarks/sending.py [--rows 5000] [--concurrency 8 32] [--rounds 3] [--json FILE]

All of them send the same sheet to a static server on loopback, which answers at once (static_server.py), so that what
is measured is the client. Two speeds are given, in rows a second: `sending` from the server's first start to its last
answer, taken there for all alike, and `whole` from the start of the process to its end, workbook included. A row is one
start and one reading. The best of the rounds counts, and the contenders take turns, so that a busy machine is busy for
all. batchrun's journal is durable all the while; what the server saw twice or not at all fails the benchmark.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).parent
HEADER = ["Invoice No", "Vendor", "IBAN", "Amount", "Currency", "Due"]
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "invoiceNumber": {"type": "string", "minLength": 1},
        "payee": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "iban": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{20}$"}},
            "required": ["name", "iban"],
            "additionalProperties": False,
        },
        "amount": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
        "currency": {"enum": ["EUR", "CHF"]},
        "dueDate": {"type": "string", "format": "date"},
    },
    "required": ["invoiceNumber", "payee", "amount", "currency", "dueDate"],
    "additionalProperties": False,
}
JOB = """\
job: bench
procedure: {{id: proc_bench, version: v1, mode: async}}
source: {{file: sheet.xlsx}}
key: Invoice No
schema: schema.json
data:
  invoiceNumber: Invoice No
  payee.name: Vendor
  payee.iban: {{expr: 'row["IBAN"] | replace(" ", "")'}}
  amount: Amount
  currency: Currency
  dueDate: Due
rate: unlimited
concurrency: {concurrency}
results: {{file: out.xlsx}}
"""
COLLECTION = {
    "info": {"name": "bench", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
    "item": [
        {
            "name": "start",
            "event": [
                {
                    "listen": "test",
                    "script": {"exec": ["pm.collectionVariables.set('run', pm.response.json().runId)"]},
                }
            ],
            "request": {
                "method": "POST",
                "header": [{"key": "Content-Type", "value": "application/json"}],
                "url": "{{base}}/v1/procedures/proc_bench/sandbox",
                "body": {"mode": "raw", "raw": '{"data":{"invoiceNumber":"{{Invoice No}}","amount":{{Amount}}}}'},
            },
        },
        {"name": "read", "request": {"method": "GET", "url": "{{base}}/runs/{{run}}"}},
    ],
}


def make_sheet(path: Path, rows: int) -> None:
    """Write the sheet that all contenders read."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Payouts")
    sheet.append(HEADER)
    for number in range(rows):
        iban = f"DE{number:02d}"[:4] + f" {number:018d}"
        due = date(2026, 10, 1) + timedelta(days=number % 90)
        sheet.append([f"INV-{number:07d}", f"Vendor {number % 977}", iban, (number % 99_999 + 1) / 100, "EUR", due])
    book.save(path)


@contextlib.contextmanager
def server(*latency: str) -> Iterator[str]:
    """Run the static server in a process of its own; give its address. `latency` is its least and most, in ms."""
    command = [sys.executable, str(HERE / "static_server.py"), *latency]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def counts_at(origin: str) -> dict[str, float]:
    """Ask the server what it saw."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{origin}/counts") as answer:
        return json.load(answer)


def measured(command: Callable[[str], list[str]], folder: Path, rows: int, quiet_codes: tuple[int, ...]) -> dict:
    """Run one contender against a server of its own."""
    environment = {**os.environ, "RAPIDFOLIO_API_KEY": "rsk_sandbox_x", "PYTHONPATH": str(HERE.parent)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is not compiled anew at each start
    with server() as origin:
        began, worked = time.monotonic(), _worked()
        done = subprocess.run(command(origin), cwd=folder, env=environment, capture_output=True, text=True, check=False)
        whole, worked = time.monotonic() - began, _worked() - worked
        seen = counts_at(origin)
    if done.returncode not in quiet_codes or seen["starts"] != rows or seen["twice"]:
        raise SystemExit(f"{command(origin)}\nended with {done.returncode}; seen {seen}\n{done.stdout}\n{done.stderr}")
    return {
        "sending": rows / seen["seconds"],
        "whole": rows / whole,
        **seen,
        "whole_seconds": whole,
        "cpu_seconds": worked,
    }


def _worked() -> float:
    """Give the processor time of the children that have ended; the server has not, when this is asked."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def contenders(folder: Path, concurrency: int) -> dict[str, Callable[[str], list[str]]]:
    """Give each contender's command for an address."""
    (folder / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    (folder / "job.yaml").write_text(JOB.format(concurrency=concurrency), encoding="utf-8")

    def batchrun(origin: str) -> list[str]:
        for left in folder.glob("journal.db*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        (folder / "out.xlsx").unlink(missing_ok=True)
        words = ["run", "job.yaml", "--base-url", origin, "--journal", "journal.db", "--wait", "10m", "--json"]
        return [sys.executable, "-m", "batchrun", *words]

    def hand_written(origin: str) -> list[str]:
        return [sys.executable, str(HERE / "hand_written.py"), "sheet.xlsx", "by-hand.xlsx", origin, str(concurrency)]

    return {"hand-written": hand_written, "batchrun": batchrun}


def newman(folder: Path, rows: int) -> dict | None:
    """Run newman, where npm has installed it; it has no concurrency and writes no workbook."""
    found = shutil.which("newman") or shutil.which("newman", path=str(HERE / "node_modules" / ".bin"))
    if found is None:
        print("newman is not installed (npm install newman); left out")
        return None
    (folder / "collection.json").write_text(json.dumps(COLLECTION), encoding="utf-8")
    data = [{"Invoice No": f"INV-{number:07d}", "Amount": (number % 99_999 + 1) / 100} for number in range(rows)]
    (folder / "data.json").write_text(json.dumps(data), encoding="utf-8")

    def command(origin: str) -> list[str]:
        words = ["run", "collection.json", "-d", "data.json", "--env-var", f"base={origin}", "--silent"]
        return [found, *words]

    return measured(command, folder, rows, (0,))


def best(found: list[dict]) -> dict:
    """Give the quickest of the rounds, by each speed."""
    return {**max(found, key=lambda one: one["sending"]), "whole": max(one["whole"] for one in found)}


def show(concurrency: int, found: dict[str, dict]) -> None:
    """Print one table."""
    base = found["hand-written"]
    columns = "sending rows/s   ratio   whole rows/s   ratio   cpu ms/row   busiest second   connections"
    print(f"\n{concurrency} connections   {columns}")
    for name, one in found.items():
        ratios = one["sending"] / base["sending"], one["whole"] / base["whole"]
        print(
            f"{name:<16} {one['sending']:>14,.0f} {ratios[0]:>7.2f} {one['whole']:>14,.0f} {ratios[1]:>7.2f} "
            f"{one['cpu_seconds'] * 1000 / one['starts']:>12.2f} {one['busiest_second']:>16,} {one['connections']:>13,}"
        )


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    figures: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_sheet(folder / "sheet.xlsx", asked.rows)
        for concurrency in asked.concurrency:
            commands = contenders(folder, concurrency)
            rounds: dict[str, list[dict]] = {one: [] for one in commands}
            for _ in range(asked.rounds):
                for one, command in commands.items():
                    rounds[one].append(measured(command, folder, asked.rows, (0,)))
            figures[str(concurrency)] = {one: best(found) for one, found in rounds.items()}
            show(concurrency, figures[str(concurrency)])
        alone = newman(folder, asked.rows)
        if alone is not None:
            figures["1"] = {"newman": alone}
            print(f"newman, one at a time: {alone['sending']:,.0f} rows/s sending, {alone['whole']:,.0f} whole")
    if asked.json is not None:
        asked.json.write_text(json.dumps({"rows": asked.rows, "figures": figures}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
