"""`compare`: this month's sheet against the last batch, by keys, fields, amounts and sums; nothing is sent."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from crashing_batchrun import CrashDesk, Crasher, at_a_crash_desk
from finance_desk import HEADERS, Outcome, Row, invoices, with_cell
from openpyxl import load_workbook

KEYS = {
    *("version", "job", "with", "rows", "invalid", "same", "new", "missing", "changed", "moved", "by", "totals"),
    *("notes", "workbook", "error"),
}
WIDE = 80


def monthly(text: str) -> str:
    """Make the desk's job one that runs every month."""
    text = text.replace("job: payouts\n", "job: payouts\nparams:\n  month: {pattern: '\\d+', default: '10'}\n")
    text = text.replace("file: payouts.csv", "file: 'payouts-{month}.csv'").replace("key: Invoice No", KEY_A_MONTH)
    return text.replace("results.xlsx", "'results-{month}.xlsx'")


KEY_A_MONTH = "key: Invoice No\nonce_per: [month]"


def row(number: int, amount: str, vendor: str = "Ann", due: str = "2026-10-15", urgent: str = "N") -> Row:
    return dict(zip(HEADERS, (f"{number:05d}", vendor, amount, due, urgent), strict=True))


OCTOBER = [row(1, "100.00"), row(2, "50.00", "Bob"), row(3, "10.00"), row(4, "70.00", "Cem")]
NOVEMBER = [row(1, "160.00"), row(2, "50.00", "Bob", due="2026-11-15"), row(4, "77.00", "Cem"), row(5, "8.50", "Eva")]


class MonthlyDesk(CrashDesk):
    """A desk with a monthly job."""

    def month(self, month: int, rows: Iterable[Row], *words: str) -> None:
        """Run a month's rows."""
        self.sheet(rows, f"payouts-{month}.csv")
        self.command("run", "payouts.yaml", "--param", f"month={month}", "--json", *words)

    def compare(self, *words: str, month: int = 11, at: str | None = None) -> Outcome:
        """Compare a month's sheet."""
        origin = ("--base-url", at or self.server.origin)
        return self.command("compare", "payouts.yaml", "--param", f"month={month}", *origin, *words)

    def compared(self, *words: str, month: int = 11) -> Mapping[str, Any]:
        """Give the document of a comparison."""
        document: Mapping[str, Any] = self.compare("--json", *words, month=month).ended(0).document
        assert set(document) == KEYS
        return document

    def change(self, statement: str) -> None:
        """Change the journal by hand."""
        with closing(sqlite3.connect(self.journal)) as connection, connection:
            connection.execute(statement)


@pytest.fixture
def desk(tmp_path: Path, crasher: Crasher) -> Iterator[MonthlyDesk]:
    with at_a_crash_desk(tmp_path, crasher) as one:
        one.__class__ = MonthlyDesk
        assert isinstance(one, MonthlyDesk)
        one.job(monthly)
        yield one


