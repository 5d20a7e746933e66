"""Control totals as a gate: by currency, told by a trailer, and proved on the Summary; a cent off stops everything."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from crashing_batchrun import Crasher, QuickCommands
from finance_desk import SCHEMA, Outcome, leaks
from independent_server import LIVE_KEY, independent_server
from openpyxl import Workbook, load_workbook

HEADER = ("Invoice No", "Vendor", "Amount", "Currency")
ROWS = [
    ("00001", "Ada", "10.00", "EUR"),
    ("00002", "Bo", "5.5", "USD"),
    ("00003", "Cy", "0.01", " EUR "),
    ("00004", "Di", "7.125", "USD"),
]
TRAILER = ("TOTAL", "4", "22.635", "")
CENT = Decimal("0.01")
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
  currency: {expr: 'row["Currency"] | trim'}
rate: 200/s
results: {file: results.xlsx, totals: [{sum: Amount, by: Currency}]}
"""
WHEN = "when: {column: Invoice No, equals: TOTAL}"
MILLS = {**SCHEMA["properties"], "amount": {"type": "number"}}  # type: ignore[dict-item]

Rows = Sequence[Sequence[Any]]


@pytest.fixture
def desk(tmp_path: Path, crasher: Crasher) -> Iterator[QuickCommands]:
    with independent_server() as server:
        desk = QuickCommands(tmp_path, server)
        desk.crasher = crasher
        schema = {**SCHEMA, "properties": MILLS}
        (tmp_path / "payout.schema.json").write_text(json.dumps(schema), encoding="utf-8")
        written(desk, ROWS)
        said(desk)
        yield desk
    assert leaks(tmp_path) == []


def written(desk: QuickCommands, rows: Rows, name: str = "payouts.csv") -> Path:
    path = desk.folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def said(desk: QuickCommands, more: str = "", change: Callable[[str], str] = str) -> None:
    (desk.folder / "payouts.yaml").write_text(change(JOB) + more, encoding="utf-8")


def with_trailer(desk: QuickCommands, told: str = "rows: Vendor, totals: {Amount: Amount}", **source: str) -> None:
    more = "".join(f", {name}: {value}" for name, value in source.items())
    trailer = f"source: {{file: payouts.csv, trailer: {{{WHEN}, {told}}}{more}}}"
    said(
        desk,
        change=lambda text: text.replace("source: {file: payouts.csv}", trailer).replace(
            "{sum: Amount, by: Currency}", "Amount, {sum: Amount, by: Currency}"
        ),
    )


def stopped(desk: QuickCommands, *words: str, code: str = "expectation-failed", **more: Any) -> str:
    """Hold a run to sending nothing and recording nothing; answer what it said."""
    outcome = desk.run(*words, **more).ended(2)
    assert outcome.document["error"]["code"] == code
    assert desk.server.requests == []
    assert not list(desk.folder.glob("*.xlsx"))
    assert not desk.journal.exists() or ask(desk, "SELECT id FROM batches") == []
    return str(outcome.document["error"]["message"])


# ---------------------------------------------------------------------------------------------- by currency


def test_each_currency_is_a_total_wherever_totals_are_shown(desk: QuickCommands) -> None:
    written(desk, [*ROWS, ("00005", "Ed", "3", "")])
    said(desk, change=lambda text: text.replace("schema:", "schema:").replace("trim'", 'trim | default("EUR", true)\''))
    checked = desk.command("check", "payouts.yaml", "--json").ended(0).document
    assert checked["totals"] == {
        "Amount EUR": {"ready": "10.01"},
        "Amount USD": {"ready": "12.625"},
        "Amount (no Currency)": {"ready": "3"},
    }
    outcome = desk.run().ended(0)
    assert outcome.document["totals"] == {
        "Amount EUR": {"completed": "10.01"},
        "Amount USD": {"completed": "12.625"},
        "Amount (no Currency)": {"completed": "3"},
    }
    assert "Amount EUR 10.01, Amount USD 12.625, Amount (no Currency) 3" in outcome.words
    assert desk.command("status", "last", "--json").ended(0).document["totals"] == outcome.document["totals"]
    book = load_workbook(desk.folder / "results.xlsx")
    proof = proof_lines(desk)
    assert proof["Proof"] == ["Rows", "Amount EUR", "Amount USD", "Amount (no Currency)"]
    assert proof["Sum"] == proof["Input"] == [5, 10.01, 12.625, 3]
    assert proof["Check"] == ["adds up"] * 4
    column = list(book["Results"]["C"])[1:]
    assert [cell.value for cell in column] == [10, 5.5, 0.01, 7.125, 3]
    assert {cell.number_format for cell in column} == {"#,##0.000"}


