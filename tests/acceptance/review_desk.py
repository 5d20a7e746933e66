"""A desk for reviews: a batch that waits, a script that types into its workbook as a reviewer would, the command."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import review_server
from crashing_batchrun import Crasher, QuickCommands
from finance_desk import CANARY, DOCUMENT_KEYS, PATIENCE, Desk, Outcome, Results, leaks
from independent_server import IndependentServer
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet
from review_server import RUNNER_KEY, Arrival, Kind, ReviewServer, valid_uuid4

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["invoiceNumber", "amount", "kind"],
    "properties": {
        "invoiceNumber": {"type": "string", "pattern": "^[0-9]{5}$"},
        "amount": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
        "kind": {"type": "string"},
    },
}
OUTPUTS = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "overrideAmount": {"type": "number", "exclusiveMinimum": 0},
        "account": {"type": "string"},
        "urgent": {"type": "boolean"},
        "level": {"enum": ["low", "high"]},
        "payOn": {"type": "string", "format": "date"},
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
  amount: Amount
  kind: Kind
rate: 200/s
concurrency: 8
results: {file: results.xlsx, totals: [Amount]}
"""
HEADERS = ("Invoice No", "Amount", "Kind")
WORKBOOK = "results.xlsx"

Row = Mapping[str, str]


def invoice(number: int) -> str:
    """Give the key of the n-th invoice, which stands in row n + 1."""
    return f"{number:05d}"


def waiting(count: int, **kinds: Kind) -> list[Row]:
    """Make payouts that wait for a review; `_3=Kind.PASS` makes the third another."""
    return [
        {
            "Invoice No": invoice(number),
            "Amount": f"{number}.{number * 7 % 100:02d}",
            "Kind": kinds.get(f"_{number}", Kind.ONCE),
        }
        for number in range(1, count + 1)
    ]


class Typist:
    """A script that opens a results workbook, types, and saves it, as openpyxl does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.book = load_workbook(path)
        self.sheet = cast(Worksheet, self.book["Results"])
        self.columns = {str(cell.value): cell.column for cell in self.sheet[1] if cell.value is not None}

    def row_of(self, key: str) -> int:
        """Find the line in which an invoice stands."""
        return next(int(cell.row) for cell in self._cells("Invoice No") if cell.value == key)

    def _cells(self, name: str) -> Iterator[Any]:
        for row in range(2, self.sheet.max_row + 1):
            yield self.sheet.cell(row, self.columns[name])

    def cell(self, key: str, name: str) -> Any:
        """Give a cell of an invoice."""
        return self.sheet.cell(self.row_of(key), self.columns[name])

    def address(self, key: str, name: str) -> str:
        """Give a cell's address as batchrun writes it."""
        return f"{self.path.name}!Results!{get_column_letter(self.columns[name])}{self.row_of(key)}"

    def column(self, name: str) -> None:
        """Add a column at the right."""
        self.columns[name] = self.sheet.max_column + 1
        self.sheet.cell(1, self.columns[name]).value = name

    def type(self, key: str, **cells: Any) -> None:
        """Fill cells: `_decision="approve"`; dots in a name are written as two underlines."""
        for name, value in cells.items():
            column = name.replace("__", ".")
            if column not in self.columns and column.startswith("_override."):
                self.column(column)
            self.cell(key, column).value = value

    def approve(self, *keys: str, word: str = "approve") -> None:
        """Approve."""
        for key in keys:
            self.type(key, _decision=word)

    def reject(self, *keys: str, reason: str = "over the limit", word: str = "reject") -> None:
        """Reject, with a reason."""
        for key in keys:
            self.type(key, _decision=word, _rejection_reason=reason)

    def save(self, path: Path | None = None) -> Path:
        """Save, here or elsewhere."""
        self.book.save(path or self.path)
        return path or self.path


@contextmanager
def typing_into(path: Path) -> Iterator[Typist]:
    """Open a workbook, and save it afterwards."""
    typist = Typist(path)
    yield typist
    typist.save()
    typist.book.close()


