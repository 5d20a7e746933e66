"""`init` drafts what `check` takes, says what it could not match, and never touches what is there."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from finance_desk import ROOT, Desk, Outcome, at_a_desk, invoices
from jsonschema import Draft202012Validator
from openpyxl import Workbook

from batchrun.core.expressions import Expression
from batchrun.io import yaml_text

SAMPLES = ROOT / "samples"
GOOD = sorted((SAMPLES / "good").glob("*/in*.*"))
MONTHS = [f"payouts-2026-{month}.xlsx" for month in ("08", "09", "10", "11")]
OPTIONS = dict.fromkeys(MONTHS, ("--sheet", "Payouts", "--header-row", "3"))
SCHEMAS = {
    **dict.fromkeys(MONTHS, "vendor-payout.schema.json"),
    "credit-limits.csv": "credit-limit.schema.json",
    "refunds.xlsx": "refund.schema.json",
}
SHEETS = [*sorted(path for ending in ("csv", "xlsx") for path in SAMPLES.glob(f"*.{ending}")), *GOOD]
ODD_HEADERS = (
    *("Yes", "1", "a: b", "#x", 'say "hi"', "it's", "null", "  padded  ", "🙂", "- dash", "{brace}", "[0]", "a,b", "~"),
    *(
        "true",
        "2026-10-31",
        "1e5",
        "*star",
        "&and",
        "!tag",
        "%pct",
        "@at",
        "`tick",
        "back\\slash",
        "two\nlines",
        "|",
        ">",
    ),
    *("key: value # no", "ünïcödé", "tab\there", "?", ":", "=", "<<", "0777", "12:30", "\u200bhidden", "'", '"'),
)


def name(path: Path) -> str:
    return path.relative_to(SAMPLES).as_posix()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with at_a_desk(tmp_path_factory.mktemp("drafts")) as desk:
        yield desk
        assert desk.server.requests == []


def schema_for(sheet: Path) -> Path:
    return SAMPLES / SCHEMAS[sheet.name] if sheet.parent == SAMPLES else sheet.parent / "schema.json"


def drafted_and_checked(desk: Desk, sheet: Path, *, given: bool) -> tuple[Outcome, Outcome, Path]:
    """Draft a sample's job, and check it."""
    job = desk.folder / f"{name(sheet).replace('/', '-')}-{given}.yaml"
    schema = ("--schema", schema_for(sheet)) if given else ()
    made = desk.command("init", sheet, *OPTIONS.get(sheet.name, ()), *schema, "-o", job, "--json")
    return made, desk.command("check", job, "--json"), job


