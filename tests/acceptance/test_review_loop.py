"""`review`: each decision typed into the workbook acts once, whatever the network, the server or a kill does."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from finance_desk import until
from review_desk import ReviewDesk, at_a_review_desk, ended, invoice, typing_into, waiting
from review_server import Kind, Scripted, review_server

WORDS = (" Approve ", "APPROVE", "approve", "\tapprove", "aPPrOVe  ")
REJECTIONS = ("REJECT", " reject", "Reject ")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    with at_a_review_desk(tmp_path) as one:
        yield one


# The measure


def test_31_wait_21_are_decided_and_each_acts_once_though_every_third_answer_is_dropped(desk: ReviewDesk) -> None:
    desk.server.switches.drop_every = 3
    desk.waits(31)
    decided = [invoice(number) for number in range(1, 22)]
    rejections = decided[::3]
    approvals = [key for key in decided if key not in rejections]
    with desk.typing() as typist:
        for place, key in enumerate(approvals):
            typist.approve(key, word=WORDS[place % len(WORDS)])
        for place, key in enumerate(rejections):
            typist.reject(key, reason=f"reason {key}: Müller & Söhne", word=REJECTIONS[place % len(REJECTIONS)])
    before = desk.folder / "as it was.xlsx"
    shutil.copy(desk.workbook, before)

    first = desk.review().ended(1)

    assert any(arrival.status is None for arrival in desk.server.arrivals), "no answer was dropped"
    desk.wrote_once_each(*decided)
    for key in decided:
        (acted,) = desk.server.acted(key)
        assert acted.body["approved"] is (key in approvals)
        assert acted.body.get("rejectionReason") == (f"reason {key}: Müller & Söhne" if key in rejections else None)
        assert "outputs" not in acted.body
    assert first.document["counts"] == {"awaiting_review": 10, "completed": 14, "failed": 7}
    assert first.document["stopped"] is None
    assert first.document["error"] is None
    assert first.document["workbook"] == str(desk.workbook)
    shown = desk.results()
    for key in approvals:
        assert shown[key]["_status"] == "completed"
        assert shown[key]["_output.transactionId"] == f"txn_{desk.server.run_of(key).run_id}"
    for key in rejections:
        assert shown[key]["_status"] == "failed"
        assert f"reason {key}: Müller & Söhne" in shown[key]["_error"]
    assert all(shown[key]["_decision_status"] for key in decided)
    assert {row["_status"] for key, row in shown.items() if key not in decided} == {"awaiting_review"}

    arrivals = len(desk.server.arrivals)
    again = desk.review().ended(1)
    assert again.document["counts"] == first.document["counts"]
    copy = desk.review(path=before).ended(1)
    assert copy.document["counts"] == first.document["counts"]
    assert len(desk.server.arrivals) == arrivals, "a decision was sent again"
    for told in (again, copy):
        assert "!Results!" not in told.words, "an equal decision passes silently"


def test_a_workbook_without_decisions_sends_nothing(desk: ReviewDesk) -> None:
    desk.waits(3)
    outcome = desk.review().ended(4)
    assert outcome.document["counts"] == {"awaiting_review": 3}
    assert desk.server.arrivals == []


def test_slow_runs_are_followed_to_their_end(desk: ReviewDesk) -> None:
    desk.waits(waiting(3, _1=Kind.SLOW, _2=Kind.SLOW, _3=Kind.SLOW))
    with desk.typing() as typist:
        typist.approve(invoice(1), invoice(2), invoice(3))
    assert desk.review().ended(0).document["counts"] == {"completed": 3}
    assert {row["_status"] for row in desk.results().values()} == {"completed"}


def test_show_tells_who_decided_what(desk: ReviewDesk) -> None:
    desk.waits(2)
    with desk.typing() as typist:
        typist.reject(invoice(1), reason="not ours")
        typist.type(invoice(1), _reviewer="Erika Beispiel")
    desk.review().ended(1)
    told = desk.command("show", "last", "--row", "2", "--json").ended(0).stdout
    assert "Erika Beispiel" in told
    assert "not ours" in told
    assert desk.server.acted()[0].key in told


def test_a_reason_arrives_as_it_was_typed(desk: ReviewDesk) -> None:
    reasons = ("„Nein“ – 5 % zu viel\nzweite Zeile", 'a "quoted" \\ reason', "00123", "'=1+1", "N/A")
    desk.waits(len(reasons))
    with desk.typing() as typist:
        for number, reason in enumerate(reasons, 1):
            typist.reject(invoice(number), reason=reason)
    desk.review().ended(1)
    sent = [desk.server.acted(invoice(number))[0].body["rejectionReason"] for number in range(1, len(reasons) + 1)]
    assert sent == list(reasons)


# What the network does


def test_any_failure_sends_the_same_uuid_again(desk: ReviewDesk) -> None:
    keys = desk.approved(6)
    scripts = {
        keys[0]: [Scripted(503, {"error": "down"}), Scripted(503, {"error": "down"})],
        keys[1]: [Scripted(429, {"error": "slow down"}, headers={"Retry-After": "0"})],
        keys[2]: [Scripted(500, {"error": "broken"}, acts=True)],
        keys[3]: [Scripted(None, acts=True), Scripted(None)],
        keys[4]: [Scripted(502, "<html>", acts=True), Scripted(504, {"error": "late"})],
        keys[5]: [Scripted(None)],
    }
    desk.server.switches.script = lambda key, nth: dict(enumerate(scripts[key], 1)).get(nth)
    desk.review().ended(0)
    desk.wrote_once_each(*keys)
    assert {key: len(desk.server.of(key)) for key in keys} == {key: len(scripts[key]) + 1 for key in keys}


def test_a_network_that_is_gone_stops_it_and_the_same_command_finishes(desk: ReviewDesk) -> None:
    desk.server.switches.latency = 0.05
    keys = desk.approved(40)
    process = desk.begun()
    until(lambda: len(desk.server.acted()), lambda count: count >= 5)
    desk.server.go_down()
    stopped = ended(process).ended(3)
    assert len(desk.server.acted()) < len(keys)
    assert stopped.document["stopped"]
    assert stopped.document["next"].startswith("batchrun review ")
    assert desk.workbook.name in stopped.document["next"]
    assert "batchrun review " in stopped.words
    still = desk.results()
    assert all(still[key]["_decision"] == "approve" for key in keys if not desk.server.acted(key))
    desk.server.come_back()
    assert desk.review().ended(0).document["counts"] == {"completed": 40}
    desk.wrote_once_each(*keys)


def test_a_copy_that_was_stopped_is_gone_on_with_by_the_very_words_that_are_told(desk: ReviewDesk) -> None:
    desk.waits(6)
    keys = [invoice(number) for number in range(1, 6)]
    (desk.folder / "für Erika").mkdir()
    copy = Path(shutil.copy(desk.workbook, desk.folder / "für Erika" / "Prüfung März.xlsx"))
    with typing_into(copy) as typist:
        typist.approve(*keys)
    desk.server.go_down()
    stopped = desk.review(path=copy).ended(3)
    desk.server.come_back()
    words = shlex.split(stopped.document["next"])
    assert words == ["batchrun", "review", str(copy)], "that is another file than the one with the decisions"
    done = desk.command(*words[1:], "--json").ended(4)
    desk.wrote_once_each(*keys)
    assert shlex.split(done.document["next"]) == words, "one row still waits, in this file"


def test_a_run_that_nobody_decided_is_not_waited_for(desk: ReviewDesk) -> None:
    desk.sheet(waiting(3, _3=Kind.STUCK))
    desk.run("--wait", "1s").ended(4)
    with desk.typing() as typist:
        typist.approve(invoice(1))
    process = desk.begun()
    try:
        until(desk.server.acted, bool)
        stdout, stderr = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError("it waits for a run that has nothing to do with the review") from None
    assert process.returncode == 4, stdout + stderr
    assert desk.results()[invoice(1)]["_status"] == "completed"


def test_a_network_that_was_never_there_loses_nothing(desk: ReviewDesk) -> None:
    keys = desk.approved(12)  # so many that it gives up after failures of all, and not after eight of one
    desk.server.go_down()
    assert desk.review().ended(3).document["next"].startswith("batchrun review ")
    desk.server.come_back()
    desk.review().ended(0)
    desk.wrote_once_each(*keys)


def test_a_key_that_is_refused_half_way_stops_it_and_nothing_is_lost(desk: ReviewDesk) -> None:
    keys = desk.approved(20)
    first = iter(range(5))
    desk.server.switches.script = lambda key, nth: None if next(first, None) is not None else Scripted(401, {})
    stopped = desk.review().ended(3)
    assert stopped.document["next"].startswith("batchrun review ")
    assert len([one for one in desk.server.arrivals if one.status == 401]) <= 8
    desk.server.switches.script = lambda key, nth: None
    desk.review().ended(0)
    desk.wrote_once_each(*keys)


@pytest.mark.parametrize("body", ["<html>please log in</html>", {}, {"success": False}, None], ids=str)
def test_a_200_that_is_not_the_apis_is_no_decision(desk: ReviewDesk, body: Any) -> None:
    keys = desk.approved(2)
    desk.server.switches.script = lambda key, nth: Scripted(200, body) if (key, nth) == (keys[0], 1) else None
    desk.review()
    desk.review().ended(0)
    desk.wrote_once_each(*keys)


def test_a_redirect_is_never_followed(desk: ReviewDesk) -> None:
    keys = desk.approved(2)
    with review_server() as other:
        there = {"Location": f"{other.origin}/api/runner-proxy/review/{desk.server.run_of(keys[0]).run_id}"}
        desk.server.switches.script = lambda key, nth: Scripted(307, {}, headers=there)
        desk.review().ended(3)
        assert other.arrivals == []
    desk.server.switches.script = lambda key, nth: None
    desk.review().ended(0)
    desk.wrote_once_each(*keys)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 451])
def test_a_decision_that_may_have_acted_never_decides_the_second_review(desk: ReviewDesk, status: int) -> None:
    desk.waits(waiting(2, _1=Kind.TWICE))
    with desk.typing() as typist:
        typist.approve(invoice(1), invoice(2))
    typed = desk.workbook.read_bytes()
    answers = {1: Scripted(None, acts=True), 2: Scripted(status, {"error": "no"})}
    desk.server.switches.script = lambda key, nth: answers.get(nth) if key == invoice(1) else None
    first = desk.review()
    assert "Traceback" not in first.stderr
    for _ in range(2):
        desk.review()
    desk.workbook.write_bytes(typed)
    desk.review()
    desk.wrote_once_each(invoice(1), invoice(2))
    assert desk.server.run_of(invoice(1)).status == "awaiting_review"