def proof_lines(desk: QuickCommands) -> dict[str, list[Any]]:
    """Give the Summary's proof by its labels."""
    book = load_workbook(desk.folder / "results.xlsx")
    rows = [row[:8] for row in book["Summary"].iter_rows(values_only=True)]
    book.close()
    first = next(index for index, row in enumerate(rows) if row[0] == "Proof")
    return {str(row[0]): [cell for cell in row[1:] if cell is not None] for row in rows[first:] if row[0]}


@pytest.mark.parametrize("way", ["flag", "spec"])
def test_a_currency_that_is_off_by_a_cent_sends_nothing(desk: QuickCommands, way: str) -> None:
    def told(amount: str) -> tuple[str, ...]:
        if way == "flag":
            return ("--expect-total", f"Amount EUR={amount}", "--expect-total", "Amount USD=12.625")
        said(desk, f"expect: {{totals: {{Amount EUR: {amount}, Amount USD: 12.625}}}}\n")
        return ()

    message = stopped(desk, *told("10.02"))
    assert "the total of Amount EUR was expected to be 10.02, and the sheet's is 10.01" in message
    assert "a difference of -0.01" in message
    desk.run(*told("10.01")).ended(0)


def test_a_currency_of_which_there_is_no_row_is_a_difference(desk: QuickCommands) -> None:
    message = stopped(desk, "--expect-total", "Amount CHF=10.00")
    checked = desk.command("check", "payouts.yaml", "--json", "--expect-total", "Amount CHF=10.00").ended(2)
    assert checked.document["error"]["message"] == message
    assert "Amount CHF was expected to be 10.00, and the sheet's is 0.00 (there is no row of that Currency)" in message
    desk.run("--expect-total", "Amount CHF=0").ended(0)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Amount", '--expect-total: "Amount" is added up by Currency; write which, for example "Amount EUR"'),
        ("Vendor", '--expect-total: "Vendor" is no control total'),
    ],
)
def test_what_is_no_total_is_a_bad_command_line(desk: QuickCommands, name: str, told: str) -> None:
    assert told in stopped(desk, "--expect-total", f"{name}=1", code="bad-command-line")
    stopped(desk, "--expect-total", "Amount EUR=nan", code="bad-command-line")


def test_a_number_that_could_not_even_be_written_down_is_no_amount(desk: QuickCommands) -> None:
    told = stopped(desk, "--expect-total", "Amount EUR=1e-999999999", code="bad-command-line")
    assert told == "--expect-total: \"1e-999999999\" is no amount; write for example 'Amount EUR=48210.55'"


def test_blanks_around_a_totals_name_do_not_make_it_another(desk: QuickCommands) -> None:
    """An expected 0 of a total that nobody has would hold, whatever the one that was meant came to."""
    assert "was expected to be 0" in stopped(desk, "--expect-total", "Amount EUR =0")


def test_a_missing_by_column_is_a_fault_of_the_job(desk: QuickCommands) -> None:
    said(desk, change=lambda text: text.replace("by: Currency", "by: Curency"))
    message = stopped(desk, code="bad-spec")
    assert 'payouts.yaml:12: unknown column "Curency"; did you mean "Currency"?' in message