class ReviewDesk(Desk):
    """A desk whose runs wait for reviews."""

    server: ReviewServer  # type: ignore[assignment]  # the desk needs its origin alone

    def __init__(self, folder: Path, server: ReviewServer) -> None:
        super().__init__(folder, cast(IndependentServer, server))
        self.environment["RAPIDFOLIO_API_KEY"] = RUNNER_KEY
        (folder / "payout.schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
        (folder / "outputs.schema.json").write_text(json.dumps(OUTPUTS), encoding="utf-8")
        self.workbook = folder / WORKBOOK

    def job(self, change: Callable[[str], str] = str) -> Path:
        """Write the job, altered by `change`."""
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

    def waits(self, rows: Iterable[Row] | int, *words: str, **more: Any) -> Path:
        """Run a batch until it waits for reviews; give its workbook."""
        self.sheet(waiting(rows) if isinstance(rows, int) else rows)
        path = Path(self.run(*words, **more).ended(4).document["workbook"])
        assert path == self.workbook
        return path

    def approved(self, count: int, *, of: int | None = None) -> list[str]:
        """Let rows wait, and type an approval into the first of them."""
        self.waits(of or count)
        keys = [invoice(number) for number in range(1, count + 1)]
        with self.typing() as typist:
            typist.approve(*keys)
        return keys

    def begun(self, *words: str | Path, path: Path | None = None) -> subprocess.Popen[str]:
        """Start a review and let it run."""
        return self.started("review", path or self.workbook, "--json", *words)

    def typing(self, path: Path | None = None) -> Any:
        """Type into the batch's workbook."""
        return typing_into(path or self.workbook)

    def review(self, *words: str | Path, path: Path | None = None, **more: Any) -> Outcome:
        """Hand a workbook in; the document must be complete."""
        outcome = self.command("review", path or self.workbook, "--json", *words, **more)
        assert "Traceback" not in outcome.stderr, outcome.stderr
        assert set(outcome.document) == DOCUMENT_KEYS, outcome.stdout
        return outcome

    def refused(self, *words: str | Path, told: Iterable[str] = (), path: Path | None = None, **more: Any) -> Outcome:
        """Hand in a workbook that cannot be taken: exit 2, told by cell, and nothing is sent, kept or written."""
        target = path or self.workbook
        arrivals, journal = len(self.server.arrivals), self.dump()
        before = target.read_bytes() if target.is_file() else b""
        outcome = self.review(*words, path=path, **more).ended(2)
        assert outcome.document["error"]["code"], outcome.document
        assert outcome.document["error"]["message"], outcome.document
        for text in told:
            assert text in outcome.words, f"{text} is not told:\n{outcome.stderr}"
        assert len(self.server.arrivals) == arrivals, "something was sent"
        assert self.dump() == journal, "the journal was changed"
        assert (target.read_bytes() if target.is_file() else b"") == before, "the workbook was changed"
        return outcome

    def results(self, path: Path | None = None) -> dict[str, dict[str, Any]]:
        """Read the workbook: an invoice's key, and its cells."""
        return {str(row["Invoice No"]): row for row in Results(path or self.workbook).rows}

    def dump(self) -> list[str]:
        """Give all that the journal holds, as SQL."""
        with closing(sqlite3.connect(self.journal, timeout=30)) as journal:
            return list(journal.iterdump())

    def wrote_once_each(self, *keys: str) -> None:
        """Hold the ledger to this: each of these acted once with one valid UUID of its own, and nobody else did."""
        ledger: dict[str, list[Arrival]] = {}
        for arrival in self.server.arrivals:
            ledger.setdefault(arrival.invoice, []).append(arrival)
        assert sorted(ledger) == sorted(keys), "others were decided, or some were not"
        uuids = {key: {arrival.key for arrival in ledger[key]} for key in keys}
        assert {key: sum(one.acted for one in ledger[key]) for key in keys} == dict.fromkeys(keys, 1)
        assert all(len(of_one) == 1 for of_one in uuids.values()), f"more than one key: {uuids}"
        assert all(valid_uuid4(key) for of_one in uuids.values() for key in of_one), uuids
        assert len({key for of_one in uuids.values() for key in of_one}) == len(keys), "a key for two runs"


class QuickReviewDesk(QuickCommands, ReviewDesk):
    """The same, with commands in the crasher's children."""


def ended(process: subprocess.Popen[str]) -> Outcome:
    """Wait for a command that was started."""
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in stderr, stderr
    assert CANARY.decode() not in stdout + stderr
    return Outcome(process.returncode, stdout, stderr)


@contextmanager
def at_a_review_desk(folder: Path, crasher: Crasher | None = None, **switches: Any) -> Iterator[ReviewDesk]:
    """Give a desk and its own server; afterwards, nothing that either left behind holds a key.

    With a crasher its commands are quick.
    """
    with review_server.review_server(**switches) as server:
        desk = ReviewDesk(folder, server) if crasher is None else QuickReviewDesk(folder, server)
        if crasher is not None:
            desk.crasher = crasher  # type: ignore[attr-defined]  # it is a quick one
        yield desk
    assert leaks(folder) == []
