"""The correction loop: what was refused is reported, corrected in a file, and sent again as rows of the same batch."""

from __future__ import annotations

import csv
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from crashing_batchrun import CRASHED, CrashDesk, Crasher, at_a_crash_desk
from finance_desk import HEADERS, JOB, SCHEMA, Outcome, in_the_background, invoices, killed, total, until, with_cell
from independent_server import LIVE_KEY
from ledger_server import LedgerDesk, at_a_ledger, ledger_of, workbook_agrees
from openpyxl import Workbook, load_workbook

ROWS = invoices(12)
Cells = dict[str, str]


@contextmanager
def at_a_real_desk(folder: Path, **switches: Any) -> Iterator[LedgerDesk]:
    """Give a desk at which every command is a process of its own."""
    with at_a_ledger(folder, **switches) as desk:
        desk.real = True
        yield desk


def blocked(data: Any) -> str | None:
    """Say no to every third vendor as it stood in the sheet; a corrected one is taken."""
    number = int(data["invoiceNumber"])
    return "vendor is blocked" if number % 3 == 0 and "Ltd" not in data["vendor"] else None


def refused_rows(desk: LedgerDesk, *run: str, name: str = "refused.csv", **more: Any) -> None:
    """Run twelve rows, of which four (3, 6, 9 and 12) are refused, and report those."""
    desk.sheet(ROWS)
    desk.run(*run, **more).ended(1)
    assert desk.states() == {"completed": 8, "refused": 4}
    desk.json("report", "--only", "refused", "-o", name, batch="payouts-001").ended(0)


@contextmanager
def a_desk_with_refusals(folder: Path, crasher: Crasher, *run: str, **more: Any) -> Iterator[CrashDesk]:
    """Give a desk with four rows that were refused and reported, whose commands are quick."""
    with at_a_crash_desk(folder, crasher, refuse=blocked) as desk:
        refused_rows(desk, *run, **more)
        yield desk


@contextmanager
def a_real_desk_with_refusals(folder: Path, name: str = "refused.csv") -> Iterator[LedgerDesk]:
    """Give the same, with processes."""
    with at_a_real_desk(folder, refuse=blocked) as desk:
        refused_rows(desk, name=name)
        yield desk


def corrected(
    desk: LedgerDesk,
    change: Callable[[Cells], Mapping[str, str] | None] = lambda row: {"Vendor": f"{row['Vendor']} Ltd"},
    *,
    name: str = "refused.csv",
    delimiter: str = ",",
    encoding: str = "utf-8-sig",
) -> Path:
    """Correct a reported CSV file with Python's own csv module; None takes a row out."""
    path = desk.folder / name
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["_error"].endswith("vendor is blocked")
    changed = [(row, change(row)) for row in rows]
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows([{**row, **more} for row, more in changed if more is not None])
    return path


def life(desk: LedgerDesk, number: int, batch: str = "payouts-001") -> Any:
    """Give the document of one row's life."""
    return desk.command("show", batch, "--row", str(number), "--json").ended(0).document


