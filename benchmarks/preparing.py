"""How fast batchrun checks a CSV of ten mapped columns, whole process, beside a bare loop in the same run.

    python benchmarks/preparing.py [--rows 10000 100000 1000000] [--rounds 3] [--json FILE]

The bare loop is the limit: pandas reads chunks of text, a payload is written by hand, jsonschema-rs validates it. It
has no addresses, no exact explanations, no keys, no totals and no look at what Excel may have damaged. Both run as
processes of their own and take turns, so that a busy machine is busy for both; the quickest of the rounds counts, by
the clock. `CPU` is user and system seconds of that round, and says more than the clock where others use the machine.

`peak` is memory as the operating system accounts it: the resident set of the process and of all its children together,
sampled every 20 ms where there is a /proc, and never less than the largest resident set that the system itself noted
of the process. (The proportional set size, Pss, is less and moves with whatever other Pythons run beside it.)
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path

HEADER = ["Invoice No", "Vendor", "IBAN", "Amount", "Currency", "Due", "Urgent", "Department", "Reference", "Quantity"]
TARGETS = [
    "invoiceNumber",
    "payee.name",
    "payee.iban",
    "amount",
    "currency",
    "dueDate",
    "urgent",
    "department",
    "reference",
    "quantity",
]
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["invoiceNumber", "payee", "amount", "currency"],
    "properties": {
        "invoiceNumber": {"type": "string", "pattern": "^INV-\\d{8}$"},
        "payee": {
            "type": "object",
            "required": ["name", "iban"],
            "properties": {
                "name": {"type": "string", "minLength": 1},
                "iban": {"type": "string", "minLength": 15, "maxLength": 34},
            },
        },
        "amount": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
        "currency": {"enum": ["EUR", "USD", "CHF"]},
        "dueDate": {"type": "string", "format": "date"},
        "urgent": {"type": "boolean"},
        "department": {"type": "string"},
        "reference": {"type": "string", "maxLength": 140},
        "quantity": {"type": "integer", "minimum": 1},
    },
}
JOB = {
    "job": "bench",
    "procedure": {"id": "proc_bench"},
    "source": {"file": "rows.csv"},
    "key": "Invoice No",
    "schema": "schema.json",
    "data": dict(zip(TARGETS, HEADER, strict=True)),
    "rate": "unlimited",
    "results": {"totals": ["Amount"]},
}
SAMPLE_SECONDS = 0.02


@dataclass
class Measured:
    """One process, from its start to its end."""

    what: str
    rows: int
    seconds: float
    cpu: float
    peak_mb: float

    @property
    def rows_a_second(self) -> float:
        return self.rows / self.seconds


def make(folder: Path, count: int) -> None:
    """Write the sheet, the schema and the job."""
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    (folder / "job.yaml").write_text(json.dumps(JOB))  # JSON is YAML
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(_rows(count))


def _rows(count: int) -> Iterator[list[str]]:
    chance = random.Random(7)  # the same sheet each time
    for number in range(count):
        yield [
            f"INV-{number:08d}",
            f"Vendor {number % 977} GmbH",
            f"DE{chance.randrange(10**20):020d}",
            f"{chance.randrange(1, 10**7) / 100:.2f}",
            chance.choice(["EUR", "USD", "CHF"]),
            f"2026-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}",
            chance.choice(["true", "false"]),
            chance.choice(["Operations", "Finance", "Sales"]),
            f"Reference {number}, lot {number % 31}",
            str(chance.randrange(1, 500)),
        ]


def bare_loop(folder: Path) -> None:
    """Check the rows as a short script would."""
    import jsonschema_rs
    import pandas as pd

    schema = json.loads((folder / "schema.json").read_text(), parse_float=Decimal)
    validator = jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)
    valid = rows = 0
    for chunk in pd.read_csv(folder / "rows.csv", dtype=str, keep_default_na=False, chunksize=10_000):
        for cells in chunk.itertuples(index=False, name=None):
            number, vendor, iban, amount, currency, due, urgent, department, reference, quantity = cells
            data = {
                "invoiceNumber": number,
                "payee": {"name": vendor, "iban": iban},
                "amount": Decimal(amount),
                "currency": currency,
                "dueDate": due,
                "urgent": urgent == "true",
                "department": department,
                "reference": reference,
                "quantity": int(quantity),
            }
            valid += validator.is_valid(data)
            rows += 1
    print(json.dumps({"rows": rows, "valid": valid}))


def measured(what: str, command: list[str], rows: int) -> Measured:
    """Run a command to its end and measure it; one that does not find every row valid fails the benchmark."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    peak = _Peak(process.pid)
    answer = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    found = json.loads(answer)
    if status or found["rows"] != rows or found["valid"] != rows:
        sys.exit(f"{what}: {found} at status {status}, and {rows:,} valid rows were expected")
    largest = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return Measured(what, rows, seconds, usage.ru_utime + usage.ru_stime, max(peak.end(), largest))


class _Peak:
    """Samples the memory of a process and of its children together; 0 where the system has no /proc."""

    def __init__(self, pid: int) -> None:
        self._pid, self._most, self._over = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def end(self) -> float:
        self._over.set()
        self._thread.join()
        return self._most

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self._most = max(self._most, sum(map(_resident_mb, _tree(self._pid))))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _tree(int(child))


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def compare(rows: int, rounds: int) -> list[Measured]:
    """Measure both over a sheet of so many rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, rows)
        batchrun = [sys.executable, "-c", "from batchrun.cli.main import main; main()"]
        commands = {
            "batchrun check": [
                *batchrun, "check", str(folder / "job.yaml"), "--json", "--quiet", "--journal", str(folder / "none.db")
            ],
            "bare loop": [sys.executable, str(Path(__file__).resolve()), "--bare", str(folder)],
        }  # fmt: skip
        found = [measured(what, command, rows) for _ in range(rounds) for what, command in commands.items()]
    return [min((one for one in found if one.what == what), key=lambda one: one.seconds) for what in commands]


def show(found: list[Measured]) -> None:
    """Print the table, and the growth of the memory."""
    print(f"\n{'':16}{'rows':>10}{'seconds':>9}{'rows/s':>9}{'CPU s':>8}{'peak MB':>9}")
    for one in found:
        print(
            f"{one.what:16}{one.rows:>10,}{one.seconds:>9.2f}{one.rows_a_second:>9,.0f}{one.cpu:>8.2f}{one.peak_mb:>9.0f}"
        )
    for what in dict.fromkeys(one.what for one in found):
        ours = [one for one in found if one.what == what and one.rows >= 100_000]
        if len(ours) > 1:
            growth = ours[-1].peak_mb / ours[0].peak_mb - 1
            print(f"{what}: {ours[-1].rows:,} rows take {growth:+.0%} of the memory of {ours[0].rows:,}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        bare_loop(given.bare)
        return
    found = [one for rows in sorted(given.rows) for one in compare(rows, given.rounds)]
    show(found)
    if given.json:
        figures = [asdict(one) | {"rows_a_second": round(one.rows_a_second)} for one in found]
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