def test_rows_whose_currency_nobody_can_tell_keep_a_total_from_being_compared(desk: QuickCommands) -> None:
    written(desk, [*ROWS, ("00005", "Ed")])
    message = stopped(desk, "--skip-invalid", "--expect-total", "Amount EUR=10.01")
    assert "in some rows Currency cannot be read, and they may be of Amount EUR" in message
    done = desk.run("--skip-invalid").ended(1)
    assert done.document["totals"]["Amount (unreadable Currency)"] == {"invalid": "0"}
    assert proof_lines(desk)["amounts that could not be read"] == [0, 0, 1]


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ("total: {Amount EUR: 10.00}", "the total of Amount EUR is 10.01, and the job allows 10.00 on live"),
        ("each: {Amount USD: 7.12}", "payouts.csv!5 has Amount USD 7.125, and the job allows 7.12 for one row"),
        ("each: {Amount: 9.99}", "payouts.csv!2 has Amount 10.000, and the job allows 9.99 for one row"),
    ],
)
def test_a_jobs_limits_hold_for_a_currency_and_for_all_of_them(desk: QuickCommands, limits: str, told: str) -> None:
    said(desk, f"limits: {{{limits}}}\n")
    assert told in stopped(desk, "-e", "live", "--yes", code="limit", key=LIVE_KEY)


def test_limits_cannot_be_held_where_a_currency_cannot_be_read(desk: QuickCommands) -> None:
    written(desk, [*ROWS, ("00005", "Ed")])
    live = ("-e", "live", "--yes", "--skip-invalid")
    said(desk, "limits: {total: {Amount EUR: 99}}\n")
    assert "in some rows Currency cannot be read" in stopped(desk, *live, code="limit", key=LIVE_KEY)
    said(desk, "limits: {each: {Amount: 99}}\n")
    assert "cannot be read, so the job's limits cannot be held" in stopped(desk, *live, code="limit", key=LIVE_KEY)


def test_a_column_of_too_many_values_splits_no_total(desk: QuickCommands) -> None:
    written(desk, [(f"{number:05}", f"V{number}", "1", "EUR") for number in range(101)])
    said(desk, change=lambda text: text.replace("by: Currency", "by: Vendor"))
    message = stopped(desk, code="bad-input")
    assert "Amount is added up by Vendor, in which there are 101 different values, and 100 are the most" in message


def test_the_amount_of_a_row_in_doubt_is_told_with_its_currency(desk: QuickCommands) -> None:
    desk.server.switches.drop_after_accepting = lambda data: data["invoiceNumber"] == "00002"
    desk.run().ended(1)
    book = load_workbook(desk.folder / "results.xlsx")
    assert "5.5 USD" in [cell.value for row in book["Doubts"] for cell in row]
    book.close()
    assert proof_lines(desk)["in doubt"] == [1, 0, 5.5]
    settled = desk.command("resolve", "last", "--all-not-run", "--yes", "--json").ended(0)
    assert "1 row, Amount USD 5.5 was NOT run, and may be sent again (row 3)" in settled.words


