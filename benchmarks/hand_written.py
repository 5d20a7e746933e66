"""The script that a careful analyst would write instead: asyncio, httpx and openpyxl; no journal, no validation.

    python hand_written.py SHEET.xlsx OUT.xlsx BASE_URL CONCURRENCY

It sends each row once, polls each run to its end, and writes a workbook. What it does not have: a memory. Killed in
the middle, it leaves nobody able to say which rows were paid.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import datetime

import httpx
from openpyxl import Workbook, load_workbook

ENDED = {"completed", "failed", "cancelled"}


def read_rows(path: str) -> tuple[list[str], list[list]]:
    sheet = load_workbook(path, read_only=True, data_only=True).worksheets[0]
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    return rows[0], rows[1:]


def payload(row: dict) -> dict:
    due = row["Due"]
    return {
        "data": {
            "invoiceNumber": str(row["Invoice No"]),
            "payee": {"name": str(row["Vendor"]), "iban": str(row["IBAN"]).replace(" ", "")},
            "amount": round(float(row["Amount"]), 2),
            "currency": row["Currency"],
            "dueDate": due.date().isoformat() if isinstance(due, datetime) else str(due),
        },
        "control": {"executionMode": "async"},
    }


async def one_row(client: httpx.AsyncClient, limit: asyncio.Semaphore, row: dict) -> dict:
    async with limit:
        try:
            answer = await client.post("/v1/procedures/proc_bench/sandbox", json=payload(row))
            answer.raise_for_status()
            run_id = answer.json()["runId"]
            pause = 0.5
            while True:
                run = await client.get(f"/runs/{run_id}")
                run.raise_for_status()
                found = run.json()
                if found["status"] in ENDED:
                    return {
                        "run_id": run_id,
                        "status": found["status"],
                        "output": found["output"],
                        "error": found["error"],
                    }
                await asyncio.sleep(pause)
                pause = min(pause * 2, 10)
        except (httpx.HTTPError, KeyError, ValueError) as error:
            return {"run_id": None, "status": "error", "output": None, "error": str(error)}


async def send(rows: list[dict], base_url: str, concurrency: int) -> list[dict]:
    headers = {"Authorization": f"Bearer {os.environ['RAPIDFOLIO_API_KEY']}"}
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    limit = asyncio.Semaphore(concurrency)
    async with httpx.AsyncClient(
        base_url=base_url, headers=headers, limits=limits, timeout=60, trust_env=False
    ) as client:
        return await asyncio.gather(*(one_row(client, limit, row) for row in rows))


def write(path: str, header: list[str], rows: list[list], results: list[dict]) -> None:
    book = Workbook()
    sheet = book.active
    outputs = sorted({name for result in results for name in (result["output"] or {})})
    sheet.append([*header, "status", "run_id", *outputs, "error"])
    for row, result in zip(rows, results, strict=True):
        output = result["output"] or {}
        sheet.append(
            [*row, result["status"], result["run_id"], *(output.get(name) for name in outputs), result["error"]]
        )
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    book.save(path)


def main() -> None:
    source, target, base_url, concurrency = sys.argv[1:5]
    header, rows = read_rows(source)
    started = time.monotonic()
    results = asyncio.run(send([dict(zip(header, row, strict=True)) for row in rows], base_url, int(concurrency)))
    print(f"sent and followed in {time.monotonic() - started:.3f} s")
    write(target, header, rows, results)


if __name__ == "__main__":
    main()
