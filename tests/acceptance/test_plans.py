"""What was approved is what is sent: one byte more or less, and nothing leaves."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from finance_desk import invoices, total, with_cell
from independent_server import LIVE_KEY
from openpyxl import load_workbook
from plan_desk import APPROVAL, MAKER, OUTPUTS, PLAN, PLANNED, PlanDesk, at_a_plan_desk, reseal

ROWS = invoices(5)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[PlanDesk]:
    with at_a_plan_desk(tmp_path) as one:
        yield one


def ready(desk: PlanDesk) -> PlanDesk:
    """Plan, and have it approved."""
    desk.plan().ended(0)
    desk.approve().ended(0)
    return desk


def facts(path: Path | str, sheet: str) -> dict[str, Any]:
    """Give what stands in the first two columns of a sheet."""
    book = load_workbook(path)
    found = {str(row[0]): row[1] for row in book[sheet].iter_rows(values_only=True, max_col=2) if row[0]}
    book.close()
    return found


def test_a_plan_sends_nothing_needs_no_key_and_says_all_that_would_be_sent(desk: PlanDesk) -> None:
    desk.sheet(with_cell(ROWS, 2, Amount="bad"))
    assert "invalid" in desk.plan(key="").ended(2).document["error"]["message"]
    assert not (desk.folder / PLAN).exists()
    assert (
        "6 rows were expected"
        in desk.plan("--expect-rows", "6", "--skip-invalid").ended(2).document["error"]["message"]
    )
    planned = desk.plan("--skip-invalid", "--rows", "2-5", key="").ended(0).document
    content = (desk.folder / PLAN).read_bytes()
    plan = json.loads(content)
    amount = f"{total([ROWS[0], ROWS[1], ROWS[3]]):.2f}"
    assert planned == {
        "version": 1,
        "plan": str(desk.folder / PLAN),
        "workbook": str(desk.folder / "october.plan.xlsx"),
        "rows": 4,
        "runs": 3,
        "counts": {"invalid": 1, "ready": 3},
        "error": None,
        "totals": {"Amount": {"invalid": "0.00", "ready": amount}},
        "next": planned["next"],
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert f"batchrun approve {desk.folder / PLAN} --as" in planned["next"]
    assert [row for row, _ in plan["payloads"]] == [2, 3, 5]
    assert (plan["made_by"], plan["environment"], plan["rehearsal"]) == (MAKER, "sandbox", None)
    assert desk.server.requests == []
    assert desk.batches() == []


def test_a_plan_is_run_as_it_was_approved_and_the_batch_remembers_it(desk: PlanDesk) -> None:
    ready(desk)
    done = desk.run_plan().ended(0)
    assert sorted(desk.server.sent("invoiceNumber")) == [row["Invoice No"] for row in ROWS]
    told = facts(Path(done.document["workbook"]), "Summary")
    assert told["Approved by"] == "ana (claimed: not signed)"
    assert told["Plan"] == f"{PLAN}, made by {MAKER}"
    assert told["Plan SHA-256"] == hashlib.sha256((desk.folder / PLAN).read_bytes()).hexdigest()
    assert "approved by ana (claimed: not signed)" in done.words


def test_the_payloads_of_the_plan_are_the_bytes_that_are_sent(desk: PlanDesk) -> None:
    ready(desk)
    plan = json.loads((desk.folder / PLAN).read_bytes())
    desk.run_plan("--concurrency", "1").ended(2)
    desk.run_plan().ended(0)
    sent = [start.body for start in desk.server.starts]
    data = [body[len(b'{"data":') : body.rindex(b',"metadata":')] for body in sent]
    assert sorted(hashlib.sha256(one).hexdigest() for one in data) == sorted(digest for _, digest in plan["payloads"])


INGREDIENTS = {
    "payouts.csv": "the sheet payouts.csv",
    "payouts.yaml": "the job spec payouts.yaml",
    "payout.schema.json": "the schema payout.schema.json",
    "outputs.schema.json": "the schema of review outputs outputs.schema.json",
    PLAN: f"{PLAN} is not as batchrun wrote it",
    APPROVAL: f"{APPROVAL} is not as batchrun wrote it",
}


def test_one_byte_changed_after_the_approval_is_refused_before_a_request_leaves(desk: PlanDesk) -> None:
    ready(desk)
    for name, said in INGREDIENTS.items():
        path = desk.folder / name
        before = path.read_bytes()
        middle = len(before) // 2
        path.write_bytes(bytes([*before[:middle], before[middle] ^ 1, *before[middle + 1 :]]))
        desk.refused(said=said)
        path.write_bytes(before + b"\n")
        desk.refused(said=said)
        path.write_bytes(before)
    assert desk.server.requests == []
    assert desk.batches() == []
    desk.run_plan().ended(0)
    assert len(desk.server.runs) == 5


def test_what_is_gone_after_the_approval_is_refused(desk: PlanDesk) -> None:
    ready(desk)
    for name in INGREDIENTS:
        path = desk.folder / name
        before = path.read_bytes()
        path.unlink()
        desk.refused(said=name.removesuffix(".json"))
        path.write_bytes(before)


def test_a_payload_that_is_not_the_approved_one_is_named_by_its_row(desk: PlanDesk) -> None:
    """A plan that was altered, sealed and approved again still cannot let another payload pass."""
    desk.plan().ended(0)

    def alter(plan: dict[str, Any]) -> None:
        plan["payloads"][3][1] = "0" * 64

    reseal(desk.folder / PLAN, alter)
    desk.approve().ended(0)
    desk.refused(said="row 5 of payouts.csv would be sent with other values than the plan has")


ALTERED: list[tuple[str, object, str]] = [
    ("environment", "live", "the plan is for http"),
    ("world", "elsewhere", "the plan is for elsewhere, and this is http"),
    ("base_url", "http://127.0.0.1:9", "and this is http://127.0.0.1:9"),
    ("procedure_version", "v3", "the procedure, its version, mode or timeout is another"),
    ("rate", "unlimited", "the rate or the concurrency"),
    ("counts", {"ready": 6}, "the rows, or their sums, are others"),
    ("made_by", "ana", "was made by ana and approved by ana"),
]


def test_a_plan_that_was_altered_and_sealed_again_is_refused(desk: PlanDesk) -> None:
    ready(desk)
    plan, approval = desk.folder / PLAN, desk.folder / APPROVAL
    before = plan.read_bytes()
    for field, value, said in ALTERED:
        plan.write_bytes(before)
        reseal(plan, lambda one, new={field: value}: one.update(new))  # type: ignore[misc]
        if field == "environment":
            refused = desk.refused(said="approves another plan")
            assert refused.document["next"] == f"batchrun approve {plan.resolve()} --as NAME"
        digest = hashlib.sha256(plan.read_bytes()).hexdigest()
        reseal(approval, lambda one, new={"plan_sha256": digest}: one.update(new))  # type: ignore[misc]
        desk.refused(said=said, key=LIVE_KEY if field == "environment" else None)
    assert desk.server.requests == []


def test_a_plan_that_is_not_approved_is_not_run_and_the_next_command_is_told(desk: PlanDesk) -> None:
    desk.plan().ended(0)
    refused = desk.refused(said="is not approved")
    assert refused.document["error"]["code"] == "approval-missing"
    assert refused.document["next"] == f"batchrun approve {PLAN} --as NAME"


OPTIONS = {
    "--environment": ["-e", "sandbox"],
    "--param": ["--param", "a=b"],
    "--input": ["--input", "payouts.csv"],
    "--limit": ["--limit", "5"],
    "--rows": ["--rows", "2-9"],
    "--skip-invalid": ["--skip-invalid"],
    "--expect-rows": ["--expect-rows", "5"],
    "--expect-total": ["--expect-total", "Amount=1"],
    "--rate": ["--rate", "1/s"],
    "--concurrency": ["--concurrency", "8"],
    "--simulate": ["--simulate"],
    "--knob": ["--knob", "a=b"],
    "--again": ["--again"],
    "--allow-duplicates": ["--allow-duplicates"],
    "--base-url": ["--base-url", "http://127.0.0.1:9"],
    "--review-url": ["--review-url", "http://127.0.0.1:9"],
}


def test_no_option_that_changes_what_is_sent_goes_with_a_plan_not_even_with_its_default(desk: PlanDesk) -> None:
    ready(desk)
    desk.refused(*OPTIONS["--environment"], said="--environment cannot go with --plan")
    words = [word for some in OPTIONS.values() for word in some]
    refused = desk.refused(*words, said="cannot go with --plan").document["error"]["message"]
    assert set(refused.split(" cannot go")[0].split(" and ")) == set(OPTIONS)
    desk.run_plan(
        *("--yes", "--wait", "5s", "-o", "out/r.xlsx", "--events", "e.jsonl", "--quiet", "--grace", "1s"),
        *("--max-errors", "3", "--or-resume", "--journal", str(desk.journal)),
    ).ended(0)


def test_a_plan_runs_once(desk: PlanDesk) -> None:
    ready(desk)
    desk.run_plan().ended(0)
    again = desk.refused(said="ran before as payouts-001").document["error"]
    assert again["code"] == "already-ran"
    assert "--again" not in again["message"]
    desk.run_plan("--or-resume").ended(0)
    assert len(desk.server.runs) == 5
    assert "ran before" in desk.plan(output="more.plan.json").ended(2).document["error"]["message"]


def test_a_plan_does_not_go_on_with_a_batch_that_was_begun_without_it(desk: PlanDesk) -> None:
    ready(desk)
    desk.run().ended(0)
    desk.refused("--or-resume", said="ran before as payouts-001, and not by october.plan.json")


def test_a_row_that_was_paid_between_plan_and_run_is_named_with_the_batch_that_took_it(desk: PlanDesk) -> None:
    ready(desk)
    desk.run("--rows", "3-4").ended(0)
    refused = desk.refused(said="row 3 of payouts.csv has become a duplicate since the plan was made").document
    assert "taken by row 3 of payouts-001" in refused["error"]["message"]
    assert "1 more row" in refused["error"]["message"]
    desk.plan(output="rest.plan.json").ended(0)
    plan = json.loads((desk.folder / "rest.plan.json").read_bytes())
    assert [one["row"] for one in plan["duplicates"]] == [3, 4]
    desk.approve(plan="rest.plan.json").ended(0)
    assert "--allow-duplicates" not in desk.run_plan(plan="rest.plan.json").ended(1).words
    assert len(desk.server.runs) == 5


def test_a_row_that_is_no_duplicate_any_more_is_named(desk: PlanDesk) -> None:
    desk.server.switches.fail = lambda data: "no" if data["invoiceNumber"] == "00002" else None
    desk.server.switches.sync_times_out = True
    desk.run("--rows", "3", "--no-wait")
    ready(desk)
    desk.command("refresh", "last", "--json")
    desk.refused(said="row 3 of payouts.csv would be sent, and it was a duplicate when the plan was made")


def test_a_plan_that_was_moved_without_its_job_says_how_to_name_it(desk: PlanDesk) -> None:
    ready(desk)
    (desk.folder / "moved").mkdir()
    for name in (PLAN, APPROVAL):
        shutil.copy(desk.folder / name, desk.folder / "moved" / name)
    place = desk.folder / "moved" / PLAN
    said = f"{PLAN} is of the job spec payouts.yaml, and there is none at {place.with_name('payouts.yaml')}"
    assert desk.refused(plan=str(place), said=said).document["next"] == f"batchrun run JOB --plan {place}"


def test_a_folder_can_be_moved_as_a_whole_and_the_job_may_be_named(desk: PlanDesk, tmp_path: Path) -> None:
    for name in ("payouts.yaml", "payouts.csv", "payout.schema.json", "outputs.schema.json"):
        (desk.folder / "then" / name).parent.mkdir(exist_ok=True)
        shutil.copy(desk.folder / name, desk.folder / "then" / name)
    desk.command("plan", "then/payouts.yaml", "-o", "then/plans/o.plan.json", "--json").ended(0)
    desk.approve(plan="then/plans/o.plan.json").ended(0)
    (desk.folder / "then").rename(desk.folder / "now")
    (desk.folder / "payouts.yaml").write_text(f"{PLANNED}# other\n", encoding="utf-8")
    moved = "now/plans/o.plan.json"
    assert "job spec" in desk.run_plan("payouts.yaml", plan=moved).ended(2).document["error"]["message"]
    desk.run_plan("now/payouts.yaml", plan=moved).ended(0)
    assert len(desk.server.runs) == 5


def test_a_sheet_that_was_given_on_the_command_line_is_found_again(desk: PlanDesk) -> None:
    desk.sheet(invoices(2, first=50), "other.csv")
    desk.plan("--input", "other.csv").ended(0)
    desk.approve().ended(0)
    desk.run_plan().ended(0)
    assert desk.server.sent("invoiceNumber") == ["00050", "00051"]


def test_a_rehearsal_with_the_same_payloads_is_told_on_the_page_and_before_the_approval(desk: PlanDesk) -> None:
    desk.run("--simulate").ended(0)
    desk.plan("-e", "live", "--rows", "2-4").ended(0)
    assert json.loads((desk.folder / PLAN).read_bytes())["rehearsal"] is None
    (desk.folder / PLAN).unlink()
    (desk.folder / "october.plan.xlsx").unlink()
    desk.run().ended(0)
    desk.plan("-e", "live", "--rows", "2-4").ended(0)
    plan = json.loads((desk.folder / PLAN).read_bytes())
    assert plan["rehearsal"]["counts"] == {"completed": 5}
    page = facts(desk.folder / "october.plan.xlsx", "Plan")
    assert page["Environment"] == "LIVE"
    assert page["Rehearsal"].startswith(f"{plan['rehearsal']['batch']} on 20")
    assert "Approved by" in page
    assert plan["rehearsal"]["batch"] in desk.approve().ended(0).words
    desk.run_plan("--yes", key=LIVE_KEY).ended(0)


def test_the_workbook_lists_every_row_with_its_key_amount_and_state(desk: PlanDesk) -> None:
    desk.run("--rows", "3").ended(0)
    desk.plan().ended(0)
    book = load_workbook(desk.folder / "october.plan.xlsx")
    header, *rows = book["Rows"].iter_rows(values_only=True)
    assert header == ("row", "Invoice No", "Vendor", "Due", "Urgent", "Amount", "state", "why it is not sent")
    assert [row[:2] for row in rows] == [(number, f"{number - 1:05d}") for number in range(2, 7)]
    assert [row[2] for row in rows] == [row["Vendor"] for row in ROWS]
    assert [row[6] for row in rows] == ["ready", "duplicate", "ready", "ready", "ready"]
    assert "taken by row 3 of payouts-001" in str(rows[1][7])
    book.close()


def test_a_wide_sheet_s_first_columns_are_shown_as_the_job_maps_them_and_the_others_named(desk: PlanDesk) -> None:
    more = {f"Column {number}": f"{number:03d}" for number in range(13, 0, -1)}
    with (desk.folder / "payouts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*ROWS[0], "Not sent", *reversed(more)])
        writer.writeheader()
        writer.writerows({**row, **more, "Not sent": "no"} for row in ROWS)
    targets = "".join(f"  c{number}: {name}\n" for number, name in enumerate(more))
    vendor = """  vendor: {expr: 'row["Vendor"] | upper'}\n"""
    desk.job(lambda _: PLANNED.replace("  vendor: Vendor\n", targets + vendor))
    schema = json.loads((desk.folder / "payout.schema.json").read_bytes())
    schema["properties"] |= {f"c{number}": {"type": "string"} for number in range(13)}
    (desk.folder / "payout.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    workbook = desk.plan().ended(0).document["workbook"]
    book = load_workbook(workbook)
    header, first, *_ = book["Rows"].iter_rows(values_only=True)
    book.close()
    shown = list(more)[:12]
    assert header == ("row", "Invoice No", *shown, "Amount", "state", "why it is not sent")
    assert list(first[2:14]) == [more[name] for name in shown]
    assert facts(workbook, "Plan")["Also sent"] == "Column 1, Vendor, Due, Urgent (columns that Rows does not show)"


def test_a_plan_never_overwrites_anything(desk: PlanDesk) -> None:
    for name in (PLAN, "october.plan.xlsx"):
        (desk.folder / name).write_text("mine", encoding="utf-8")
        assert f"{name} exists already" in desk.plan().ended(2).document["error"]["message"]
        assert (desk.folder / name).read_text(encoding="utf-8") == "mine"
        (desk.folder / name).unlink()
    assert "JSON" in desk.plan(output="october.xlsx").ended(2).document["error"]["message"]
    assert not list(desk.folder.glob("october*"))


def test_rows_of_an_approved_plan_are_not_sent_with_other_values(desk: PlanDesk) -> None:
    desk.server.switches.refuse = lambda data: "no" if data["invoiceNumber"] == "00002" else None
    ready(desk)
    desk.run_plan().ended(1)
    desk.sheet(with_cell(ROWS, 1, Amount="1.00"), "corrected.csv")
    refused = desk.command("retry", "last", "--input", "corrected.csv", "--json").ended(2).document
    assert "were approved as they are in october.plan.json" in refused["error"]["message"]
    desk.server.switches.refuse = lambda data: None
    desk.command("retry", "last", "--json").ended(0)
    assert desk.server.sent("amount").count(desk.server.runs["run_000001x"].data["amount"]) == 1


def test_what_cannot_be_written_is_said(desk: PlanDesk) -> None:
    assert "cannot be written" in desk.plan(output="payouts.csv/o.plan.json").ended(2).document["error"]["message"]
    assert "cannot be written" in desk.plan(output="/proc/none/o.plan.json").ended(2).document["error"]["message"]
    assert "can be read again" in desk.plan("--input", "-").ended(2).document["error"]["message"]
    long = "x" * 250
    desk.plan(output=long).ended(0)
    assert "cannot be written" in desk.approve(plan=long).ended(2).document["error"]["message"]
    assert "name the job to run" in desk.command("run", "--json", "--simulate").ended(2).document["error"]["message"]


def test_a_plan_of_rows_that_were_all_sent_says_that_nothing_would_be(desk: PlanDesk) -> None:
    desk.run().ended(0)
    planned = desk.plan("--rows", "2-3").ended(0)
    assert planned.document["counts"] == {"duplicate": 2}
    assert "nothing would be sent" in planned.words


def test_a_group_of_rows_is_planned_and_run_as_one_payload(desk: PlanDesk) -> None:
    desk.job(
        lambda text: text.replace("key: Invoice No", "key: Vendor\ngroup_by: Vendor").replace(
            "  invoiceNumber: Invoice No\n  vendor: Vendor\n  amount: Amount\n  dueDate: Due\n"
            "  urgent: {column: Urgent, map: {Y: true, N: false}}\n  currency: {value: EUR}\n",
            "  vendor: Vendor\n  lines[].number: Invoice No\n",
        )
    )
    schema = {
        "type": "object",
        "properties": {
            "vendor": {"type": "string"},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"number": {"type": "string"}}}},
        },
    }
    (desk.folder / "payout.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    desk.sheet([{**row, "Vendor": "one" if row["Invoice No"] < "00004" else "two"} for row in ROWS])
    planned = desk.plan().ended(0).document
    assert (planned["rows"], planned["runs"]) == (5, 2)
    desk.approve().ended(0)
    desk.run_plan().ended(0)
    assert len(desk.server.runs) == 2


class Swapping:
    """A teller at whose first word about rows the sheet is another, and at the next the approved one again."""

    def __init__(self, sheet: Path) -> None:
        self.sheet = sheet
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    warn = say

    def ask(self, _question: str) -> bool | None:
        return None

    def watching(self, *_counts: object) -> Any:
        raise AssertionError("nothing is to be sent")

    @contextmanager
    def counting(self, _what: str) -> Iterator[Any]:
        before = self.sheet.read_bytes()
        self.sheet.write_bytes(before.replace(b",37.07,", b",99.07,"))
        assert self.sheet.read_bytes() != before
        yield lambda _count: None
        self.sheet.write_bytes(before)


def test_a_sheet_that_is_another_only_while_it_is_read_is_found_by_its_payloads(
    desk: PlanDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from batchrun.errors import PlanRefused
    from batchrun.flows import planned
    from batchrun.flows.run import run
    from batchrun.flows.staging import RunChoice

    ready(desk)
    monkeypatch.setenv("RAPIDFOLIO_API_KEY", desk.environment["RAPIDFOLIO_API_KEY"])
    approved = planned.approved(desk.folder / PLAN, None)
    teller = Swapping(desk.folder / "payouts.csv")
    with pytest.raises(PlanRefused, match=r"row 2 of payouts\.csv would be sent with other values"):
        run(approved.job, approved.choice, RunChoice(), approved.origins, desk.journal, teller, approved=approved)
    assert desk.server.requests == []
    assert desk.batches() == []


def test_the_outputs_schema_may_be_missing_from_a_job(desk: PlanDesk) -> None:
    assert OUTPUTS in (desk.folder / "outputs.schema.json").read_text(encoding="utf-8")
    desk.job()
    ready(desk)
    desk.run_plan().ended(0)


def test_a_plan_whose_totals_are_split_shows_each_rows_amount_beside_what_splits_it(desk: PlanDesk) -> None:
    desk.job(lambda _: PLANNED.replace("totals: [Amount]", "totals: [{sum: Amount, by: Vendor}]"))
    desk.sheet(with_cell(with_cell(with_cell(ROWS, 0, Vendor="Öl AG"), 1, Vendor=""), 2, Amount="bad"))
    planned = desk.plan("--skip-invalid").ended(0).document
    assert set(planned["totals"]) == {f"Amount {one['Vendor']}" for one in ROWS[2:]} | {
        "Amount Öl AG",
        "Amount (no Vendor)",
    }
    book = load_workbook(planned["workbook"])
    header, *rows = book["Rows"].iter_rows(values_only=True, max_col=7)
    book.close()
    assert header == ("row", "Invoice No", "Due", "Urgent", "Amount", "Vendor", "state")
    shown = [(None if amount is None else f"{amount:.2f}", by, state) for *_, amount, by, state in rows]
    assert shown[:3] == [
        (ROWS[0]["Amount"], "Öl AG", "ready"),
        (ROWS[1]["Amount"], None, "invalid"),
        (None, ROWS[2]["Vendor"], "invalid"),
    ]
    desk.approve().ended(0)
    desk.run_plan().ended(1)
    assert len(desk.server.requests) == 3