def test_many_currencies_fit_a_screen(desk: QuickCommands) -> None:
    written(desk, [(f"{number:05}", "V", f"{number}00.25", f"CU{number}") for number in range(1, 9)])
    schema = {**SCHEMA, "properties": {**MILLS, "currency": {"type": "string"}}}
    (desk.folder / "payout.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    lines = desk.command("check", "payouts.yaml").ended(0).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "Amount CU8  800.25  800.25" in lines


def test_a_plan_shows_each_amount_with_what_splits_its_total_and_is_run_as_it_is(desk: QuickCommands) -> None:
    written(desk, ROWS)
    said(desk, change=lambda text: text.replace("{sum: Amount, by: Currency}", "Amount, {sum: Amount, by: Currency}"))
    there = ("--base-url", desk.server.origin)
    planned = desk.command("plan", "payouts.yaml", "-o", "october.plan.json", "--json", *there).ended(0).document
    assert planned["totals"]["Amount USD"] == {"ready": "12.625"}
    book = load_workbook(planned["workbook"])
    header, first, *_ = list(book["Rows"].values)
    book.close()
    assert header[1:6] == ("Invoice No", "Vendor", "Amount", "Currency", "state")
    assert first[1:5] == ("00001", ROWS[0][1], 10, "EUR")
    desk.command("approve", "october.plan.json", "--as", "ana", "--yes").ended(0)
    done = desk.crasher.run(["run", "--plan", "october.plan.json", "--json"], desk.folder, desk.environment)
    assert json.loads(done.stdout)["totals"]["Amount USD"] == {"completed": "12.625"}


# ------------------------------------------------------------------------------------------------ a trailer


def test_a_trailer_that_agrees_is_no_row(desk: QuickCommands) -> None:
    with_trailer(desk)
    written(desk, [*ROWS, TRAILER])
    outcome = desk.run().ended(0)
    assert (outcome.document["rows"], outcome.document["counts"]) == (4, {"completed": 4})
    assert "The trailer (payouts.csv!6) agrees with the 4 rows above it." in outcome.words
    assert desk.answer(outcome).column("_row") == [2, 3, 4, 5]
    assert sorted(desk.server.sent("invoiceNumber")) == [row[0] for row in ROWS]


def off(row: Sequence[str], place: int, text: str) -> tuple[str, ...]:
    return (*row[:place], text, *row[place + 1 :])


@pytest.mark.parametrize(
    ("trailer", "told"),
    [
        (
            off(TRAILER, 2, "22.645"),
            "the total of Amount was expected to be 22.645 (the trailer, payouts.csv!C6), and the sheet's is 22.635: "
            "a difference of -0.010",
        ),
        (off(TRAILER, 1, "5"), "5 rows were expected (the trailer, payouts.csv!B6), and the sheet has 4"),
    ],
)
def test_a_trailer_that_differs_by_a_cent_or_a_row_sends_nothing(desk: QuickCommands, trailer: Rows, told: str) -> None:
    with_trailer(desk)
    written(desk, [*ROWS, trailer])
    assert told in stopped(desk)
    assert told in desk.command("check", "payouts.yaml", "--json").ended(2).document["error"]["message"]


def test_a_trailer_may_tell_each_currency(desk: QuickCommands) -> None:
    with_trailer(desk, "totals: {Amount EUR: Vendor, Amount USD: Amount, Amount CHF: Currency}")
    written(desk, [*ROWS, ("TOTAL", "10.01", "12.635", "0")])
    assert "the total of Amount USD was expected to be 12.635 (the trailer, payouts.csv!C6)" in stopped(desk)
    written(desk, [*ROWS, ("TOTAL", "10.01", "12.625", "0.01")])
    assert "the sheet's is 0.00 (there is no row of that Currency)" in stopped(desk)
    written(desk, [*ROWS, ("TOTAL", "10.01", "12.625", "0")])
    desk.run().ended(0)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (ROWS, 'payouts.csv!A5 says "00004", and "TOTAL" is wanted there'),
        ([*ROWS[:2], TRAILER, *ROWS[2:]], 'payouts.csv!A4 says "TOTAL", so this row is the trailer'),
        ([*ROWS, TRAILER, TRAILER], "payouts.csv!A6 and payouts.csv!A7 both say"),
        ([*ROWS, off(TRAILER, 2, "22,635")], 'payouts.csv!C6 is to tell the total of Amount (source.trailer), and "22'),
    ],
)
def test_a_trailer_that_is_not_as_declared_is_refused_with_its_address(
    desk: QuickCommands, rows: Rows, told: str
) -> None:
    with_trailer(desk)
    written(desk, rows)
    assert told in stopped(desk, code="bad-input")
    assert told in stopped(desk, "--rows", "2", code="bad-input")
    assert told in stopped(desk, "--limit", "1", code="bad-input")


def test_a_trailer_speaks_of_all_rows_whatever_is_selected(desk: QuickCommands) -> None:
    with_trailer(desk, where='\'row["Vendor"] != "Bo"\'')
    written(desk, [*ROWS, off(TRAILER, 1, "3")])
    assert "3 rows were expected (the trailer, payouts.csv!B6), and the sheet has 4" in stopped(desk, "--limit", "1")
    written(desk, [*ROWS, TRAILER])
    assert desk.run("--limit", "1").ended(0).document["rows"] == 1
    assert desk.run("--rows", "3-4").ended(0).document["rows"] == 1
    assert desk.run("--allow-duplicates", "--expect-rows", "3").ended(0).document["counts"] == {"completed": 3}


