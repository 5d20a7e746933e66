"""`history`, `purge` and `journal` as commands: what the journal remembers of a key, what it forgets, and a copy."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from crashing_batchrun import CRASHED, CrashDesk, Crasher, at_a_crash_desk
from finance_desk import Outcome, in_the_background, invoices, killed, until, with_cell
from ledger_server import Fault, at_a_ledger, for_keys
from review_desk import at_a_review_desk

ROWS = with_cell(invoices(6), 1, Vendor="SECRETNAME GmbH")
SECRET = b"SECRETNAME"
PURGE = ("purge", "--before", "2100-01-01", "--yes")
HISTORY_KEYS = {
    *("version", "key", "journal", "journals", "batches_searched", "from", "to"),
    *("found", "similar", "more_similar", "error"),
}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the crasher forks")


@contextmanager
def at_a_desk_with_a_batch(folder: Path, crasher: Crasher, **switches: Any) -> Iterator[CrashDesk]:
    """Give a desk with one batch of six rows that have ended; the third was refused."""

    def blocked(data: Any) -> str | None:
        return f"{data['vendor']} is blocked" if data["invoiceNumber"] == "00003" else None

    with at_a_crash_desk(folder, crasher, refuse=blocked, **switches) as desk:
        desk.sheet(ROWS)
        desk.run().ended(1)
        yield desk


def history(desk: CrashDesk, *words: str, code: int = 0) -> Any:
    document = desk.command("history", *words, "--json").ended(code).document
    assert set(document) == HISTORY_KEYS
    return document


def rehearsed(desk: CrashDesk, *words: str) -> None:
    """Run the desk's job against a simulator of its own."""
    line = ["run", "payouts.yaml", "--simulate", "--json", *words]
    assert desk.crasher.run(line, desk.folder, desk.environment).code == 0


def secrets_in(desk: CrashDesk) -> list[str]:
    """Name the journal's own files in which the secret stands as it is."""
    return [
        path.name for path in desk.journal.parent.glob("journal.db*") if path.is_file() and SECRET in path.read_bytes()
    ]


def asked(desk: CrashDesk, question: str) -> list[Any]:
    with closing(sqlite3.connect(desk.journal)) as journal:
        return journal.execute(question).fetchall()


