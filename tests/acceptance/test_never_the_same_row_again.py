"""The same job again, the same keys again, two senders at once: no row twice by the server's own ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from finance_desk import Desk, at_a_desk, invoices, killed, until, with_cell

ROWS = invoices(20)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with at_a_desk(tmp_path_factory.mktemp("done")) as desk:
        desk.sheet(ROWS)
        desk.run().ended(0)
        yield desk
        assert set(Counter(desk.server.sent("invoiceNumber")).values()) == {1}


def test_the_same_job_again_is_refused_and_names_the_earlier_batch(done: Desk) -> None:
    again = done.run().ended(2)
    assert "payouts-001" in again.document["error"]["message"]
    assert "payouts-001" in again.stderr


def test_or_resume_with_nothing_to_do_ends_with_0(done: Desk) -> None:
    assert done.run("--or-resume").ended(0).document["batch"] == "payouts-001"


def test_again_makes_a_batch_whose_keys_are_duplicates_and_not_sent(done: Desk) -> None:
    again = done.run("--again").ended(1)
    assert again.document["batch"] != "payouts-001"
    assert again.document["counts"] == {"duplicate": 20}


def test_what_was_refused_says_how_rows_whose_keys_are_taken_can_be_sent(done: Desk) -> None:
    assert "--allow-duplicates" in done.run("--again", "--limit", "3").ended(1).stderr


def test_a_taken_workbook_name_gets_a_number_and_is_told(done: Desk) -> None:
    before = (done.folder / "results.xlsx").read_bytes()
    taken = done.run("--again", "--limit", "1").ended(1)
    assert Path(taken.document["workbook"]).name.startswith("results-")
    assert Path(taken.document["workbook"]).name in taken.stderr
    assert (done.folder / "results.xlsx").read_bytes() == before


def test_duplicates_by_key_in_a_second_sheet_are_not_sent(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(10))
        desk.run().ended(0)
        desk.sheet(invoices(10, first=6), "november.csv")
        second = desk.run("--input", "november.csv").ended(1)
        assert second.document["counts"] == {"completed": 5, "duplicate": 5}
        assert sorted(desk.server.sent("invoiceNumber")) == [row["Invoice No"] for row in invoices(15)]
        assert desk.answer(second).column("_status") == ["duplicate"] * 5 + ["completed"] * 5
        assert Path(second.document["workbook"]).name == "results-2.xlsx"


def test_the_same_key_with_another_payload_is_told(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(3))
        desk.run().ended(0)
        desk.sheet(with_cell(invoices(3), 1, Amount="74.15"), "corrected.csv")
        told = desk.run("--input", "corrected.csv").ended(1)
        assert "corrected.csv!A3" in told.stderr or "00002" in told.stderr or "another payload" in told.words, (
            told.words
        )


def test_allow_duplicates_sends_them_after_all(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(3))
        desk.run().ended(0)
        desk.run("--again", "--allow-duplicates").ended(0)
        assert Counter(desk.server.sent("invoiceNumber")) == {"00001": 2, "00002": 2, "00003": 2}


def test_a_row_that_another_batch_sent_meanwhile_is_not_sent_by_resume(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(10))
        desk.run(key="rsk_sandbox_old").ended(3)
        desk.run("--again").ended(0)
        desk.command("resume", "payouts-001", "--json")
        assert set(Counter(desk.server.sent("invoiceNumber")).values()) == {1}


def test_two_batches_that_run_at_once_share_no_key(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(60))
        desk.sheet(invoices(60)[::-1], "turned.csv")
        first = desk.started("run", "payouts.yaml", "--rate", "20/s", "--json")
        until(lambda: len(desk.server.starts), lambda count: count >= 2)
        second = desk.run("--input", "turned.csv", "--rate", "20/s")
        first.communicate(timeout=60)
        twice = [key for key, count in Counter(desk.server.sent("invoiceNumber")).items() if count > 1]
        assert twice == [], second.stderr


def test_a_second_sender_for_a_running_batch_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, latency=0.2) as desk:
        desk.sheet(invoices(40))
        running = desk.started("run", "payouts.yaml", "--rate", "20/s", "--json")
        until(lambda: len(desk.server.starts), lambda count: count >= 2)
        second = desk.command("resume", "last", "--json").ended(2)
        assert running.poll() is None
        assert len(second.stderr.strip().splitlines()) == 1, second.stderr
        assert "payouts-001" in second.document["error"]["message"]
        desk.command("status", "last", "--json").ended(0)
        until(lambda: len(desk.server.runs), lambda count: count >= 2)
        killed(running)
        assert set(Counter(desk.server.sent("invoiceNumber")).values()) == {1}


@pytest.mark.slow
def test_the_same_run_started_twice_at_once_sends_each_row_once(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(60))
        both = [desk.started("run", "payouts.yaml", "--rate", "40/s", "--json") for _ in range(2)]
        for process in both:
            process.communicate(timeout=60)
        assert Counter(desk.server.sent("invoiceNumber")) == Counter(row["Invoice No"] for row in invoices(60))


def test_rows_of_an_earlier_batch_are_named_with_its_date_state_and_run_before_anything_is_sent(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(5))
        desk.run().ended(0)
        earlier = [
            f"row {number} ({number - 1:05d}) is a duplicate: the key is taken by row {number} of payouts-001 "
            f"(completed, sent {datetime.now(UTC):%Y-%m}"
            for number in (2, 3, 4)
        ]
        desk.sheet(invoices(6))
        for done in (desk.command("check", "payouts.yaml").ended(1), desk.run().ended(1)):
            assert [one for one in earlier if one not in done.words] == [], done.words
            assert done.words.count(" is a duplicate: ") == 3
            assert "and 2 more duplicates" in done.words
            assert ", run run_" in done.words
        assert len(desk.server.starts) == 6


def test_last_months_sheet_under_this_months_name_is_told_though_its_keys_may_come_again(tmp_path: Path) -> None:
    monthly = "job: payouts\nparams:\n  period: {default: 2026-10}\nonce_per: [period]\n"
    with at_a_desk(tmp_path) as desk:
        desk.job(lambda text: text.replace("job: payouts\n", monthly))
        desk.sheet(invoices(3))
        assert "this very sheet" not in desk.run().ended(0).words
        told = "was sent on {} as payouts-2026-10-001 (with period 2026-10), and rows of it would be sent again"
        november = ("--param", "period=2026-11")
        checked = desk.command("check", "payouts.yaml", *november).ended(0).words
        planned = desk.command("plan", "payouts.yaml", *november, "-o", "p.plan.json", "--base-url", desk.server.origin)
        date = json.loads((tmp_path / "p.plan.json").read_bytes())["made_at"][:10]
        for words in (checked, planned.ended(0).words, desk.run(*november).ended(0).words):
            assert told.format(date) in words
        desk.sheet(invoices(4))
        assert "this very sheet" not in desk.run("--param", "period=2026-12").ended(0).words


def test_a_key_that_only_a_program_can_tell_from_one_that_was_sent_is_no_good_key(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(2))
        desk.job(lambda text: text.replace("key: Invoice No", "key: [Invoice No, Vendor]"))
        desk.run().ended(0)
        desk.sheet(with_cell(invoices(2), 0, Vendor=f"{invoices(1)[0]['Vendor']}\u200b"))
        (problem,) = desk.command("check", "payouts.yaml", "--json").ended(1).document["problems"]
        assert (problem["cell"], problem["code"]) == ("payouts.csv!B2", "key-unseen")
        assert "a character that nobody sees (U+200B)" in problem["message"]
        desk.run().ended(2)
        assert len(desk.server.starts) == 2
