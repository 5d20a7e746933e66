"""What the answer to a decision means: every line of the table, and what proves that a decision did not arrive."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from batchrun.core.answers import Fault, Seen
from batchrun.core.review_answers import TABLE, DecisionOutcome, DecisionVerdict, judge_decision

NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
JSON = {"content-type": "application/json; charset=utf-8"}
HTML = {"content-type": "text/html"}
PAGE = b"<html><body>Not here</body></html>"
OUT = DecisionOutcome


def answer(
    status: int, body: bytes = b'{"error": "no"}', headers: dict[str, str] | None = None, **more: object
) -> Seen:
    return Seen(status=status, body=body, headers=JSON if headers is None else headers, **more)  # type: ignore[arg-type]


def verdict(seen: Seen) -> DecisionVerdict:
    return judge_decision(seen, NOW)


def meaning(seen: Seen) -> tuple[DecisionOutcome, bool]:
    made = verdict(seen)
    return made.outcome, made.may_have_arrived


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"success": true}'),
        (200, b' {"success": true, "more": 1}\n'),
        (200, b'{"id": "decision_1", "approved": true}'),
        (201, b'{"success": true}'),
        (202, b'{"success": true}'),
    ],
)
def test_a_whole_2xx_that_does_not_deny_it_is_an_acceptance(status: int, body: bytes) -> None:
    for headers in (JSON, {}):
        assert verdict(answer(status, body, headers)) == DecisionVerdict(OUT.ACCEPTED, line="taken")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"success": false}', JSON),
        (b'{"success": null}', JSON),
        (b'{"success": "false"}', JSON),
        (b'{"success": 1}', JSON),
        (b'{"success": tr', JSON),
        (b"{}", JSON),
        (b'{"ok": true}', JSON),
        (b"[]", JSON),
        (b"true", JSON),
        (b"", JSON),
        (b"", {}),
        (PAGE, HTML),
    ],
)
@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_2xx_that_cannot_be_read_or_denies_it_is_unknown(status: int, body: bytes, headers: dict[str, str]) -> None:
    made = verdict(answer(status, body, headers))
    assert (made.outcome, made.may_have_arrived, made.line) == (OUT.AGAIN, True, "unknown")
    assert str(made.message).startswith("the API did not clearly say that it took the decision")


def test_a_cut_200_is_unknown_whatever_came_of_it() -> None:
    made = verdict(answer(200, b'{"success": true}', whole=False, fault=Fault.BROKEN))
    assert (made.outcome, made.may_have_arrived) == (OUT.AGAIN, True)
    assert "its answer was cut short" in str(made.message)
    assert verdict(answer(200, b'{"success": true}', whole=False)).outcome is OUT.AGAIN


@pytest.mark.parametrize(
    ("status", "outcome", "may_have_arrived"),
    [
        (409, OUT.CONFLICT, False),
        (404, OUT.NOT_WAITING, False),
        (400, OUT.REFUSED, False),
        (422, OUT.REFUSED, False),
        (413, OUT.REFUSED, False),
        (429, OUT.SLOW, False),
        *((status, OUT.STOP, False) for status in (401, 402, 403, 405, 415, 451)),
        *((status, OUT.STOP, True) for status in (406, 407, 410, 418, 423, 499)),
        *((status, OUT.STOP, True) for status in (300, 301, 302, 303, 304, 307, 308)),
        *((status, OUT.AGAIN, True) for status in (408, 425, 500, 501, 502, 503, 504, 599, 600, 101)),
    ],
)
def test_each_status_means_what_the_table_says(status: int, outcome: DecisionOutcome, may_have_arrived: bool) -> None:
    assert meaning(answer(status)) == (outcome, may_have_arrived)
    assert meaning(answer(status, whole=False, fault=Fault.BROKEN)) == (outcome, may_have_arrived)
    assert str(verdict(answer(status)).message)


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_page_is_not_the_apis_word_and_stops(status: int) -> None:
    """A 404 that the API did not say itself is a wrong address; that every reviewer is told, once."""
    for seen in (answer(status, PAGE, HTML), answer(status, b"", {})):
        made = verdict(seen)
        assert (made.outcome, made.may_have_arrived, made.line) == (OUT.STOP, True, "another 4xx")
        assert made.message == f"this is not an address at which reviews are decided; check --review-url ({status})"


@pytest.mark.parametrize("status", [401, 403, 409, 413, 429, 503])
def test_other_statuses_mean_the_same_in_any_form(status: int) -> None:
    assert meaning(answer(status, PAGE, HTML)) == meaning(answer(status))


FAULTS = {
    Fault.NOT_CONNECTED: OUT.AGAIN,
    Fault.TLS_FAILED: OUT.STOP,
    Fault.PROXY_REFUSED: OUT.STOP,
    Fault.BAD_URL: OUT.STOP,
}


@pytest.mark.parametrize("fault", Fault)
def test_only_a_connection_that_was_never_made_proves_that_nothing_arrived(fault: Fault) -> None:
    expected = (FAULTS.get(fault, OUT.AGAIN), fault not in FAULTS)
    unsent = Seen(fault=fault, left=False, whole=False, detail="why")
    assert meaning(unsent) == expected
    assert str(verdict(unsent).message).endswith("why")
    assert meaning(Seen(fault=fault, left=True, whole=False, detail="why")) == (OUT.AGAIN, True)
    assert meaning(answer(200, fault=fault, left=False, whole=False)) == (OUT.AGAIN, True)


def test_every_fault_of_the_transport_is_in_the_table() -> None:
    assert set(FAULTS) | {Fault.BROKEN} == set(Fault)


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (answer(422, b'{"error": "reason missing"}'), "the API does not take this decision (422: reason missing)"),
        (answer(413, PAGE, HTML), "the decision is larger than the API takes (413)"),
        (answer(409, b""), "somebody has already decided this review (409)"),
        (answer(404, b"{}"), "there is no such run, or it waits for no review (404: {})"),
        (answer(401, b'{"message": "expired"}'), "the API does not know the reviewer's key (401: expired)"),
        (answer(403, PAGE, HTML), "the reviewer's key may not decide this review (403)"),
        (answer(503, PAGE, HTML), "the API could not take the decision just now (503)"),
        (answer(200, b'{"success": false, "error": "locked"}'),
         "the API did not clearly say that it took the decision (200: locked)"),
        (answer(302, b"", {"location": "https://login.test/"}),
         "the address sends callers on to https://login.test/, where your key is not sent; check --review-url (302)"),
        (answer(308, b"", {}),
         "the address sends callers on, where your key is not sent; check --review-url (308)"),
        (Seen(fault=Fault.TLS_FAILED, left=False, whole=False, detail="expired"),
         "no secure connection could be made: expired"),
        (Seen(fault=Fault.NOT_CONNECTED, left=False, whole=False, detail="nobody listens"), "nobody listens"),
        (Seen(fault=Fault.BROKEN, whole=False, detail="no answer came in time"), "no answer came in time"),
    ],
)  # fmt: skip
def test_a_message_is_for_people(seen: Seen, message: str) -> None:
    assert verdict(seen).message == message


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("Thu, 01 Oct 2026 12:01:30 GMT", 90.0), ("9999", 900.0), ("", None)]
)
def test_only_a_429_waits_for_as_long_as_it_says(header: str, seconds: float | None) -> None:
    assert verdict(answer(429, headers={"retry-after": header})).wait == seconds
    assert verdict(answer(503, headers={"retry-after": header})).wait is None


def test_the_last_line_of_the_table_matches_everything_and_names_are_told_apart() -> None:
    assert [line.name for line in TABLE if line.matches(Seen())] == ["unknown"]
    assert len({line.name for line in TABLE}) == len(TABLE)