def test_a_trailer_of_a_workbook_and_of_a_packed_file_is_held_to(desk: QuickCommands) -> None:
    with_trailer(desk)
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [HEADER, *ROWS]:
        sheet.append([float(cell) if place == 2 and cell != "Amount" else cell for place, cell in enumerate(row)])
    sheet.append([])
    sheet.append(["TOTAL", 4, 22.645, None])
    book.save(desk.folder / "in.xlsx")
    refused = desk.run("--input", "in.xlsx").ended(2).document["error"]["message"]
    assert "(the trailer, in.xlsx!Sheet!C7), and the sheet's is 22.635" in refused
    packed = desk.folder / "packed.csv.gz"
    packed.write_bytes(gzip.compress(written(desk, [*ROWS, off(TRAILER, 2, "22.636")]).read_bytes()))
    refused = desk.run("--input", packed.name).ended(2).document["error"]["message"]
    assert "expected to be 22.636 (the trailer, packed.csv.gz!C6), and the sheet's is 22.635" in refused
    assert desk.server.requests == [] and ask(desk, "SELECT id FROM batches") == []
    packed.write_bytes(gzip.compress(written(desk, [*ROWS, TRAILER]).read_bytes()))
    desk.run("--input", packed.name).ended(0)


def test_a_trailer_speaks_of_the_rows_of_all_groups(desk: QuickCommands) -> None:
    schema = {"type": "object", "properties": {"lines": {"type": "array", "items": {"type": "object"}}}}
    (desk.folder / "payout.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    with_trailer(desk)
    job = (desk.folder / "payouts.yaml").read_text(encoding="utf-8").split("data:")[0]
    data = "group_by: Currency\ndata: {'lines[].vendor': {column: Vendor, type: string}}\nrate: 200/s\n"
    results = "results: {file: results.xlsx, totals: [Amount]}\n"
    grouped = job.replace("key: Invoice No", "key: Currency") + data + results
    (desk.folder / "payouts.yaml").write_text(grouped, encoding="utf-8")
    written(desk, [*ROWS, off(TRAILER, 2, "22.625")])
    assert "expected to be 22.625 (the trailer, payouts.csv!C6)" in stopped(desk)
    assert "expected to be 22.625 (the trailer, payouts.csv!C6)" in stopped(desk, "--limit", "1", "--skip-invalid")
    written(desk, [*ROWS, TRAILER])
    assert desk.run().ended(0).document["runs"] == 2
    assert proof_lines(desk)["Sum"] == [4, 22.635]


# ---------------------------------------------------------------------------------------------- the proof


def ask(desk: QuickCommands, statement: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(desk.journal)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def test_the_journal_keeps_what_was_read_and_its_copy_of_the_input_is_untouched(desk: QuickCommands) -> None:
    with_trailer(desk)
    path = written(desk, [*ROWS, TRAILER])
    desk.run("--expect-rows", "4").ended(0)
    ((settings,),) = ask(desk, "SELECT settings FROM batches")
    assert json.loads(settings)["totals"] == ["Amount", {"sum": "Amount", "by": "Currency"}]
    assert json.loads(settings)["read"] == {
        "rows": 4,
        "totals": {"Amount": "22.635", "Amount EUR": "10.01", "Amount USD": "12.625"},
        "unreadable": {},
    }
    amounts = [json.loads(text) for (text,) in ask(desk, "SELECT amounts FROM rows ORDER BY position")]
    assert amounts[:3] == [["10.00", ["10.00", "EUR"]], ["5.5", ["5.5", "USD"]], ["0.01", ["0.01", "EUR"]]]
    ((sha256,),) = ask(desk, "SELECT input_sha256 FROM batches")
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (
            'UPDATE rows SET amounts = \'[["9.99","EUR"]]\' WHERE position = 0',
            "Amount EUR was 10.01 when it was read, and is 10.00 now",
        ),
        (
            'UPDATE rows SET amounts = \'[["10.00","USD"]]\' WHERE position = 0',
            "Amount EUR was 10.01 when it was read, and is 0.01 now; Amount USD was 12.625",
        ),
        ("DELETE FROM rows WHERE position = 3", "4 rows were read, and the journal holds 3"),
    ],
)
def test_what_does_not_add_up_is_never_called_done(desk: QuickCommands, harm: str, told: str) -> None:
    desk.run().ended(0)
    ask(desk, "PRAGMA foreign_keys=OFF")
    ask(desk, harm)
    for command in ("resume", "refresh"):
        outcome = desk.command(command, "last", "--json", "--quiet").ended(1)
        assert outcome.document["error"] is None and outcome.document["counts"].keys() == {"completed"}
        assert "DOES NOT ADD UP" in outcome.words and told in outcome.words
    assert desk.run("--or-resume").ended(1).document["stopped"] is None
    assert told in desk.command("status", "last").ended(0).stdout
    assert "DOES NOT ADD UP" in proof_lines(desk)["Check"]
    assert told in desk.command("evidence", "last", "-o", "pack.zip").ended(0).words
    (found,) = (
        problem["message"]
        for problem in desk.command("verify", "pack.zip", "--json").ended(1).document["problems"]
        if problem["member"] == "journal/rows.jsonl"
    )
    assert found.startswith("the rows do not add up to what was read from the sheet: ") and told in found