def everything(desk: LedgerDesk) -> list[Any]:
    """Give all that could have been written by a retry."""
    tables = ("rows", "events", "corrections", "file_pieces")
    return [desk.ask_journal(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables] + [
        desk.ask_journal("SELECT notes FROM batches")
    ]


@contextmanager
def nothing_happens(desk: LedgerDesk) -> Iterator[None]:
    """Hold a block to sending nothing and writing nothing."""
    before, sent = everything(desk), len(desk.server.starts)
    yield
    assert len(desk.server.starts) == sent
    assert everything(desk) == before


def message(outcome: Outcome) -> list[str]:
    """Give an error's message, by lines."""
    return str(outcome.document["error"]["message"]).splitlines()


# ------------------------------------------------------------------------------------------------ the loop


def test_what_was_refused_is_corrected_in_a_csv_file_and_stays_one_batch(tmp_path: Path) -> None:
    with a_real_desk_with_refusals(tmp_path) as desk:

        def change(row: Cells) -> Cells:
            if row["Invoice No"] == "00012":
                return {}  # this vendor is unblocked meanwhile
            more = {"Amount": "1000.10"} if row["Invoice No"] == "00003" else {}
            return {"Vendor": f"{row['Vendor']} Ltd", **more}

        path = corrected(desk, change, delimiter=";")
        content = path.read_bytes()
        desk.server.switches.refuse = lambda data: blocked(data) if data["invoiceNumber"] != "00012" else None
        done = desk.json("retry", "--input", "refused.csv").ended(0)

        assert "row 4 Amount: 111.21 -> 1000.10" in done.words
        assert "row 4 Vendor: Vendor 3 GmbH & Söhne -> Vendor 3 GmbH & Söhne Ltd" in done.words
        assert "1 row is unchanged and is sent again as it was" in done.words
        assert "3 rows corrected, 4 cells changed" in done.words
        assert "4 rows, Amount 2,000.99 are sent again" in done.words, done.words
        assert done.document["counts"] == {"completed": 12}
        assert (done.document["batch"], done.document["rows"], done.document["runs"]) == ("payouts-001", 12, 12)
        expected = total(ROWS) - Decimal("111.21") + Decimal("1000.10")
        assert Decimal(done.document["totals"]["Amount"]["completed"]) == expected

        assert ledger_of(desk).holds().accepted == 12
        assert {key: n for key, n in desk.server.attempts.items() if n > 1} == dict.fromkeys(
            ("00003", "00006", "00009", "00012"), 2
        )
        sent = {start.json["data"]["invoiceNumber"]: start.digits["data"] for start in desk.server.starts}
        assert sent["00003"]["amount"] == "1000.10"
        assert sent["00006"]["vendor"] == "Vendor 6 GmbH & Söhne Ltd"
        assert sent["00012"]["vendor"] == "Vendor 12 GmbH & Söhne"

        results = workbook_agrees(desk, done)
        assert results.rows[2]["Vendor"] == "Vendor 3 GmbH & Söhne Ltd"
        digest = hashlib.sha256(content).hexdigest()
        summary = summary_of(results.path)
        assert (
            "3 rows were corrected on 2" in summary
            and f"from refused.csv by {made_by(desk)} (SHA-256 {digest})" in (summary)
        )
        pieces = desk.ask_journal("SELECT content FROM file_pieces WHERE sha256 = ? ORDER BY piece", digest)
        assert b"".join(zlib.decompress(piece) for (piece,) in pieces) == content

        third = life(desk, 4)
        (one,) = third["corrections"]
        assert one["changes"] == [
            {"column": "Vendor", "before": "Vendor 3 GmbH & Söhne", "after": "Vendor 3 GmbH & Söhne Ltd"},
            {"column": "Amount", "before": "111.21", "after": "1000.10"},
        ]
        assert (one["file"], one["file_sha256"], one["by"]) == ("refused.csv", digest, made_by(desk))
        assert one["payload_before"]["amount"] == 111.21
        assert one["payload_after"] == third["payload"]
        assert [step["detail"] for step in third["steps"] if step["event"] == "retry"] == [
            f"corrected from refused.csv and tried again by {made_by(desk)}"
        ]
        assert life(desk, 13)["corrections"] == []
        told = desk.command("show", "payouts-001", "--row", "4").ended(0).stdout
        assert "Amount: 111.21 -> 1000.10" in told
        assert '"amount":111.21' in told


def summary_of(path: Path) -> str:
    """Give all words of a workbook's Summary."""
    book = load_workbook(path)
    words = " ".join(str(cell) for row in book["Summary"].iter_rows(values_only=True) for cell in row if cell)
    book.close()
    return words


def made_by(desk: LedgerDesk) -> str:
    """Give who ran the batch."""
    ((name,),) = desk.ask_journal("SELECT made_by FROM batches")
    return str(name)


def test_what_was_refused_is_corrected_in_a_workbook(tmp_path: Path) -> None:
    with a_real_desk_with_refusals(tmp_path, name="refused.xlsx") as desk:
        book = load_workbook(desk.folder / "refused.xlsx")
        sheet = book.worksheets[0]
        places = {cell.value: cell.column for cell in sheet[1]}
        for row in range(2, sheet.max_row + 1):
            vendor = sheet.cell(row, places["Vendor"])
            vendor.value = f"{vendor.value} Ltd"
        sheet.cell(2, places["Amount"]).value = 1000.1
        sheet.cell(3, places["Due"]).value = datetime(2026, 12, 24)
        book.create_sheet("Notes")["A1"] = "whom I asked"
        book.save(desk.folder / "refused.xlsx")
        book.close()
        done = desk.json("retry", "--input", "refused.xlsx").ended(0)
        assert done.document["counts"] == {"completed": 12}
        assert "row 4 Amount: 111.21 -> 1000.1" in done.words
        sent = {start.json["data"]["invoiceNumber"]: start.digits["data"] for start in desk.server.starts}
        assert (sent["00003"]["amount"], sent["00006"]["dueDate"]) == ("1000.1", "2026-12-24")
        assert ledger_of(desk).holds().accepted == 12
        workbook_agrees(desk, done)


def test_a_second_correction_follows_the_first_in_one_history(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk_with_refusals(tmp_path, crasher) as desk:
        corrected(desk, lambda row: {"Amount": "5.00"})
        still = desk.json("retry", "--input", "refused.csv").ended(1)
        assert still.document["counts"] == {"completed": 8, "refused": 4}
        assert still.document["totals"]["Amount"]["refused"] == "20.00"
        desk.json("report", "--only", "refused", "-o", "again.csv", batch="payouts-001").ended(0)
        corrected(desk, name="again.csv")
        desk.json("retry", "--input", "again.csv").ended(0)
        first, second = life(desk, 4)["corrections"]
        assert (first["file"], second["file"]) == ("refused.csv", "again.csv")
        assert first["payload_after"] == second["payload_before"]
        assert [change["column"] for change in (*first["changes"], *second["changes"])] == ["Amount", "Vendor"]
        assert len(json.loads(desk.ask_journal("SELECT notes FROM batches")[0][0])) == 2


def test_a_file_without_any_correction_sends_the_rows_as_they_were(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk_with_refusals(tmp_path, crasher) as desk:
        desk.server.switches.refuse = lambda data: None
        done = desk.json("retry", "--input", "refused.csv").ended(0)
        assert "4 rows are unchanged and are sent again as they were" in done.words
        assert desk.ask_journal("SELECT count(*) FROM corrections") == [(0,)]
        bodies = {start.json["data"]["invoiceNumber"]: start.body for start in desk.server.starts[-4:]}
        assert all(
            start.body == bodies.get(start.json["data"]["invoiceNumber"], start.body) for start in desk.server.starts
        )


def test_more_than_twenty_changes_are_counted(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, refuse=lambda data: None if "Ltd" in data["vendor"] else "no") as desk:
        desk.sheet(invoices(9))
        desk.run().ended(1)
        desk.json("report", "--only", "refused", "-o", "refused.csv").ended(0)
        with (desk.folder / "refused.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        desk.sheet(
            [{**{name: row[name] for name in HEADERS}, "Vendor": "A Ltd", "Amount": "1", "Urgent": ""} for row in rows]
        )
        done = desk.json("retry", "--input", "payouts.csv").ended(0)
        assert done.stderr.count(" -> ") == 21  # with the sum
        assert "and 7 more changed cells" in done.words
        assert "-> 9" in done.words


# ------------------------------------------------------------------------------------------------ what is refused


def faulty_file(desk: LedgerDesk) -> Path:
    """Write one file with a fault of each kind, and one good row."""
    path = corrected(desk)
    with path.open(encoding="utf-8-sig", newline="") as file:
        third, sixth, ninth, _ = csv.DictReader(file)
    first = {**third, **ROWS[0]}
    rows = [
        third,  # 2: good
        {**sixth, "Invoice No": "00006x"},  # 3: another key
        {**ninth, "Amount": "ten"},  # 4: invalid still
        first,  # 5: completed
        {**sixth, "Vendor": "A Ltd"},  # 6 and 7: twice
        {**sixth, "Vendor": "B Ltd"},
        {**sixth, "Invoice No": ""},  # 8: no key
        {**sixth, "Invoice No": "12"},  # 9: Excel took the zeros
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(third))
        writer.writeheader()
        writer.writerows(rows)
        file.write("00012,too,few\r\n")  # 10
    return path


def test_every_problem_is_told_at_once_with_its_cell_and_nothing_is_sent(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk_with_refusals(tmp_path, crasher) as desk:
        faulty_file(desk)
        with nothing_happens(desk):
            refused = desk.json("retry", "--input", "refused.csv").ended(2)
        lines = message(refused)
        assert lines[0] == "8 rows of the 9 in refused.csv cannot be sent again, so nothing was sent:"
        told = {line.split(" ", 1)[0].rstrip(":"): line for line in lines[1:-1]}
        assert set(told) == {f"refused.csv!{cell}" for cell in ("A3", "C4", "A5", "A6", "A7", "A8", "A9", "10")}
        assert "payouts-001 has no row with this key" in told["refused.csv!A3"]
        assert '"ten": not a number' in told["refused.csv!C4"]
        assert "row 2 of payouts-001 is completed, and is not sent again" in told["refused.csv!A5"]
        assert "refused.csv!A7" in told["refused.csv!A6"] and "refused.csv!A6" in told["refused.csv!A7"]
        assert 'did you mean "00012"?' in told["refused.csv!A9"]
        assert "--skip-invalid" in lines[-1]


def test_skip_invalid_sends_the_rows_that_are_good(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk_with_refusals(tmp_path, crasher) as desk:
        faulty_file(desk)
        done = desk.json("retry", "--input", "refused.csv", "--skip-invalid").ended(1)
        assert desk.states() == {"completed": 9, "refused": 3}
        assert "8 rows of refused.csv left out (--skip-invalid)" in done.words
        assert "refused.csv!C4" in done.words
        assert desk.row("00003").attempts == 2
        assert desk.ask_journal("SELECT count(*) FROM corrections") == [(1,)]


def test_skip_invalid_goes_with_a_file(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk_with_refusals(tmp_path, crasher) as desk, nothing_happens(desk):
        assert "--input" in desk.json("retry", "--skip-invalid").ended(2).words
        corrected(desk, lambda row: {"Amount": "x"})
        nothing = desk.json("retry", "--input", "refused.csv", "--skip-invalid").ended(2)
        assert "names no row of payouts-001 that can be sent again" in nothing.words


def test_rows_that_are_not_named_are_left_out(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk_with_refusals(tmp_path, crasher) as desk:
        corrected(
            desk, lambda row: {"Vendor": f"{row['Vendor']} Ltd", **({"Due": "soon"} if row["_row"] == "13" else {})}
        )
        done = desk.json("retry", "--input", "refused.csv", "--rows", "4-7").ended(1)
        assert "2 rows of refused.csv left out by --rows" in done.words
        assert desk.states() == {"completed": 10, "refused": 2}
        assert desk.row("00009").attempts == 1
        with nothing_happens(desk):
            desk.json("retry", "--input", "refused.csv", "--rows", "5").ended(2)


def test_rows_in_doubt_and_rows_that_a_reviewer_rejected_are_kept_back(tmp_path: Path, crasher: Crasher) -> None:
    def wait(data: Any) -> bool:
        return bool(data["invoiceNumber"] == "00002")

    with at_a_crash_desk(tmp_path, crasher, refuse=blocked, review=wait) as desk:
        desk.job(in_the_background)
        desk.server.switches.drop_after_accepting = lambda data: data["invoiceNumber"] == "00001"
        desk.server.switches.fail = lambda data: (
            "rejected" if wait(data) else "no funds" * (data["invoiceNumber"] == "00004")
        )
        desk.sheet(ROWS[:4])
        desk.run("--no-wait")
        desk.json("refresh")
        assert desk.row("00002").state == "awaiting_review"
        desk.server.approve()
        desk.json("refresh").ended(1)
        assert desk.states() == {"in_doubt": 1, "failed": 2, "refused": 1}
        desk.sheet([{**row, "Vendor": f"{row['Vendor']} Ltd"} for row in ROWS[:4]], "all.csv")
        with nothing_happens(desk):
            lines = message(desk.json("retry", "--input", "all.csv").ended(2))
        told = {line.split(" ", 1)[0]: line for line in lines[1:-1]}
        assert "settle it first with: batchrun resolve payouts-001" in told["all.csv!A2"]
        assert "never sent again" in told["all.csv!A3"]
        assert "--status failed" in told["all.csv!A5"]
        assert set(told) == {"all.csv!A2", "all.csv!A3", "all.csv!A5"}
        desk.server.switches.fail = lambda data: None
        words = desk.json("retry", "--input", "all.csv", "--status", "refused,failed", "--skip-invalid").ended(1).words
        assert "may have taken effect" in words
        assert desk.states() == {"in_doubt": 1, "failed": 1, "completed": 2}
        assert len(desk.server.accepted("00002")) == 1


UNREADABLE = {
    "empty.csv": (b"", "is empty"),
    "short.csv": (b"Invoice No,Vendor,Amount\n", "no column"),
    "other.csv": (b"Invoice,Vendor,Amount,Due,Urgent\n00003,A,1,,\n", 'did you mean "Invoice"'),
    "header.csv": (b"Invoice No,Vendor,Amount,Due,Urgent\n", "no rows below the header"),
    "ansi.csv": ("Invoice No,Vendor,Amount,Due,Urgent\n00003,Söhne,1,,\n".encode("cp1252"), "CSV UTF-8"),
    "absent.csv": (None, "there is no file"),
    "-": (None, "--input: name a file"),
}


def test_a_file_that_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, refuse=blocked) as desk:
        desk.sheet(ROWS[:3])
        desk.run().ended(1)
        for name, (content, said) in UNREADABLE.items():
            if content is not None:
                (desk.folder / name).write_bytes(content)
            with nothing_happens(desk):
                assert said in desk.json("retry", "--input", name).ended(2).words
        assert "the batch keeps its own copy of the job" in desk.json("retry", "--input", "ansi.csv").words.lower()


def test_the_original_sheet_can_be_corrected_too(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, refuse=blocked) as desk:
        desk.job(
            lambda text: text.replace("{file: payouts.csv}", "{file: payouts.csv, header_row: 3, encoding: cp1252}")
        )

        def write(rows: Any, name: str) -> None:
            desk.sheet(rows, name)
            text = "Payouts of October;;;;\n\n" + (desk.folder / name).read_text(encoding="utf-8")
            (desk.folder / name).write_bytes(text.encode("cp1252"))

        write(ROWS[:6], "payouts.csv")
        desk.run().ended(1)
        write(with_cell(with_cell(ROWS[:6], 2, Vendor="Söhne Ltd"), 5, Vendor="Töchter Ltd"), "corrected.csv")
        assert desk.json("retry", "--input", "corrected.csv").ended(2).words.count("completed") >= 4
        desk.json("retry", "--input", "corrected.csv", "--skip-invalid").ended(0)
        assert {"Söhne Ltd", "Töchter Ltd"} <= set(desk.server.sent("vendor"))


# ------------------------------------------------------------------------------------------------ what counts


def test_the_job_and_the_schema_are_those_of_the_batch(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk_with_refusals(tmp_path, crasher) as desk:
        corrected(desk)
        (desk.folder / "payouts.yaml").write_text("job: [broken", encoding="utf-8")
        (desk.folder / "payout.schema.json").write_text('{"not": {}}', encoding="utf-8")
        desk.json("retry", "--input", "refused.csv").ended(0)
        assert all(start.json["data"]["currency"] == "EUR" for start in desk.server.starts)


def test_params_are_those_of_the_batch(tmp_path: Path, crasher: Crasher) -> None:
    job = JOB.replace("procedure:", "params: {money: {default: USD}}\nprocedure:").replace(
        "{value: EUR}", "{param: money}"
    )
    with at_a_crash_desk(tmp_path, crasher, refuse=blocked) as desk:
        desk.job(lambda _: job)
        desk.sheet(ROWS[:3])
        desk.run("--param", "money=EUR").ended(1)
        desk.json("report", "--only", "refused", "-o", "refused.csv").ended(0)
        corrected(desk)
        desk.json("retry", "--input", "refused.csv").ended(0)
        assert [start.json["data"]["currency"] for start in desk.server.starts] == ["EUR"] * 4


def test_cells_of_a_workbook_that_nobody_touched_survive_a_csv_file(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, refuse=blocked) as desk:
        desk.job(
            lambda text: (
                text.replace("payouts.csv", "payouts.xlsx")
                .replace("dueDate: Due", "dueDate: {column: Due, date_format: '%d/%m/%Y'}")
                .replace("amount: Amount", "amount: {column: Amount, decimal: ',', thousands: '.'}")
                .replace("urgent: {column: Urgent, map: {Y: true, N: false}}", "urgent: Urgent")
            )
        )
        book = Workbook()
        sheet = book.worksheets[0]
        sheet.append(HEADERS)
        for number in (3, 6, 9):
            sheet.append([f"{number:05d}", f"Vendor {number}", number + 0.5, datetime(2026, 10, number), number == 3])
        book.save(desk.folder / "payouts.xlsx")
        desk.run().ended(1)
        desk.json("report", "--only", "refused", "-o", "refused.csv").ended(0)
        corrected(desk, lambda row: {"Amount": "1.234"} if row["Invoice No"] == "00003" else {"Vendor": "A Ltd"})
        unclear = desk.json("retry", "--input", "refused.csv").ended(2)
        assert 'refused.csv!C2 Amount "1.234": the point may group thousands' in message(unclear)[1]
        corrected(desk, lambda row: {"Amount": "1.234,50", "Vendor": "B Ltd"} if row["Invoice No"] == "00003" else {})
        done = desk.json("retry", "--input", "refused.csv").ended(0)
        sent = {start.json["data"]["invoiceNumber"]: start.digits["data"] for start in desk.server.starts}
        assert [sent[key]["amount"] for key in ("00003", "00006", "00009")] == ["1234.50", "6.5", "9.5"]
        assert [sent[key]["dueDate"] for key in ("00003", "00006")] == ["2026-10-03", "2026-10-06"]
        assert [sent[key]["urgent"] for key in ("00003", "00006")] == [True, False]
        assert "Due" not in done.words


def test_columns_that_the_job_does_not_need_may_be_gone_or_new(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, refuse=blocked) as desk:
        desk.job(lambda text: text.replace("  urgent: {column: Urgent, map: {Y: true, N: false}}\n", ""))
        desk.sheet(ROWS[:3])
        desk.run().ended(1)
        (desk.folder / "short.csv").write_text(
            "Comment,Due,Amount,Vendor,Invoice No\nasked Ben,2026-04-04,111.21,A Ltd,00003\n", encoding="utf-8"
        )
        done = desk.json("retry", "--input", "short.csv").ended(0)
        assert "not used: Comment" in done.words
        cells = life(desk, 4)["cells"]
        assert (cells["Urgent"], cells["Vendor"]) == ("N", "A Ltd") or (cells["Urgent"], cells["Vendor"]) == (
            "Y",
            "A Ltd",
        )
        assert cells["Urgent"] == ROWS[2]["Urgent"]


def test_a_change_of_what_is_not_sent_is_told(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, refuse=blocked) as desk:
        desk.job(lambda text: text.replace("  urgent: {column: Urgent, map: {Y: true, N: false}}\n", ""))
        desk.sheet(ROWS[:3])
        desk.run().ended(1)
        desk.json("report", "--only", "refused", "-o", "refused.csv").ended(0)
        corrected(desk, lambda row: {"Urgent": "very"})
        done = desk.json("retry", "--input", "refused.csv").ended(1)
        assert "1 row changed only in what the job does not send" in done.words
        assert life(desk, 4)["cells"]["Urgent"] == "very"


def test_a_row_that_where_leaves_out_now_is_told(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, refuse=blocked) as desk:
        desk.job(
            lambda text: text.replace("{file: payouts.csv}", '{file: payouts.csv, where: \'row["Urgent"] != "no"\'}')
        )
        desk.sheet(ROWS[:3])
        desk.run().ended(1)
        desk.json("report", "--only", "refused", "-o", "refused.csv").ended(0)
        corrected(desk, lambda row: {"Urgent": "no"})
        with nothing_happens(desk):
            assert "`where` leaves this row out" in desk.json("retry", "--input", "refused.csv").ended(2).words


def test_a_schema_still_counts(tmp_path: Path, crasher: Crasher) -> None:
    assert SCHEMA["properties"]["amount"]["exclusiveMinimum"] == 0  # type: ignore[index]
    with a_desk_with_refusals(tmp_path, crasher) as desk:
        corrected(desk, lambda row: {"Amount": "0"} if row["Invoice No"] == "00009" else {})
        with nothing_happens(desk):
            (problem,) = message(desk.json("retry", "--input", "refused.csv").ended(2))[1:-1]
        assert problem.startswith('refused.csv!C4 Amount "0": ')


def test_a_key_that_another_batch_has_taken_is_not_sent(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk_with_refusals(tmp_path, crasher) as desk:
        desk.sheet(with_cell(ROWS[:3], 2, Vendor="C Ltd")[2:], "other.csv")
        desk.run("--input", "other.csv").ended(0)
        corrected(desk)
        done = desk.json("retry", "--input", "refused.csv", batch="payouts-001").ended(1)
        assert done.document["counts"] == {"duplicate": 1, "completed": 11}
        assert desk.server.sent("invoiceNumber").count("00003") == 1


def test_on_live_a_correction_is_asked_about_with_count_and_sum(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk_with_refusals(tmp_path, crasher, "-e", "live", "--yes", key=LIVE_KEY) as desk:
        corrected(desk, lambda row: {"Vendor": f"{row['Vendor']} Ltd", "Amount": "1.50"})
        with nothing_happens(desk):
            words = desk.json("retry", "--input", "refused.csv", batch="payouts-001", key=LIVE_KEY).ended(2).words
            assert "--yes" in words
            assert "row 4 Amount: 111.21 -> 1.50" in words
            named = desk.json(
                "retry", "--input", "refused.csv", "--status", "failed", batch="payouts-001", key=LIVE_KEY
            ).ended(2)
            assert "--rows" in named.words
        done = desk.json("retry", "--input", "refused.csv", "--yes", batch="payouts-001", key=LIVE_KEY).ended(0)
        assert "4 rows, Amount 6.00 are sent again" in done.words


LIMITS = [
    ("each: {Amount: 5000}", "row 4 has Amount 5,000.01, and the job allows 5,000 for one row on live (limits)"),
    ("total: {Amount: 9000}", "the total of Amount is"),
]


@pytest.mark.parametrize(("limits", "told"), LIMITS)
def test_a_correction_lifts_none_of_the_jobs_limits(tmp_path: Path, crasher: Crasher, limits: str, told: str) -> None:
    with at_a_crash_desk(tmp_path, crasher, refuse=blocked) as desk:
        desk.job(lambda text: f"{text}limits: {{{limits}}}\n")
        refused_rows(desk, "-e", "live", "--yes", key=LIVE_KEY)
        corrected(desk, lambda row: {"Vendor": f"{row['Vendor']} Ltd", "Amount": "5000.01"})
        again = ("retry", "--input", "refused.csv", "--yes")
        with nothing_happens(desk):
            error = desk.json(*again, batch="payouts-001", key=LIVE_KEY).ended(2).document["error"]
            assert error["code"] == "limit"
            assert told in error["message"]
        corrected(desk, lambda row: {"Amount": "1.50"})
        assert desk.json(*again, batch="payouts-001", key=LIVE_KEY).ended(0).document["counts"] == {"completed": 12}


# ------------------------------------------------------------------------------------------------ crashes


def whole(desk: LedgerDesk) -> None:
    """Hold the journal to the old rows or to the corrected ones, with all that belongs to them."""
    ((changed,),) = desk.ask_journal("SELECT count(*) FROM rows WHERE CAST(payload AS TEXT) LIKE '%Ltd%'")
    ((kept,),) = desk.ask_journal("SELECT count(*) FROM corrections")
    ((again,),) = desk.ask_journal("SELECT count(*) FROM events WHERE event = 'retry'")
    ((noted,),) = desk.ask_journal("SELECT count(*) FROM batches WHERE notes LIKE '%corrected%'")
    ((cells,),) = desk.ask_journal("SELECT count(*) FROM rows WHERE CAST(cells AS TEXT) LIKE '%Ltd%'")
    assert (changed, kept, cells, again, noted) in {(0, 0, 0, 0, 0), (4, 4, 4, 4, 1)}


@pytest.mark.parametrize("stride", [pytest.param(3, marks=pytest.mark.slow)])
def test_at_every_point_of_a_correction_a_crash_leaves_old_or_corrected_rows(
    tmp_path: Path, crasher: Crasher, stride: int
) -> None:
    ended = False
    for number in count(1, stride):
        assert number < 300
        folder = tmp_path / str(number)
        folder.mkdir()
        with a_desk_with_refusals(folder, crasher) as desk:
            corrected(desk)
            words = ("retry", "last", "--input", "refused.csv", "--json")
            ended = desk.crash(number, *words).code != CRASHED
            whole(desk)
            ledger_of(desk).holds()
            again = desk.crash(None, *words)
            assert again.code in (0, 1, 2), again.stderr
            desk.json("resume")
            while desk.settle_by_ledger():
                desk.json("resume")
            whole(desk)
            assert desk.states() == {"completed": 12}
            assert ledger_of(desk).holds().accepted == 12
            assert sum("Ltd" in vendor for vendor in desk.server.sent("vendor")) == 4
        if ended:
            break
    assert ended


def test_a_correction_that_is_killed_while_it_sends_is_resumed(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk_with_refusals(tmp_path, crasher) as desk:
        corrected(desk)
        desk.server.switches.never_answer = lambda data: data["invoiceNumber"] == "00009"
        with desk.started("retry", "last", "--input", "refused.csv", "--json") as process:
            until(lambda: len(desk.server.runs), lambda seen: seen == 12)
            until(desk.states, lambda now: now.get("sending") == 1 and now.get("completed") == 11)
            beside = desk.json("retry", "--input", "refused.csv").ended(2)
            assert "completed" in beside.words
            killed(process)
        whole(desk)
        desk.json("resume").ended(1)
        assert desk.states() == {"completed": 11, "in_doubt": 1}
        desk.settle_by_ledger()
        assert desk.states() == {"completed": 12}
        assert ledger_of(desk).holds().accepted == 12


def test_after_a_crash_before_sending_the_file_once_more_says_how_to_go_on(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk_with_refusals(tmp_path, crasher) as desk:
        corrected(desk)
        for number in count(1):
            crash = desk.crash(number, "retry", "last", "--input", "refused.csv", "--json")
            assert crash.code == CRASHED
            if desk.states().get("ready") == 4:
                break
        again = desk.json("retry", "--input", "refused.csv").ended(2)
        assert again.document["next"] == "batchrun resume payouts-001"
        desk.json("resume").ended(0)
        assert sum("Ltd" in vendor for vendor in desk.server.sent("vendor")) == 4
