"""A desk of its own for every test: a folder, a journal, a key, and the command as a process."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from independent_server import SANDBOX_KEY, IndependentServer, independent_server
from openpyxl import load_workbook

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
CANARY = b"CANARY"
HEADERS = ("Invoice No", "Vendor", "Amount", "Due", "Urgent")
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["invoiceNumber", "vendor", "amount", "currency"],
    "properties": {
        "invoiceNumber": {"type": "string", "pattern": "^[0-9]{5}$"},
        "vendor": {"type": "string", "minLength": 1},
        "amount": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
        "dueDate": {"type": "string", "format": "date"},
        "urgent": {"type": "boolean"},
        "currency": {"enum": ["EUR", "USD"]},
    },
}
JOB = """\
job: payouts
procedure: {id: proc_payout, version: v2, mode: sync}
source: {file: payouts.csv}
key: Invoice No
schema: payout.schema.json
data:
  invoiceNumber: Invoice No
  vendor: Vendor
  amount: Amount
  dueDate: Due
  urgent: {column: Urgent, map: {Y: true, N: false}}
  currency: {value: EUR}
rate: 200/s
concurrency: 8
results: {file: results.xlsx, totals: [Amount]}
"""

BATCH_COMMANDS = ("run", "resume", "refresh", "report")
DOCUMENT_KEYS = {  # DESIGN.md, chapter 2
    *("version", "batch", "job", "environment", "rows", "runs"),
    *("counts", "totals", "workbook", "stopped", "next", "error"),
}

Row = Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """Give the one JSON document on stdout, which must be there alone."""
        return json.loads(self.stdout)

    def ended(self, code: int) -> Outcome:
        """Hold the exit code to this one; show what was said otherwise."""
        assert self.code == code, f"exit {self.code}, not {code}\n{self.stdout}\n{self.stderr}"
        return self

    @property
    def words(self) -> str:
        """Give what a person reads, as one line of words."""
        return " ".join(self.stderr.split())


def in_the_background(text: str) -> str:
    """Make a job's runs async."""
    return text.replace("mode: sync", "mode: async")


class Loaded(Protocol):
    """batchrun loaded once, which runs a command in a child of its own: `crashing_batchrun.Crasher` is it."""

    def try_run(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> Outcome | None:
        """Run a command to its end; None where another one is under way."""


class Desk:
    """A folder with a job, a sheet and a journal; commands run in it.

    Where batchrun is loaded, commands are children of that process, which is quick; at a desk that is `real`, and
    with whatever is `started`, each is a process of its own.
    """

    loaded: ClassVar[Loaded | None] = None
    real = False

    def __init__(self, folder: Path, server: IndependentServer) -> None:
        self.folder = folder
        self.server = server
        self.journal = folder / "state" / "journal.db"
        home = folder / "home"
        home.mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not _foreign(name)},
            "HOME": str(home),
            "PYTHONWARNINGS": "error",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "BATCHRUN_JOURNAL": str(self.journal),
            "RAPIDFOLIO_API_KEY": SANDBOX_KEY,
        }
        (folder / "payout.schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
        self.job()

    def job(self, change: Callable[[str], str] = str) -> Path:
        """Write the job, altered by `change`; as it stands it is sync, so that a test need not wait for a poll."""
        path = self.folder / "payouts.yaml"
        path.write_text(change(JOB), encoding="utf-8")
        return path

    def sheet(self, rows: Iterable[Row], name: str = "payouts.csv") -> Path:
        """Write a sheet of payouts as a CSV file."""
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, HEADERS)
            writer.writeheader()
            writer.writerows(rows)
        return path

    def command(self, *words: str | Path, key: str | None = None, complete: bool = True, **more: Any) -> Outcome:
        """Run a command to its end; a key replaces the desk's, an empty one takes it away.

        A batch's document must be complete at every exit code, unless `complete` leaves that to the test.
        """
        outcome = self._quick(words, key, **more) or self._real(words, key, **more)
        assert CANARY.decode() not in outcome.stdout + outcome.stderr
        if complete and "--json" in words and words[0] in BATCH_COMMANDS:
            assert set(outcome.document) == DOCUMENT_KEYS
        return outcome

    def _quick(
        self, words: Sequence[str | Path], key: str | None, *, origin: bool = True, **more: Any
    ) -> Outcome | None:
        if self.loaded is None or self.real or set(more) - {"environment"}:
            return None
        environment = self._environment(key, more.get("environment", {}))
        return self.loaded.try_run(self._line(words, origin=origin), self.folder, environment)

    def _real(self, words: Sequence[str | Path], key: str | None, **more: Any) -> Outcome:
        with self.started(*words, key=key, **more) as process:
            try:
                stdout, stderr = process.communicate(timeout=PATIENCE)
            except BaseException:
                process.kill()
                raise
        return Outcome(process.returncode, stdout, stderr)

    def _environment(self, key: str | None, changes: Mapping[str, str]) -> dict[str, str]:
        environment = {**self.environment, **changes}
        if key is not None:
            environment["RAPIDFOLIO_API_KEY"] = key
        if key == "":
            del environment["RAPIDFOLIO_API_KEY"]
        return environment

    def _line(self, words: Sequence[str | Path], *, origin: bool) -> list[str]:
        with_origin = origin and words[0] in {"run", "check", "doctor"}
        return [*map(str, words), *(["--base-url", self.server.origin] if with_origin else [])]

    def started(
        self, *words: str | Path, key: str | None = None, origin: bool = True, **more: Any
    ) -> subprocess.Popen[str]:
        """Start a command and let it run."""
        environment = self._environment(key, more.pop("environment", {}))
        line = [sys.executable, "-m", "batchrun", *self._line(words, origin=origin)]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            line,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            encoding="utf-8",
            **more,
        )

    def run(self, *words: str | Path, **more: Any) -> Outcome:
        """Run the desk's job and answer with a document."""
        return self.command("run", "payouts.yaml", "--json", *words, **more)

    def batches(self) -> list[Any]:
        """List the batches that the journal knows of."""
        return list(self.command("status", "--json").ended(0).document["batches"])

    def answer(self, outcome: Outcome) -> Results:
        """Open the workbook that a command names."""
        return Results(Path(outcome.document["workbook"]))