def test_batches_from_before_go_on_working(desk: QuickCommands) -> None:
    said(desk, change=lambda text: text.replace("{sum: Amount, by: Currency}", "Amount"))
    desk.run().ended(0)
    ((text,),) = ask(desk, "SELECT settings FROM batches")
    older = json.loads(text)
    assert older["totals"] == ["Amount"]
    del older["read"]
    ask(desk, "UPDATE batches SET settings = ?", json.dumps(older))
    outcome = desk.command("refresh", "last", "--json").ended(0)
    assert outcome.document["totals"] == {"Amount": {"completed": "22.635"}}
    assert proof_lines(desk)["Check"] == ["adds up", "adds up"]
    desk.command("report", "last", "--only", "completed", "-o", "done.xlsx").ended(0)


def test_a_corrected_currency_is_told_and_still_adds_up(tmp_path: Path, crasher: Crasher) -> None:
    def no_usd(data: Any) -> str | None:
        return "no dollars today" if data["currency"] == "USD" else None

    with independent_server(refuse=no_usd) as server:
        desk = QuickCommands(tmp_path, server)
        desk.crasher = crasher
        (tmp_path / "payout.schema.json").write_text(json.dumps({**SCHEMA, "properties": MILLS}), encoding="utf-8")
        with_trailer(desk)
        written(desk, [*ROWS, TRAILER])
        desk.run().ended(1)
        corrected = [row if row[3] != "USD" else (*row[:2], "8.00", "EUR") for row in ROWS]
        rows = written(desk, [row for row in corrected if row[2] == "8.00"] + [TRAILER], "two.csv")
        outcome: Outcome = desk.command("retry", "last", "--input", rows.name, "--json").ended(0)
        assert "Amount USD of these rows in all: 12.625 -> 0.000" in outcome.words
        assert "Amount EUR of these rows in all: 0.00 -> 16.00" in outcome.words
        assert outcome.document["totals"]["Amount EUR"] == {"completed": "26.01"}
        proof = proof_lines(desk)
        assert proof["Proof"] == ["Rows", "Amount", "Amount EUR", "Amount USD"]
        assert proof["Sum"] == [4, 26.01, 26.01, 0]
        assert proof["Input"] == [4, 22.635, 10.01, 12.625]
        assert proof["Corrected later"] == [0, 3.375, 16, -12.625]
        assert proof["Check"] == ["adds up"] * 4
