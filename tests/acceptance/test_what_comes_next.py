"""What is printed as the next command means the same rows, and leads on; a file of another kind is told as that."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from finance_desk import Desk, Outcome, at_a_desk, invoices

ROWS = invoices(6)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with at_a_desk(tmp_path) as one:
        one.sheet(ROWS)
        yield one


def told(outcome: Outcome) -> list[str]:
    """Give the words of the command that is printed as the next one."""
    (line,) = [line for line in (outcome.stdout + outcome.stderr).splitlines() if line.startswith("Next: ")]
    return shlex.split(line.removeprefix("Next: batchrun "))


def test_a_check_of_some_rows_of_another_file_leads_to_a_rehearsal_of_those(desk: Desk) -> None:
    desk.sheet(invoices(4, first=50), "another month.csv")
    asked = ("--input", "another month.csv", "--rows", "2-4", "--limit", "2", "--skip-invalid", "--expect-rows", "2")
    words = told(desk.command("check", "payouts.yaml", *asked, origin=False).ended(0))
    assert words[:2] == ["run", "payouts.yaml"]
    assert words[-1] == "--simulate"
    assert {*asked} <= {*words}
    done = desk.command(*words, "--json", origin=False).ended(0)
    assert done.document["counts"] == {"completed": 2}


def test_a_check_against_another_api_leads_to_a_run_there(desk: Desk) -> None:
    words = told(desk.command("check", "payouts.yaml", "--base-url", desk.server.origin).ended(0))
    assert words == ["run", "payouts.yaml", "--base-url", desk.server.origin]
    assert desk.command(*words, "--json").ended(0).document["counts"] == {"completed": 6}


def test_rows_that_were_refused_lead_to_their_correction_and_to_their_retry(desk: Desk) -> None:
    desk.server.switches.refuse = lambda data: "blocked" if data["invoiceNumber"].endswith("3") else None
    refused = desk.run().ended(1)
    report = shlex.split(refused.document["next"])[1:]
    assert report == ["report", "payouts-001", "--only", "refused", "-o", "payouts-001.refused.xlsx"]
    written = desk.command(*report, "--json").ended(0)
    desk.server.switches.refuse = lambda data: None
    retry = shlex.split(written.document["next"])[1:]
    assert retry[:3] == ["retry", "payouts-001", "--input"]
    assert desk.command(*retry, "--json").ended(0).document["counts"] == {"completed": 6}


def test_nothing_to_compare_with_leads_to_no_run(desk: Desk) -> None:
    compared = desk.command("compare", "payouts.yaml").ended(2)
    assert told(compared) == ["status"]


def test_a_batch_without_doubts_has_nothing_to_settle(desk: Desk) -> None:
    desk.run().ended(0)
    settled = desk.command("resolve", "payouts-001", "--json").ended(2)
    assert settled.document["error"]["message"] == "payouts-001 has no row in doubt, so nothing is to settle"


@pytest.mark.parametrize("command", ["check", "run", "compare"])
def test_a_sheet_is_no_job(desk: Desk, command: str) -> None:
    refused = desk.command(command, "payouts.csv").ended(2)
    assert "payouts.csv is a sheet, and a job is wanted" in refused.stderr
    assert told(refused) == ["init", "payouts.csv"]


@pytest.mark.parametrize("command", ["status", "resume", "show"])
def test_a_job_is_no_batch_and_its_last_one_is_named(desk: Desk, command: str) -> None:
    more = ("--row", "2") if command == "show" else ()
    unknown = desk.command(command, "payouts.yaml", *more).ended(2)
    assert "payouts.yaml is a job, and a batch is wanted" in unknown.stderr or "holds no batch yet" in unknown.stderr
    desk.run().ended(0)
    refused = desk.command(command, "payouts.yaml", *more).ended(2)
    assert "payouts.yaml is a job, and a batch is wanted; the last batch of it is payouts-001" in refused.stderr


def test_the_files_of_a_plan_are_not_mistaken_for_an_altered_one(desk: Desk) -> None:
    desk.command("plan", "payouts.yaml", "-o", "october.plan.json", "--base-url", desk.server.origin).ended(0)
    refused = desk.command("approve", "october.plan.xlsx", "--as", "Bea").ended(2)
    assert "october.plan.xlsx is a workbook, and no plan; the plan itself is october.plan.json" in refused.stderr
    desk.command("approve", "october.plan.json", "--as", "Bea").ended(0)
    mistaken = desk.command("run", "--plan", "october.approval.json", origin=False).ended(2)
    assert "october.approval.json is an approval; name the plan of it" in mistaken.stderr
    assert (
        "payouts.yaml is a job, and no plan of it"
        in desk.command("run", "--plan", "payouts.yaml", origin=False).ended(2).stderr
    )
    as_job = desk.command("run", "october.plan.json").ended(2)
    assert told(as_job) == ["run", "--plan", "october.plan.json"]
    assert "is an approval, and a job is wanted" in desk.command("run", "october.approval.json").ended(2).stderr
    assert desk.server.starts == []


def test_a_sheet_that_is_open_elsewhere_is_read_and_that_is_told(desk: Desk) -> None:
    (desk.folder / "~$payouts.csv").write_bytes(b"")
    for command in (("check", "payouts.yaml"), ("run", "payouts.yaml", "--simulate")):
        said = desk.command(*command, origin=False).ended(0)
        assert "payouts.csv is open in a spreadsheet program just now; what is not saved there is not read" in (
            said.stdout + said.stderr
        )


def test_an_example_of_an_expected_total_can_be_pasted(desk: Desk) -> None:
    refused = desk.command("check", "payouts.yaml", "--expect-total", "Net Amount=1,5").ended(2)
    assert "write for example 'Net Amount=48210.55'" in refused.stderr


def test_what_another_window_is_sending_leads_to_nothing_but_waiting(desk: Desk) -> None:
    desk.server.switches.latency = 0.3
    with desk.started("run", "payouts.yaml", "--rate", "2/s", "--base-url", desk.server.origin) as sender:
        while not desk.server.starts:
            assert sender.poll() is None
        assert desk.command("status", "payouts-001", "--json").ended(0).document["next"] is None
        sender.communicate()


def test_a_row_that_was_given_another_row_s_run_is_settled_before_more_is_sent(desk: Desk) -> None:
    desk.server.switches.run_id = lambda number: f"run_{min(number, 2):06d}x"
    stopped = desk.run("--concurrency", "1").ended(3)
    assert "which belongs to another row already" in stopped.document["stopped"]
    assert "before more is sent" in stopped.document["stopped"]
    settle = "batchrun resolve payouts-001"
    assert stopped.document["next"] == settle
    assert desk.command("status", "payouts-001", "--json").document["next"] == settle
    assert desk.run().ended(2).document["next"] == settle
    (doubtful,) = [row["_row"] for row in desk.answer(stopped).rows if row["_status"] == "in_doubt"]
    desk.server.switches.run_id = lambda number: f"run_{number:06d}x"
    settled = desk.command("resolve", "payouts-001", "--row", str(doubtful), "--not-run", "--yes", "--json")
    assert settled.document["next"] == "batchrun resume payouts-001"