def names(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    return [entry["key"] for entry in entries]


def test_a_sheet_that_its_own_trailer_denies_is_not_compared(desk: MonthlyDesk) -> None:
    trailer = "trailer: {when: {column: Invoice No, equals: TOTAL}, rows: Vendor, totals: {Amount: Amount}}"
    desk.job(lambda text: monthly(text).replace("{month}.csv'", f"{{month}}.csv', {trailer}"))
    total = dict(zip(HEADERS, ("TOTAL", "4", "230.00", "", ""), strict=True))
    desk.month(10, [*OCTOBER, total])
    desk.sheet([*NOVEMBER, {**total, "Amount": "295.50"}], "payouts-11.csv")
    assert "The trailer (payouts-11.csv!6) agrees with the 4 rows above it." in desk.compared()["notes"]
    desk.sheet([*NOVEMBER[:3], {**total, "Amount": "295.50"}], "payouts-11.csv")
    refused = desk.compare("--json").ended(2)
    assert "4 rows were expected (the trailer, payouts-11.csv!B5)" in refused.document["error"]["message"]


def test_keys_fields_and_amounts_are_held_against_the_last_month(desk: MonthlyDesk) -> None:
    desk.month(10, OCTOBER)
    desk.sheet(NOVEMBER, "payouts-11.csv")
    sent = len(desk.server.requests)
    found = desk.compared()
    assert (found["job"], found["with"], found["rows"], found["same"]) == ("payouts", "payouts-10-001", 4, 3)
    assert found["new"] == [{"row": 5, "key": "00005", "amounts": {"Amount": "8.50"}}]
    assert found["missing"] == [{"row": 4, "key": "00003", "amounts": {"Amount": "10.00"}}]
    assert found["changed"] == [
        {"row": 2, "key": "00001", "column": "Amount", "path": "/amount", "old": "100.00", "new": "160.00"},
        {"row": 3, "key": "00002", "column": "Due", "path": "/dueDate", "old": "2026-10-15", "new": "2026-11-15"},
        {"row": 4, "key": "00004", "column": "Amount", "path": "/amount", "old": "70.00", "new": "77.00"},
    ]
    moved = {"column": "Amount", "old": "100.00", "new": "160.00", "difference": "60.00", "percent": "60.0"}
    assert found["moved"] == [{"row": 2, "key": "00001", **moved}]
    total = {"old": "230.00", "new": "295.50", "difference": "65.50", "percent": "28.5", "moved": True}
    assert found["totals"] == {"Amount": total}
    assert (found["workbook"], found["error"]) == (None, None)
    assert len(desk.server.requests) == sent
    assert len(desk.batches()) == 1


def test_a_threshold_says_what_has_moved(desk: MonthlyDesk) -> None:
    desk.month(10, OCTOBER)
    desk.sheet(NOVEMBER, "payouts-11.csv")
    assert names(desk.compared("--threshold", "5%")["moved"]) == ["00001", "00004"]
    assert names(desk.compared("--threshold", "60")["moved"]) == []
    desk.compare("--threshold", "much", "--json").ended(2)


def test_new_invoice_numbers_are_compared_by_their_vendors_sums(desk: MonthlyDesk) -> None:
    desk.month(10, OCTOBER)
    desk.sheet([row(11, "170.00"), row(12, "49.00", "Bob"), row(13, "5.00", "Eva")], "payouts-11.csv")
    found = desk.compared("--by", "Vendor")
    assert (found["same"], len(found["new"]), len(found["missing"])) == (0, 3, 4)
    assert found["by"]["column"] == "Vendor"
    assert [(one["value"], one["old"], one["new"]) for one in found["by"]["moved"]] == [("Ann", "110.00", "170.00")]
    assert found["by"]["new"] == [{"value": "Eva", "rows": 1, "amounts": {"Amount": "5.00"}}]
    assert found["by"]["missing"] == [{"value": "Cem", "rows": 1, "amounts": {"Amount": "70.00"}}]
    assert 'did you mean "Vendor"?' in desk.compare("--by", "Vendro", "--json").ended(2).words
    assert "--by COLUMN" in desk.compare().ended(0).stdout


def test_the_workbook_holds_all_of_it_and_is_never_written_over(desk: MonthlyDesk) -> None:
    desk.month(9, OCTOBER[:2])
    desk.month(10, OCTOBER)
    desk.sheet(NOVEMBER, "payouts-11.csv")
    place = desk.folder / "compared.xlsx"
    assert desk.compared("-o", "compared.xlsx", "--by", "Vendor")["workbook"] == str(place)
    book = load_workbook(place)
    assert book.sheetnames == ["Summary", "New", "Missing", "Changed", "Moved", "Sums"]
    lines = {line[0].value: [cell.value for cell in line[1:5]] for line in book["Summary"].iter_rows()}
    assert (lines["9"], lines["10"], lines["11"]) == ([1, 2, 150, None], [1, 4, 230, None], [0, 0, None, 295.5])
    before = place.read_bytes()
    refused = desk.compare("-o", "compared.xlsx", "--json").ended(2)
    assert refused.document["error"]["code"] == "bad-command-line"
    assert place.read_bytes() == before


def test_without_a_batch_it_says_so_and_runs_nothing(desk: MonthlyDesk) -> None:
    desk.sheet(NOVEMBER, "payouts-11.csv")
    nothing = desk.compare("--json").ended(2)
    assert set(nothing.document) == KEYS
    assert "holds no batch of payouts in sandbox" in nothing.words
    assert "Next: batchrun status" in nothing.words
    assert not desk.journal.exists()
    desk.month(10, OCTOBER)
    desk.compare("--json", "-e", "live").ended(2)
    desk.compare("--json", "--with", "payouts-99-001").ended(2)


def test_the_month_before_is_the_newest_batch_with_other_params(desk: MonthlyDesk) -> None:
    desk.month(9, OCTOBER[:1])
    desk.month(10, OCTOBER)
    desk.month(11, NOVEMBER)
    assert desk.compared()["with"] == "payouts-10-001"
    assert desk.compared("--with", "payouts-9-001")["with"] == "payouts-9-001"
    last = desk.compared("--with", "last")
    assert (last["with"], last["changed"], last["new"], last["missing"]) == ("payouts-11-001", [], [], [])
    assert any("very params of now: month 11" in note for note in last["notes"])


def test_a_simulated_batch_serves_only_where_there_is_no_other(desk: MonthlyDesk) -> None:
    desk.sheet(OCTOBER, "payouts-10.csv")
    desk.sheet(NOVEMBER, "payouts-11.csv")
    with desk.started("run", "payouts.yaml", "--simulate", "--knob", "run-time=0", origin=False) as process:
        process.communicate()
    simulated = desk.compared()
    assert (simulated["with"], simulated["notes"]) == ("payouts-10-001", ["payouts-10-001 was only simulated."])
    desk.month(9, OCTOBER[:1])
    assert desk.compared()["with"] == "payouts-9-001"


def test_a_batch_of_another_world_is_told_to_be_one(desk: MonthlyDesk) -> None:
    desk.month(10, OCTOBER)
    desk.sheet(NOVEMBER, "payouts-11.csv")
    told = desk.compare(at="http://127.0.0.1:1").ended(0)
    assert "is of another world" in told.words
    assert "another world" not in desk.compare().ended(0).words


def test_invalid_rows_and_keys_that_come_twice_are_counted_and_not_compared(desk: MonthlyDesk) -> None:
    desk.month(10, with_cell(OCTOBER, 3, Amount="much"), "--skip-invalid")
    rows = [row(1, "x"), row(2, "9.00"), row(2, "9.00"), row(4, "70.00", "Cem"), row(6, "1.00")]
    desk.sheet(rows, "payouts-11.csv")
    found = desk.compared()
    assert (found["rows"], found["invalid"], found["same"]) == (5, 3, 0)
    assert (names(found["new"]), names(found["missing"])) == (["00004", "00006"], ["00003"])
    assert found["changed"] == found["moved"] == []
    assert found["totals"]["Amount"]["new"] == "71.00"
    said = desk.compare().ended(0).stdout
    assert re.search(r"not compared +1 +3 +\+2", said)


def test_a_purged_batch_is_compared_by_keys_and_amounts_alone(desk: MonthlyDesk) -> None:
    desk.month(10, OCTOBER)
    desk.change("UPDATE rows SET payload = NULL, cells = X''")
    desk.change("INSERT INTO purges VALUES (1, '2026-11-01T00:00:00.000000Z', 'anna')")
    desk.sheet(NOVEMBER, "payouts-11.csv")
    found = desk.compared("--by", "Vendor")
    assert (found["changed"], names(found["moved"]), found["by"]) == ([], ["00001"], None)
    assert names(found["missing"]) == ["00003"]
    (note,) = found["notes"]
    assert note.endswith("removed on 2026-11-01, so it is compared by keys and amounts alone, and not by Vendor.")


def test_a_part_of_the_sheet_says_that_it_is_one(desk: MonthlyDesk) -> None:
    desk.month(10, OCTOBER)
    desk.sheet(NOVEMBER, "payouts-11.csv")
    found = desk.compared("--limit", "2")
    assert (found["rows"], names(found["missing"])) == (2, ["00004", "00003"])
    assert found["notes"] == ["Only the first 2 rows were taken (--limit)."]
    desk.sheet([], "payouts-11.csv")
    desk.compare("--json").ended(2)


def test_columns_that_came_and_went_are_told_and_not_compared(desk: MonthlyDesk) -> None:
    desk.month(10, OCTOBER)
    with (desk.folder / "payouts-11.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([(*HEADERS, "Remark"), ("00001", "Ann", "100.00", "2026-10-15", "N", "late")])
    found = desk.compared()
    assert (found["changed"], found["notes"]) == ([], ['Columns that are new and are not compared: "Remark".'])


def test_a_control_total_that_is_new_has_not_moved(desk: MonthlyDesk) -> None:
    desk.month(10, OCTOBER)
    desk.sheet(NOVEMBER, "payouts-11.csv")
    desk.job(lambda text: monthly(text).replace("totals: [Amount]", "totals: [Amount, Invoice No]"))
    assert list(desk.compared()["totals"]) == ["Amount"]


def test_several_control_totals_are_told_apart(desk: MonthlyDesk) -> None:
    desk.job(lambda text: monthly(text).replace("totals: [Amount]", "totals: [Amount, Due]"))
    desk.month(10, [row(1, "100.00", due=""), row(2, "1.00", due="")])
    desk.sheet([row(1, "250.00", due=""), row(2, "1.00", due="")], "payouts-11.csv")
    said = desk.compare().ended(0).stdout
    assert re.search(
        r"key +total +then +now +difference +%\n +00001 +Amount +100.00 +250.00 +\+150.00 +\+150.0\n", said
    )
    assert re.search(r"\nDue +0 +0 *\n", said)


def test_what_a_cell_hides_does_not_reach_the_screen(desk: MonthlyDesk) -> None:
    desk.month(10, OCTOBER)
    desk.sheet([row(1, "1.00", "Evil\x1b[2J\nBob")], "payouts-11.csv")
    said = desk.compare("--by", "Vendor").ended(0).stdout
    assert "\x1b" not in said
    assert "Evil\\x1b[2J Bob" in said


def test_a_batch_of_another_job_serves_where_it_is_named(desk: MonthlyDesk) -> None:
    desk.month(10, OCTOBER)
    desk.job(lambda text: monthly(text.replace("job: payouts", "job: wages", 1)).replace("job: wages\n", WAGES))
    desk.sheet(NOVEMBER, "payouts-11.csv")
    desk.compare("--json").ended(2)
    assert desk.compared("--with", "payouts-10-001")["notes"] == ["payouts-10-001 is of another job, payouts."]


WAGES = "job: wages\nparams:\n  month: {pattern: '\\d+', default: '10'}\n"


def test_amounts_that_cannot_be_read_are_told(desk: MonthlyDesk) -> None:
    desk.job(lambda text: monthly(text).replace("totals: [Amount]", "totals: [Vendor]"))
    desk.month(10, OCTOBER[:1])
    desk.sheet(NOVEMBER, "payouts-11.csv")
    assert desk.compared()["notes"] == [
        "4 amounts in the sheet cannot be read; 0 is taken in the sums.",
        "1 amount in payouts-10-001 cannot be read; 0 is taken in the sums.",
    ]


def test_a_group_of_rows_is_one_key(desk: MonthlyDesk) -> None:
    lines = {"type": "array", "items": {"type": "object", "properties": {"amount": {"type": "number"}}}}
    schema = {"type": "object", "properties": {"id": {"type": "string"}, "lines": lines}}
    (desk.folder / "payout.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    job = monthly("job: payouts\nprocedure: {id: p, mode: sync}\nsource: {file: payouts.csv}\nkey: Invoice No\n")
    job += "group_by: Invoice No\nschema: payout.schema.json\ndata: {id: Invoice No, 'lines[].amount': Amount}\n"
    (desk.folder / "payouts.yaml").write_text(f"{job}results: {{totals: [Amount]}}\n", encoding="utf-8")
    desk.month(10, [row(1, "1.00"), row(2, "5.00"), row(1, "2.00")])
    desk.sheet([row(1, "3.00"), row(1, "4.00"), row(3, "5.00")], "payouts-11.csv")
    found = desk.compared()
    assert (names(found["new"]), names(found["missing"]), found["same"]) == (["00003"], ["00002"], 1)
    assert [(one["key"], one["old"], one["new"]) for one in found["moved"]] == [("00001", "3.00", "7.00")]
    assert [one["path"] for one in found["changed"]] == ["/lines"]


def test_a_long_comparison_fits_the_screen_the_largest_first(desk: MonthlyDesk) -> None:
    desk.month(10, invoices(60), "--rate", "1000/s")
    long = [{**one, "Vendor": "V" * 60, "Amount": f"{at}999999.99"} for at, one in enumerate(invoices(60, first=31))]
    desk.sheet(long, "payouts-11.csv")
    lines = desk.compare("--by", "Vendor").ended(0).stdout.splitlines()
    assert max(map(len, lines)) <= WIDE
    assert "  and 10 more (see all with -o F.xlsx, or --json)" in lines
    assert sum(line.startswith("  0") for line in lines) <= 21
    (at_new,) = [at for at, line in enumerate(lines) if line == "30 new keys in the sheet"]
    assert lines[at_new + 2].split() == ["61", "00090", "59,999,999.99"]


def test_quiet_shows_what_was_asked_for_alone(desk: MonthlyDesk) -> None:
    desk.month(10, OCTOBER)
    desk.sheet(NOVEMBER, "payouts-11.csv")
    told = desk.compare("--quiet").ended(0)
    assert told.stderr == ""
    assert told.stdout.startswith("payouts: payouts-11.csv against payouts-10-001\n")


def test_totals_that_are_split_are_compared_value_by_value(desk: MonthlyDesk) -> None:
    desk.job(lambda text: monthly(text).replace("totals: [Amount]", "totals: [{sum: Amount, by: Urgent}]"))
    desk.month(10, OCTOBER)
    desk.sheet([*NOVEMBER, row(6, "30.00", urgent="Y")], "payouts-11.csv")
    found = desk.compared()
    assert {label: (one["old"], one["new"]) for label, one in found["totals"].items()} == {
        "Amount N": ("230.00", "295.50"),
        "Amount Y": ("0.00", "30.00"),
    }
    assert [entry["amounts"] for entry in found["new"] if entry["key"] == "00006"] == [{"Amount Y": "30.00"}]