def test_a_key_is_told_with_all_that_became_of_it(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_desk_with_a_batch(tmp_path, crasher) as desk:
        desk.sheet(with_cell(ROWS[:2], 0, Amount="999.99"))
        desk.run("--allow-duplicates").ended(0)
        rehearsed(desk, "--again", "--rows", "2")
        told = history(desk, "00001")
        assert [one["batch"] for one in told["found"]] == ["payouts-001", "payouts-002", "payouts-003"]
        assert [one["payload_number"] for one in told["found"]] == [1, 2, 2]
        assert [one["simulated"] for one in told["found"]] == [False, False, True]
        assert (told["batches_searched"], told["journal"]) == (3, str(desk.journal))
        (first, *_) = told["found"]
        assert (first["row"], first["state"], first["takes_key"], first["attempts"]) == (2, "completed", True, 1)
        assert first["run_id"] in desk.server.runs
        refused = history(desk, "00003")["found"][0]
        assert (refused["state"], refused["takes_key"], refused["run_id"]) == ("refused", False, None)
        words = desk.command("history", "00001").ended(0).stdout
        for text in (
            '"00001" is in 3 rows of 3 batches',
            "number 2 of 2 that differ",
            "nothing really ran",
            str(desk.journal),
        ):
            assert text in words
        assert "runs that were started elsewhere" in " ".join(words.split())


def test_a_key_that_is_nowhere_is_said_so_with_those_that_are_nearly_it(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_desk_with_a_batch(tmp_path, crasher) as desk:
        outcome = desk.command("history", "1").ended(0)
        assert 'No row of the batches that were searched has the key "1".' in outcome.stdout
        assert "differs in leading zeros" in outcome.stdout
        told = history(desk, "O0001")
        assert (told["found"], [(one["key"], one["batch"]) for one in told["similar"][:1]]) == (
            [],
            [(["00001"], "payouts-001")],
        )


def test_a_journal_without_a_batch_says_so(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        outcome = desk.command("history", "00001").ended(0)
        assert "which holds no batch yet" in outcome.stdout
        assert history(desk, "00001")["from"] is None
        failed = desk.command("history", "  ", "--json").ended(2).document
        assert (set(failed), failed["error"]["code"]) == (HISTORY_KEYS, "bad-command-line")
        assert desk.command("history", "--json").ended(2).document["found"] == []


def test_a_verified_key_is_read_from_the_api_and_the_journal_stays_as_it_is(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_desk_with_a_batch(tmp_path, crasher) as desk:
        before, starts = asked(desk, "SELECT * FROM rows"), len(desk.server.starts)
        (found,) = history(desk, "00001", "--verify")["found"]
        (now,) = found["verified"]
        assert (now["api"], now["differences"], now["same_payload"]) == ("completed", [], True)
        run = desk.server.runs[found["run_id"]]
        desk.server.runs[found["run_id"]] = type(run)(**{**vars(run), "data": {**run.data, "amount": 1}})
        (now,) = history(desk, "00001", "--verify")["found"][0]["verified"]
        assert now["differences"] == ["its input is not this row's payload"]
        assert "DIFFERS: its input is not" in desk.command("history", "00001", "--verify").ended(0).stdout
        del desk.server.runs[found["run_id"]]
        (now,) = history(desk, "00001", "--verify")["found"][0]["verified"]
        assert (now["api"], now["differences"]) == ("missing", [f"the API knows no run {found['run_id']}"])
        assert history(desk, "00003", "--verify")["found"][0]["verified"] == []
        assert (asked(desk, "SELECT * FROM rows"), len(desk.server.starts)) == (before, starts)


def test_a_run_that_went_on_meanwhile_is_told_and_not_taken_in(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, run_seconds=0.0, review=lambda data: True) as desk:
        desk.job(in_the_background)
        desk.sheet(ROWS[:1])
        desk.run().ended(4)
        desk.server.approve()
        told = history(desk, "00001", "--verify")["found"][0]
        assert told["state"] == "awaiting_review"
        assert told["verified"][0]["differences"][0].startswith("the API says completed, the journal awaiting review")
        assert history(desk, "00001")["found"][0]["state"] == "awaiting_review"


def test_a_run_that_cannot_be_read_is_told_beside_what_the_journal_says(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_desk_with_a_batch(tmp_path, crasher) as desk:
        for key, code, error in (("", 2, "bad-key"), ("rsk_sandbox_wrong", 3, "not-read")):
            document = desk.command("history", "00001", "--verify", "--json", key=key).ended(code).document
            assert (set(document), document["error"]["code"]) == (HISTORY_KEYS, error)
            assert document["found"][0]["state"] == "completed"
            assert document["found"][0]["verified"][0]["unread"]


def test_a_rehearsal_is_verified_by_its_own_simulator(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.sheet(ROWS[:2])
        rehearsed(desk)
        (found,) = history(desk, "00001", "--verify")["found"]
        assert (found["verified"][0]["api"], found["verified"][0]["differences"]) == ("completed", [])
        desk.command(*PURGE).ended(0)
        document = history(desk, "00001", "--verify", code=3)
        assert "no longer kept" in document["error"]["message"]


def test_a_decision_is_told_with_who_decided_and_forgets_its_words_in_a_purge(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_review_desk(tmp_path, crasher) as desk:
        desk.waits(2)
        with desk.typing() as typist:
            typist.approve("00001")
            typist.reject("00002", reason="SECRETNAME owes us")
            typist.type("00002", _reviewer="Anna")
        desk.review("--yes").ended(1)
        decided = desk.command("history", "00002", "--json").ended(0).document["found"][0]["decisions"]
        assert [(one["approved"], one["reviewer"], one["rejection_reason"]) for one in decided] == [
            (False, "Anna", "SECRETNAME owes us")
        ]
        desk.command(*PURGE).ended(0)
        assert "SECRETNAME" not in "".join(desk.dump())
        found = desk.command("history", "00002", "--json").ended(0).document["found"][0]
        assert (found["takes_key"], found["decisions"][0]["reviewer"]) == (True, "Anna")
        assert "rejected by Anna" in desk.command("history", "00002").ended(0).stdout
        for words in (("review", desk.workbook, "--yes"), ("review", "payouts-001", "--dry-run")):
            assert (
                "were removed from the journal on"
                in desk.command(*words, "--json").ended(2).document["error"]["message"]
            )


def test_a_secret_of_a_cell_is_in_no_file_of_the_journal_after_a_purge(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_desk_with_a_batch(tmp_path, crasher) as desk:
        assert secrets_in(desk) != []
        document = desk.command(*PURGE, "--json").ended(0).document
        assert (document["erased"], [one["batch"] for one in document["purged"]]) == (True, ["payouts-001"])
        assert secrets_in(desk) == []
        assert asked(desk, "SELECT count(*) FROM file_pieces") == [(0,)]
        assert "SECRETNAME" not in str(asked(desk, "SELECT * FROM rows")) + str(asked(desk, "SELECT * FROM events"))
        again = desk.command(*PURGE, "--json").ended(0).document
        assert (again["purged"], again["purged_earlier"]) == ([], 1)


def test_every_command_says_of_a_purged_batch_that_it_was_purged(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_desk_with_a_batch(tmp_path, crasher) as desk:
        before = desk.command("status", "payouts-001", "--json").ended(0).document
        workbook = Path(before["workbook"]).read_bytes()
        desk.command(*PURGE).ended(0)
        told = "the payloads and cells of payouts-001 were removed from the journal on "
        for words, code in (
            (("status", "payouts-001"), 0),
            (("show", "payouts-001", "--row", "2"), 0),
            (("history", "00001"), 0),
            (("resume", "payouts-001"), 1),
            (("refresh", "payouts-001"), 1),
            (("cancel", "payouts-001"), 1),
            (("report", "payouts-001"), 2),
            (("report", "payouts-001", "--only", "refused", "-o", "refused.csv"), 2),
            (("retry", "payouts-001"), 2),
            (("retry", "payouts-001", "--input", "payouts.csv"), 2),
            (("resolve", "payouts-001", "--row", "2", "--not-run", "--yes"), 2),
            (("run", "payouts.yaml", "--or-resume"), 0),
        ):
            outcome = desk.command(*words).ended(code)
            assert outcome.stdout.count(told) + outcome.stderr.count(told) == 1, (words, outcome)
        assert "(purged 2" in desk.command("status").ended(0).stdout
        assert desk.batches()[0]["purged"]
        assert desk.command("show", "payouts-001", "--row", "2", "--json").ended(0).document["payload"] is None
        assert desk.command("status", "payouts-001", "--json").ended(0).document == before
        assert Path(before["workbook"]).read_bytes() == workbook
        assert len(desk.server.runs) == 5


def test_a_corrected_row_is_shown_after_a_purge(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_desk_with_a_batch(tmp_path, crasher) as desk:
        desk.sheet(with_cell(ROWS[2:3], 0, Vendor="Other SECRETNAME"), name="again.csv")
        desk.command("retry", "payouts-001", "--input", "again.csv").ended(1)
        desk.command(*PURGE).ended(0)
        shown = desk.command("show", "payouts-001", "--row", "4").ended(0).stdout
        assert "from again.csv by" in shown
        assert "SECRETNAME" not in shown
        document = desk.command("show", "payouts-001", "--row", "4", "--json").ended(0).document
        assert (document["corrections"][0]["payload_before"], document["corrections"][0]["file"]) == (None, "again.csv")
        assert "corrected" in desk.command("history", "00003").ended(0).stdout


def test_a_key_stays_taken_and_the_same_sheet_stays_known_after_a_purge(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_desk_with_a_batch(tmp_path, crasher) as desk:
        desk.command(*PURGE).ended(0)
        assert desk.run().ended(2).document["error"]["code"] == "already-ran"
        document = desk.run("--again").ended(1).document
        assert document["counts"] == {"duplicate": 5, "refused": 1}
        row = desk.command("show", "payouts-002", "--row", "2", "--json").ended(0).document
        assert "payload and cells removed on 2" in row["error_text"]
        (found, later) = history(desk, "00001", "--verify")["found"]
        assert (found["verified"][0]["api"], found["verified"][0]["differences"]) == ("completed", [])
        assert (later["state"], later["takes_key"]) == ("duplicate", False)


def test_a_batch_in_doubt_is_left_alone_and_named(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.server.plan = for_keys(Fault.HANG_UP, 2)
        desk.sheet(ROWS)
        desk.run().ended(1)
        outcome = desk.command(*PURGE).ended(0)
        assert "payouts-001" in outcome.stdout
        assert "its rows have not all ended (1 in doubt)" in outcome.stdout
        assert secrets_in(desk) != []


def test_a_purge_tells_what_it_would_do_and_takes_a_date_that_is_one(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_desk_with_a_batch(tmp_path, crasher) as desk:
        before = asked(desk, "SELECT * FROM rows")
        refused = desk.command("purge", "--before", "soon", "--json").ended(2).document
        assert refused["error"]["code"] == "bad-command-line"
        dry = desk.command("purge", "--before", "2100-01-01", "--dry-run", "--json").ended(0).document
        assert set(refused) == set(dry)
        assert (
            "0 batches made before 2000-01-01 purged."
            in desk.command("purge", "--before", "2000-01-01").ended(0).stdout
        )
        assert asked(desk, "SELECT * FROM rows") == before


HELD = """
SELECT sum(payload IS NOT NULL), sum(CAST(cells AS TEXT) <> '[]'), sum(output IS NOT NULL) FROM rows WHERE batch_id = {}
"""


def test_a_purge_that_is_cut_at_any_point_has_purged_a_batch_or_not(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_desk_with_a_batch(tmp_path, crasher) as desk:
        desk.sheet(ROWS[:2])
        desk.run("--allow-duplicates").ended(0)
        whole = {batch: asked(desk, HELD.format(batch)) for batch in (1, 2)}
        shutil.copytree(desk.journal.parent, tmp_path / "as it was")
        for number in count(1):
            shutil.rmtree(desk.journal.parent)
            shutil.copytree(tmp_path / "as it was", desk.journal.parent)
            cut = desk.crash(number, *PURGE)
            purged = {batch for (batch,) in asked(desk, "SELECT batch_id FROM purges")}
            for batch, before in whole.items():
                assert asked(desk, HELD.format(batch)) == ([(0, 0, 0)] if batch in purged else before)
            if cut.code != CRASHED:
                assert (cut.code, purged) == (0, {1, 2})
                break
            assert desk.command(*PURGE, "--json").ended(0).document["erased"] is True
            assert (secrets_in(desk), asked(desk, "SELECT count(*) FROM file_pieces")) == ([], [(0,)])
        assert number > 4


def test_a_batch_that_another_process_sends_is_left_alone_by_a_purge(tmp_path: Path) -> None:
    with at_a_ledger(tmp_path) as desk:
        desk.sheet(invoices(40))
        with desk.started("run", "payouts.yaml", "--rate", "5/s", "--json") as process:
            until(lambda: len(desk.server.runs), lambda runs: runs > 2)
            document = desk.command(*PURGE, "--json").ended(0).document
            assert (document["purged"], [one["why"] for one in document["left"]]) == (
                [],
                ["another batchrun is sending it right now"],
            )
            backup = desk.command("journal", "backup", "-o", "copy.db", "--json").ended(0).document
            assert (backup["batches"], backup["rows"]) == (1, 40)
            killed(process)


def test_a_copy_of_the_journal_can_be_looked_at_and_come_back_to(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_desk_with_a_batch(tmp_path, crasher) as desk:
        outcome = desk.command("journal", "backup", "-o", "copy.db").ended(0)
        assert str(tmp_path / "copy.db") in outcome.stdout
        assert "batchrun status --journal COPY" in outcome.stdout
        assert "exists already" in desk.command("journal", "backup", "-o", "copy.db").ended(2).stderr
        desk.command(*PURGE).ended(0)
        for words in (("status", "payouts-001"), ("history", "00001")):
            told = desk.command(*words, "--journal", "copy.db").ended(0)
            assert "were removed" not in told.stdout + told.stderr
        desk.journal.write_bytes((tmp_path / "copy.db").read_bytes())
        assert desk.command("report", "payouts-001").ended(0).code == 0
        assert desk.run().ended(2).document["error"]["code"] == "already-ran"


def test_the_journals_place_is_told(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        new = desk.command("journal", "path").ended(0)
        assert (new.stdout.strip(), desk.journal.exists()) == (str(desk.journal), False)
        document = desk.command("journal", "path", "--journal", "other.db", "--json").ended(0).document
        assert document == {"version": 1, "journal": str(tmp_path / "other.db"), "exists": False, "error": None}
        missing: Outcome = desk.command("journal", "backup", "-o", "copy.db", "--json").ended(2)
        assert json.loads(missing.stdout)["error"]["code"] == "not-found"