class Outcomes:
    """What became of each sample, with its schema and without: drafted and checked when it is first asked for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: dict[tuple[Path, bool], tuple[Outcome, Outcome, Path]] = {}

    def __getitem__(self, case: tuple[Path, bool]) -> tuple[Outcome, Outcome, Path]:
        if case not in self._known:
            sheet, given = case
            self._known[case] = drafted_and_checked(self._desk, sheet, given=given)
        return self._known[case]


@pytest.fixture(scope="module")
def outcomes(desk: Desk) -> Outcomes:
    return Outcomes(desk)


@pytest.mark.parametrize("sheet", SHEETS, ids=name)
def test_a_draft_from_a_sample_and_its_schema_is_valid_or_says_what_is_missing(outcomes: Outcomes, sheet: Path) -> None:
    made, checked, job = outcomes[sheet, True]
    document = made.ended(0).document
    assert document["error"] is None
    assert Path(document["job"]) == job
    assert Path(document["schema"]) == schema_for(sheet)
    if checked.code == 0:
        assert "every one is valid" in made.stderr
        return
    assert checked.code == 1, checked.stderr  # the spec itself has no fault
    assert "every one is valid" not in made.stderr
    text = job.read_text(encoding="utf-8")
    for problem in checked.document["problems"]:
        # Each problem is one that init told: a field without a column, or a column that leaves it empty.
        path = problem["path"].lstrip("/").replace("/", ".")
        told = [line for line in made.stderr.splitlines() if path.split(".")[0] in line and line.startswith("  - ")]
        assert told, problem
        assert path.split(".")[0] in text


@pytest.mark.parametrize("sheet", SHEETS, ids=name)
def test_a_draft_with_a_drafted_schema_passes_check(outcomes: Outcomes, sheet: Path) -> None:
    made, checked, _ = outcomes[sheet, False]
    document = made.ended(0).document
    schema = json.loads(Path(document["schema"]).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"].startswith("DRAFT")
    assert schema["$comment"].startswith("DRAFT")
    assert schema["additionalProperties"] is True
    assert len(schema["required"]) == 1
    assert "only a draft" in made.stderr
    checked.ended(0)


def test_every_draft_that_could_be_whole_is(
    outcomes: Outcomes,
) -> None:
    whole = {name(sheet) for sheet in SHEETS if outcomes[sheet, True][1].code == 0}
    assert whole >= {
        "good/excel-values/in.xlsx",
        "good/na-and-null-kept/in.csv",
        "good/sep-line-and-newlines/in.csv",
        "good/split-lists/in.csv",
        "good/zero-padded/in.xlsx",
    }


def test_the_big_samples_are_matched_as_their_jobs_are(
    outcomes: Outcomes,
) -> None:
    for sheet, job in (("payouts-2026-10.xlsx", "vendor-payouts"), ("refunds.xlsx", "refunds")):
        made, _, _ = outcomes[SAMPLES / sheet, True]
        written = yaml_text.load((ROOT / "jobs" / f"{job}.yaml").read_text(encoding="utf-8")).data["data"]
        for pair in made.document["matched"]:
            target = written[pair["path"]]
            column = target if isinstance(target, str) else target.get("column")
            assert pair["column"] == (column or Expression(target["expr"]).columns[0])
    limits = outcomes[SAMPLES / "credit-limits.csv", True][2].read_text(encoding="utf-8")
    assert "limit.amount: {column: Limit, decimal: ',', thousands: '.'}" in limits
    assert "limit.validFrom: {column: Gültig ab, date_format: '%d.%m.%Y'}" in limits
    assert "totals: [Limit]" in limits
    assert "key: Kundennummer" in limits


@pytest.fixture
def folder(desk: Desk, tmp_path: Path) -> Path:
    return tmp_path


def sheet_of(path: Path, header: tuple[str, ...], *rows: tuple[str, ...], **more: Any) -> Path:
    with path.open("w", newline="", **{"encoding": "utf-8", **more}) as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_odd_headers_are_quoted_so_that_the_draft_means_them(desk: Desk, folder: Path) -> None:
    rows = [tuple(f"{row}-{place}" for place in range(len(ODD_HEADERS))) for row in range(3)]
    sheet = sheet_of(folder / "odd.csv", ODD_HEADERS, *rows, encoding="utf-8-sig")
    job = folder / "odd.yaml"
    document = desk.command("init", sheet, "-o", job, "--delimiter", ",", "--json").ended(0).document
    assert [pair["column"] for pair in document["matched"]] == [header.strip() for header in ODD_HEADERS]
    desk.command("check", job).ended(0)
    spec = yaml_text.load(job.read_text(encoding="utf-8")).data
    assert list(spec["data"].values()) == [header.strip() for header in ODD_HEADERS]
    bodies = [json.loads(line) for line in desk.command("check", job, "--show", "3").stdout.splitlines()[:3]]
    assert [list(body["data"].values()) for body in bodies] == [list(row) for row in rows]


def test_odd_headers_that_feed_nothing_stay_in_comments(desk: Desk, folder: Path) -> None:
    sheet = sheet_of(folder / "odd.csv", ("Ref", *ODD_HEADERS), ("r1", *ODD_HEADERS), ("r2", *ODD_HEADERS))
    schema = folder / "s.json"
    schema.write_text(json.dumps({"type": "object", "properties": {"ref": {"type": "string"}}}), encoding="utf-8")
    job = folder / "odd.yaml"
    document = (
        desk.command("init", sheet, "--schema", schema, "-o", job, "--delimiter", ",", "--json").ended(0).document
    )
    assert document["unmatched_columns"] == [header.strip() for header in ODD_HEADERS]
    desk.command("check", job).ended(0)
    assert yaml_text.load(job.read_text(encoding="utf-8")).data["data"] == {"ref": "Ref"}


def test_nothing_that_is_there_is_overwritten(desk: Desk, folder: Path) -> None:
    sheet = sheet_of(folder / "in.csv", ("No", "Name"), ("1", "a"))
    job, schema = folder / "in.yaml", folder / "in.schema.json"
    for there, gone in ((job, schema), (schema, job)):
        there.write_text("mine", encoding="utf-8")
        outcome = desk.command("init", sheet, "-o", job, "--json").ended(2)
        assert f"{there} exists already and stays as it is" in outcome.words
        assert outcome.document["error"]["code"] == "bad-command-line"
        assert set(outcome.document) == {
            *("version", "job", "schema", "matched", "unmatched_columns", "unmatched_paths", "error")
        }
        assert there.read_text(encoding="utf-8") == "mine"
        assert not gone.exists()
        there.unlink()
    desk.command("init", sheet, "-o", job).ended(0)
    assert sorted(path.name for path in folder.iterdir()) == ["in.csv", "in.schema.json", "in.yaml"]


def test_what_cannot_be_written_leaves_nothing_behind(desk: Desk, folder: Path) -> None:
    sheet = sheet_of(folder / "in.csv", ("No", "Name"), ("1", "a"))
    job = folder / "in.csv" / "in.yaml"
    outcome = desk.command("init", sheet, "-o", job).ended(2)
    assert "cannot be written" in outcome.words
    assert [path.name for path in folder.iterdir()] == ["in.csv"]


def test_without_o_the_job_lies_in_the_working_directory_by_the_sheets_name(desk: Desk, folder: Path) -> None:
    sheet = sheet_of(folder / "Rechnungen März (2).tar.csv", ("No", "Name"), ("1", "a"), ("2", "b"))
    outcome = desk.command("init", sheet).ended(0)
    job = desk.folder / "rechnungen-marz-2-tar.yaml"
    assert "Next: batchrun check rechnungen-marz-2-tar.yaml" in outcome.stdout
    spec = yaml_text.load(job.read_text(encoding="utf-8")).data
    assert spec["job"] == "rechnungen-marz-2-tar"
    assert (job.parent / spec["source"]["file"]).resolve() == sheet.resolve()
    assert spec["schema"] == "rechnungen-marz-2-tar.schema.json"
    desk.command("check", job.name).ended(0)


def test_a_workbook_with_titles_and_several_sheets_asks_for_the_options_of_init(desk: Desk, folder: Path) -> None:
    sheet = SAMPLES / "payouts-2026-10.xlsx"
    told = desk.command("init", sheet, "-o", folder / "j.yaml").ended(2).words
    assert '("Payouts", "Notes")' in told
    assert "--sheet NAME" in told
    told = desk.command("init", sheet, "--sheet", "Payouts", "-o", folder / "j.yaml").ended(2).words
    assert "--header-row N" in told
    assert list(folder.iterdir()) == []


def test_a_title_above_a_csvs_table_asks_for_the_header_row(desk: Desk, folder: Path) -> None:
    sheet = folder / "in.csv"
    sheet.write_text("Payouts of October\nNo,Name\n1,a\n2,b\n", encoding="utf-8")
    assert "--header-row N" in desk.command("init", sheet, "-o", folder / "j.yaml").ended(2).words
    desk.command("init", sheet, "--header-row", "2", "-o", folder / "j.yaml").ended(0)
    desk.command("check", folder / "j.yaml").ended(0)


def test_other_encodings_are_asked_for_and_written_down(desk: Desk, folder: Path) -> None:
    sheet = sheet_of(folder / "in.csv", ("Nr", "Straße"), ("001", "Öko-Park"), encoding="cp1252")
    assert "--encoding NAME" in desk.command("init", sheet, "-o", folder / "j.yaml").ended(2).words
    desk.command("init", sheet, "--encoding", "cp1252", "-o", folder / "j.yaml").ended(0)
    desk.command("check", folder / "j.yaml").ended(0)


def test_hidden_rows_are_left_to_a_person(desk: Desk, folder: Path) -> None:
    book = Workbook()
    for row in (("No", "Name"), ("A1", "a"), ("A2", "b"), ("A3", "c")):
        book.active.append(row)
    book.active.row_dimensions[3].hidden = True
    book.save(folder / "in.xlsx")
    outcome = desk.command("init", folder / "in.xlsx", "-o", folder / "j.yaml").ended(0)
    assert "hidden_rows: skip, or include" in outcome.stdout
    desk.command("check", folder / "j.yaml").ended(2)
    text = (folder / "j.yaml").read_text(encoding="utf-8")
    (folder / "j.yaml").write_text(text.replace("# hidden_rows", "hidden_rows"), encoding="utf-8")
    assert desk.command("check", folder / "j.yaml", "--json").ended(0).document["rows"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-"], "init needs the file's name"),
        (["a{b}.csv"], "braces"),
        (["nothere.csv"], "there is no file"),
        (["payout.schema.json", "--schema", "nothere.json"], "there is no schema"),
    ],
)
def test_what_init_cannot_begin_with_is_told_in_a_sentence(desk: Desk, words: list[str], said: str) -> None:
    outcome = desk.command("init", *words, "-o", "never.yaml", "--json").ended(2)
    assert said in outcome.document["error"]["message"]
    assert not (desk.folder / "never.yaml").exists()


def test_a_sheet_without_rows_or_without_a_key_is_drafted_and_told(desk: Desk, folder: Path) -> None:
    empty = sheet_of(folder / "empty.csv", ("Invoice No", "Amount"))
    told = desk.command("init", empty, "--schema", desk.folder / "payout.schema.json", "-o", folder / "e.yaml").ended(0)
    assert "No row could be tried" in told.stdout
    assert "key: say which column, or columns, name a row" in told.stdout
    alike = sheet_of(folder / "alike.csv", ("Kind", "Amount"), ("a", "1.50"), ("a", "2.50"))
    told = desk.command("init", alike, "-o", folder / "a.yaml").ended(0)
    assert "none is filled, readable and different in each row" in told.stdout
    assert 'unknown column "CHANGE_ME"' in desk.command("check", folder / "a.yaml").ended(2).words


def test_columns_in_the_way_of_each_other_are_not_guessed(desk: Desk, folder: Path) -> None:
    person = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    schema = folder / "s.json"
    plain = {"type": "object", "properties": {"buyer": person, "seller": person}, "required": ["buyer"]}
    schema.write_text(json.dumps(plain), encoding="utf-8")
    sheet = sheet_of(folder / "in.csv", ("Ref", "Name"), ("1", "a"), ("2", "b"))
    outcome = desk.command("init", sheet, "--schema", schema, "-o", folder / "j.yaml", "--json").ended(0)
    assert outcome.document["matched"] == []
    assert outcome.document["unmatched_columns"] == ["Ref", "Name"]
    assert outcome.document["unmatched_paths"] == ["buyer.name", "seller.name"]
    assert "could be buyer.name or seller.name" in (folder / "j.yaml").read_text(encoding="utf-8")
    desk.command("check", folder / "j.yaml").ended(2)  # it maps nothing yet, and says so


def test_a_draft_runs_only_once_its_procedure_is_named(desk: Desk, folder: Path) -> None:
    desk.sheet(invoices(3), "drafted.csv")
    desk.command("init", "drafted.csv", "--schema", "payout.schema.json").ended(0)
    job = desk.folder / "drafted.yaml"
    text = job.read_text(encoding="utf-8")
    job.write_text(text.replace("data:  ", "data:\n  currency: {value: EUR}\n#"), encoding="utf-8")
    assert "still proc_CHANGE_ME" in desk.command("check", "drafted.yaml").ended(0).words
    refused = desk.command("run", "drafted.yaml", "--json").ended(2)
    assert "proc_CHANGE_ME is a placeholder" in refused.document["error"]["message"]
    results = folder / "rehearsal.xlsx"
    desk.command("run", "drafted.yaml", "--simulate", "--rate", "50/s", "-o", results, "--json", origin=False).ended(0)
    assert results.exists()