class Results:
    """A results workbook, read with openpyxl alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        book = load_workbook(path)
        self.sheets = book.sheetnames
        header, *rows = book["Results"].iter_rows(values_only=True)
        self.header = [str(name) for name in header]
        self.rows = [dict(zip(self.header, row, strict=True)) for row in rows]
        book.close()

    def column(self, name: str) -> list[Any]:
        """Give one column, from the top."""
        return [row[name] for row in self.rows]


@contextmanager
def at_a_desk(folder: Path, **switches: Any) -> Iterator[Desk]:
    """Give a desk and its own server; afterwards, nothing that either left behind holds a key."""
    with independent_server(**switches) as server:
        yield Desk(folder, server)
    assert leaks(folder) == []


def leaks(folder: Path) -> list[str]:
    """Name the files, and the parts of packed ones, that hold a key."""
    found = []
    for path in (path for path in folder.rglob("*") if path.is_file()):
        parts = {path.name: path.read_bytes()}
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as pack:
                parts |= {f"{path.name}!{name}": pack.read(name) for name in pack.namelist()}
        found += [name for name, content in parts.items() if CANARY in content]
    return found


def invoices(count: int, *, first: int = 1) -> list[Row]:
    """Make payouts whose keys have leading zeros and whose amounts are of every kind that a sheet shows."""
    return [
        {
            "Invoice No": f"{number:05d}",
            "Vendor": f"Vendor {number} GmbH & Söhne",
            "Amount": f"{number * 37 % 9001}.{number * 7 % 100:02d}",
            "Due": f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
            "Urgent": "YN"[number % 2],
        }
        for number in range(first, first + count)
    ]


def with_cell(rows: Sequence[Row], index: int, **cells: str) -> list[Row]:
    """Replace cells of one row; `Invoice_No` stands for `Invoice No`."""
    changed = {**rows[index], **{name.replace("_", " "): value for name, value in cells.items()}}
    return [*rows[:index], changed, *rows[index + 1 :]]


def total(rows: Iterable[Row]) -> Decimal:
    """Add the amounts up."""
    return sum((Decimal(row["Amount"]) for row in rows), Decimal(0))


def until(look: Callable[[], T], good: Callable[[T], bool]) -> T:
    """Look again and again until what is seen is good."""
    deadline = time.monotonic() + PATIENCE
    while not good(seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r}"
        time.sleep(0.01)
    return seen


def killed(process: subprocess.Popen[str]) -> None:
    """End a process as a power cut does, and close its pipes."""
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)


def _foreign(name: str) -> bool:
    return name.startswith(("RAPIDFOLIO_", "BATCHRUN_", "PYTEST_")) or name.lower().endswith("_proxy")
