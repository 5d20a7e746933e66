"""A new laptop adopts a batch by its evidence: it knows then what was sent, and goes on without sending it twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crashing_batchrun import CrashDesk, Crasher, at_a_crash_desk
from finance_desk import in_the_background, invoices, killed, until
from independent_server import LIVE_KEY

ADOPTED = {
    *("version", "file", "batch", "was", "journal", "as_of", "manifest_sha256", "counts", "totals", "next", "error"),
}
ROWS = invoices(6)


@contextmanager
def two_laptops(folder: Path, crasher: Crasher, **switches: Any) -> Iterator[tuple[CrashDesk, CrashDesk]]:
    """Give the desk at which a batch begins, and another with a journal of its own; the API is the same."""
    (folder / "old").mkdir()
    (folder / "new").mkdir()
    with at_a_crash_desk(folder / "old", crasher, **switches) as old:
        new = CrashDesk(folder / "new", old.server)
        new.crasher = crasher
        for desk in (old, new):
            desk.sheet(ROWS)
        yield old, new


def handed_over(old: CrashDesk, new: CrashDesk) -> Path:
    """Make the evidence of the last batch on the old laptop, and carry it to the new one."""
    pack = new.folder / "pack.zip"
    old.command("evidence", "last", "-o", str(pack)).ended(0)
    return pack


def test_a_batch_that_was_adopted_ran_before(tmp_path: Path, crasher: Crasher) -> None:
    with two_laptops(tmp_path, crasher) as (old, new):
        old.run().ended(0)
        handed_over(old, new)
        adopted = new.command("adopt", "pack.zip", "--json").ended(0)
        assert set(adopted.document) == ADOPTED
        assert (adopted.document["batch"], adopted.document["counts"]) == ("payouts-001", {"completed": 6})
        sent = len(old.server.starts)
        refused = new.run().ended(2)
        assert refused.document["error"]["code"] == "already-ran"
        new.sheet([*ROWS, *invoices(1, first=90)])
        more = new.run().ended(1)
        assert more.document["counts"] == {"duplicate": 6, "completed": 1}
        assert len(old.server.starts) == sent + 1


def test_what_is_known_of_an_adopted_batch_is_shown_and_reported(tmp_path: Path, crasher: Crasher) -> None:
    with two_laptops(tmp_path, crasher) as (old, new):
        old.run().ended(0)
        handed_over(old, new)
        new.command("adopt", "pack.zip").ended(0)
        (batch,) = new.batches()
        assert (batch["batch"], batch["rows"]) == ("payouts-001", 6)
        there, here = (
            desk.command("show", "payouts-001", "--row", "3", "--json").ended(0).document for desk in (old, new)
        )
        assert here == there
        reported = new.json("report").ended(0)
        assert new.answer(reported).column("_run_id") == old.answer(old.json("report").ended(0)).column("_run_id")
        assert json.loads(new.command("status", "last", "--json").ended(0).stdout)["counts"] == {"completed": 6}


def test_the_new_laptop_goes_on_and_what_was_under_way_is_in_doubt(tmp_path: Path, crasher: Crasher) -> None:
    with two_laptops(tmp_path, crasher, never_answer=lambda data: data["invoiceNumber"] == "00002") as (old, new):
        old.job(lambda text: text.replace("concurrency: 8", "concurrency: 1"))
        with old.sending() as sender:
            until(lambda: len(old.server.starts), lambda count: count >= 2)
            killed(sender)
        assert old.states() == {"completed": 1, "sending": 1, "ready": 4}
        handed_over(old, new)
        adopted = new.command("adopt", "pack.zip").ended(0)
        assert "5 rows of payouts-001 are still to be sent" in adopted.words
        assert "TWICE" in adopted.words
        assert len(old.server.starts) == 2, "adopting sends nothing"
        new.json("resume").ended(1)
        assert new.states() == {"completed": 5, "in_doubt": 1}
        numbers = [start.json["data"]["invoiceNumber"] for start in old.server.starts]
        assert sorted(numbers) == [row["Invoice No"] for row in ROWS]
        run_id = next(run.run_id for run in old.server.runs.values() if run.data["invoiceNumber"] == "00002")
        settled = new.json("resolve", "--row", "3", "--run-id", run_id)
        assert settled.code in (0, 4), settled.stderr
        assert "in_doubt" not in new.states()


def test_an_open_run_is_followed_on_the_new_laptop(tmp_path: Path, crasher: Crasher) -> None:
    with two_laptops(tmp_path, crasher, run_seconds=60) as (old, new):
        old.job(in_the_background)
        old.run("--no-wait").ended(4)
        handed_over(old, new)
        adopted = new.command("adopt", "pack.zip").ended(0)
        assert "still open" in adopted.words
        for run in old.server.runs.values():
            run.created -= 61
        new.json("refresh").ended(0)
        assert new.states() == {"completed": 6}
        assert len(old.server.starts) == 6


def test_a_pack_comes_once_and_an_altered_one_never(tmp_path: Path, crasher: Crasher) -> None:
    with two_laptops(tmp_path, crasher) as (old, new):
        old.run().ended(0)
        pack = handed_over(old, new)
        whole = pack.read_bytes()
        altered = new.folder / "altered.zip"
        altered.write_bytes(whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:])
        refused = new.command("adopt", "altered.zip", "--json").ended(2)
        assert set(refused.document) == ADOPTED
        assert refused.document["error"]["code"] == "altered"
        assert new.batches() == []
        new.command("adopt", "pack.zip").ended(0)
        again = new.command("adopt", "pack.zip", "--json").ended(2)
        assert again.document["error"]["code"] == "known"
        assert again.document["next"] == "batchrun status payouts-001"
        assert len(new.batches()) == 1
        old.command("adopt", str(pack)).ended(2)


def test_a_crash_while_adopting_leaves_the_journal_as_it_was(tmp_path: Path, crasher: Crasher) -> None:
    with two_laptops(tmp_path, crasher) as (old, new):
        old.run().ended(0)
        handed_over(old, new)
        new.batches()  # makes the journal, whose making has commits of its own
        assert new.crash(1, "adopt", "pack.zip").at == "before a commit"
        assert new.batches() == []
        assert new.crash(2, "adopt", "pack.zip").at == "after a commit"
        assert [batch["batch"] for batch in new.batches()] == ["payouts-001"]


def test_a_live_batch_is_known_on_the_new_laptop(tmp_path: Path, crasher: Crasher) -> None:
    with two_laptops(tmp_path, crasher) as (old, new):
        old.run("-e", "live", "--yes", key=LIVE_KEY).ended(0)
        handed_over(old, new)
        new.command("adopt", "pack.zip").ended(0)
        assert new.run("-e", "live", "--yes", key=LIVE_KEY).ended(2).document["error"]["code"] == "already-ran"


def test_duplicates_of_batches_that_did_not_come_along_are_warned_of(tmp_path: Path, crasher: Crasher) -> None:
    with two_laptops(tmp_path, crasher) as (old, new):
        old.run().ended(0)
        first = new.folder / "first.zip"
        old.command("evidence", "last", "-o", str(first)).ended(0)
        old.sheet([*ROWS[:2], *invoices(1, first=90)])
        old.run().ended(1)
        handed_over(old, new)
        told = new.command("adopt", "pack.zip").ended(0).words
        assert "2 rows of it were not sent as duplicates of batches that this journal does not know" in told
        assert "(row 2: the key is taken by row 2 of payouts-001 (completed, sent " in told
        new.command("adopt", "first.zip").ended(0)
        new.sheet(ROWS[:2])
        assert new.run().ended(1).document["counts"] == {"duplicate": 2}


def test_duplicates_of_a_batch_that_came_along_are_not_warned_of(tmp_path: Path, crasher: Crasher) -> None:
    with two_laptops(tmp_path, crasher) as (old, new):
        old.run().ended(0)
        handed_over(old, new)
        new.command("adopt", "pack.zip").ended(0)
        old.sheet([*ROWS[:2], *invoices(1, first=90)])
        old.run().ended(1)
        old.command("evidence", "last", "-o", str(new.folder / "second.zip")).ended(0)
        assert "does not know" not in new.command("adopt", "second.zip").ended(0).words
