"""Which key may be used where, and that none is ever stored, logged or shown."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from finance_desk import Desk, at_a_desk, in_the_background, invoices, leaks
from independent_server import LIVE_KEY, SANDBOX_KEY

MIX_UPS = {
    "live key in the sandbox": ("sandbox", {"RAPIDFOLIO_API_KEY": LIVE_KEY}),
    "sandbox key on live": ("live", {"RAPIDFOLIO_API_KEY": SANDBOX_KEY}),
    "live key under the sandbox's name": ("sandbox", {"RAPIDFOLIO_SANDBOX_KEY": LIVE_KEY}),
    "sandbox key under live's name": ("live", {"RAPIDFOLIO_LIVE_KEY": SANDBOX_KEY}),
}


@pytest.mark.parametrize("case", MIX_UPS)
def test_a_key_of_the_other_world_is_refused_before_any_request(tmp_path: Path, case: str) -> None:
    environment, keys = MIX_UPS[case]
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(3))
        del desk.environment["RAPIDFOLIO_API_KEY"]
        refused = desk.run("-e", environment, "--yes", environment=keys).ended(2)
        assert desk.server.requests == []
        assert refused.document["error"]["code"]


def test_live_without_yes_and_without_a_terminal_sends_nothing(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(3))
        refused = desk.run("-e", "live", key=LIVE_KEY).ended(2)
        assert desk.server.requests == []
        assert desk.batches() == []
        assert "--yes" in refused.document["error"]["message"]


def test_live_with_yes_runs_on_live(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(3))
        outcome = desk.run("-e", "live", "--yes", key=LIVE_KEY).ended(0)
        assert outcome.document["environment"] == "live"
        assert {start.path for start in desk.server.starts} == {"/v1/procedures/proc_payout/live"}
        assert "no earlier" in outcome.words


@pytest.mark.slow
def test_live_without_a_pinned_version_warns(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.job(lambda text: text.replace(", version: v2", ""))
        desk.sheet(invoices(1))
        assert "version" in desk.run("-e", "live", "--yes", key=LIVE_KEY).ended(0).stderr


def test_each_environment_finds_its_own_key_and_knows_nothing_of_the_others_rows(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(2))
        keys = {"RAPIDFOLIO_SANDBOX_KEY": SANDBOX_KEY, "RAPIDFOLIO_LIVE_KEY": LIVE_KEY}
        desk.run(key="", environment=keys).ended(0)
        desk.run("-e", "live", "--yes", key="", environment=keys).ended(0)
        assert len(desk.server.runs) == 4


@pytest.mark.slow
def test_a_key_in_a_dotenv_file_beside_the_job_is_found(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(1))
        dotenv = desk.folder / ".env"
        dotenv.write_text(f"RAPIDFOLIO_API_KEY={SANDBOX_KEY}\n", encoding="utf-8")
        desk.run(key="").ended(0)
        dotenv.unlink()


def everything_goes_wrong(desk: Desk) -> None:
    """Make the server echo the key in whatever it says."""
    switches = desk.server.switches
    switches.refuse = lambda data: f"key {SANDBOX_KEY} may not pay" if data["invoiceNumber"] == "00003" else None
    switches.fail = lambda data: f"Bearer {SANDBOX_KEY} failed" if data["invoiceNumber"] == "00004" else None
    switches.break_after_accepting = lambda data: data["invoiceNumber"] == "00005"
    switches.drop_after_accepting = lambda data: data["invoiceNumber"] == "00006"
    switches.review = lambda data: bool(data["invoiceNumber"] == "00007")


def test_the_key_is_in_no_output_journal_workbook_or_events_file(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, busy_first=1) as desk:
        desk.server.switches.break_after_accepting = lambda data: data["invoiceNumber"] == "00005"
        desk.server.switches.drop_after_accepting = lambda data: data["invoiceNumber"] == "00006"
        desk.server.switches.review = lambda data: bool(data["invoiceNumber"] == "00007")
        desk.sheet(invoices(20))
        outcomes = [
            desk.run("--events", "events.jsonl"),
            desk.command("doctor", "--json"),
            desk.command("show", "last", "--row", "6"),
            desk.command("refresh", "last"),
            desk.run(key=SANDBOX_KEY + "wrong"),
        ]
        assert (desk.folder / "events.jsonl").stat().st_size > 0
        assert desk.journal.stat().st_size > 0
        assert all("CANARY" not in outcome.stdout + outcome.stderr for outcome in outcomes)
        assert leaks(tmp_path) == []


def test_a_key_that_the_api_echoes_in_its_errors_is_not_kept_either(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.job(in_the_background)
        everything_goes_wrong(desk)
        desk.sheet(invoices(20))
        desk.run("--events", "events.jsonl").ended(1)
        assert leaks(tmp_path) == []


def test_a_key_would_be_found_in_a_plain_and_in_a_packed_file(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text(SANDBOX_KEY, encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "packed.xlsx", "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("xl/sheet.xml", f"<v>{LIVE_KEY}</v>")
    assert sorted(leaks(tmp_path)) == ["packed.xlsx!xl/sheet.xml", "plain.txt"]


def test_the_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(1))
        desk.run().ended(0)
        assert desk.journal.stat().st_mode & 0o777 == 0o600
