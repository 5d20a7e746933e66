"""How long the results workbook of a finished batch takes, and how much memory: `python benchmarks/workbook.py`.

A journal is filled with a batch whose rows have ended, and `batchrun report` writes its workbook as a process of its
own, charts, formats and all. Beside it, in the same run, XlsxWriter's and openpyxl's fastest ways write bare cells.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from measuring import Measured, machine, measured, show

from batchrun.core import payloads
from batchrun.io import journal_batches, journal_cells, journal_rows
from batchrun.io.journal import open_journal
from batchrun.io.journal_batches import Draft, text_time
from batchrun.model import SheetInfo, State

BEGUN = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)
HEADER = ("Invoice No", "Vendor", "IBAN", "Amount", "Currency", "Due", "Urgent", "Cost centre", "Reference", "Note")
WORLD = "https://run.rapidfolio.com/v1/procedures/proc_pay/sandbox"
CHUNK = 5_000
PEER = """
import sys
rows = int(sys.argv[1])
from openpyxl import Workbook
book = Workbook(write_only=True)
sheet = book.create_sheet("Results")
for row in range(rows):
    sheet.append([f"INV-{row}", "Vendor", row / 100] + ["some text"] * 22)
book.save(sys.argv[2])
"""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 50_000, 200_000])
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    found = [one for rows in chosen.rows for one in _of(rows)]
    show("Writing the results workbook", found)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps({"machine": machine(), "found": [one.as_json() for one in found]}, indent=2))


def _of(rows: int) -> list[Measured]:
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.db"
        name = fill(journal, rows, Path(folder) / "results.xlsx")
        ours = measured(
            "batchrun report", rows, [sys.executable, "-m", "batchrun", "report", name, "--journal", str(journal)]
        )
        peer = measured(
            "openpyxl, write-only, bare cells",
            rows,
            [sys.executable, "-c", PEER, str(rows), str(Path(folder) / "peer.xlsx")],
        )
    return [ours, peer]


def fill(path: Path, rows: int, workbook: Path) -> str:
    """Put a batch of so many rows that have ended into a journal; give its name."""
    journal = open_journal(path)
    with journal.writing() as connection:
        batch_id = journal_batches.stage(connection, _draft(workbook), BEGUN)
    for first in range(0, rows, CHUNK):
        with journal.writing() as connection:
            values = [_row(batch_id, position) for position in range(first, min(first + CHUNK, rows))]
            journal_rows.insert_rows(connection, values)
    with journal.writing() as connection:
        name = journal_batches.seal(connection, batch_id, BEGUN)
    journal.close()
    return name


def _row(batch_id: int, position: int) -> dict[str, Any]:
    key = f"INV-{position:07d}"
    amount = Decimal(position % 90_000 + 1) / 100
    cells = (key, f"Vendor {position % 400}", "DE02120300000000202051", str(amount), "EUR", "2026-11-30", "N")
    payload = orjson.dumps({"invoiceNumber": key, "vendor": cells[1], "amount": float(amount)})
    failed, sent = position % 50 == 0, BEGUN + timedelta(milliseconds=position)
    return {
        "batch_id": batch_id,
        "position": position,
        "number": position + 2,
        "state": (State.FAILED if failed else State.COMPLETED).value,
        "key": orjson.dumps([key]).decode(),
        "key_id": payloads.key_id(WORLD, [key], ()),
        "payload": payload,
        "payload_id": payloads.payload_id(payload),
        "cells": journal_cells.dump((*cells, "CC 100", f"PO {position}", "paid by batch")),
        "amounts": orjson.dumps([str(amount)]).decode(),
        "problems": None,
        "attempts": 1,
        "leader": None,
        "error": "the bank refused the account" if failed else None,
        "run_id": f"run_{position:08d}",
        "output": None if failed else orjson.dumps({"approved": True, "transactionId": f"tx_{position:08d}"}),
        "sent_at": text_time(sent),
        "finished_at": text_time(sent + timedelta(seconds=2)),
    }


def _draft(workbook: Path) -> Draft:
    return Draft(
        job="payouts", stem="payouts", world=WORLD, environment="sandbox", base_url="https://run.rapidfolio.com",
        review_url="https://app.rapid.io", simulated=False, knobs={}, procedure_id="proc_pay", procedure_version="v2",
        mode="async", timeout_ms=None, params={}, identity=b"identity", input_name="in.csv", input_path="/in.csv",
        settings={"rate": "unlimited", "concurrency": 8, "max_errors": "100%", "not_run": [], "repeatable": False,
                  "allow_duplicates": False, "totals": ["Amount"], "output": None, "grouped": False},
        input_sha256="1" * 64, spec_path="/job.yaml", spec_sha256="2" * 64, schema_name="s.json",
        schema_sha256="3" * 64, sheet=SheetInfo("in.csv", None, 1, HEADER, tuple(range(len(HEADER)))), notes=(),
        made_by="me", host="here", made_with="0", workbook=str(workbook),
    )  # fmt: skip


if __name__ == "__main__":
    main()
