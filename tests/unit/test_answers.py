"""What an answer means: every line of DESIGN's table, and which line wins when several match."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from batchrun.core.answers import (
    RETRY_AFTER_CAP,
    TABLE,
    Context,
    Effect,
    Fault,
    Seen,
    Verdict,
    judge,
    message_of,
    retry_after,
    text_of,
)
from batchrun.core.lifecycle import Event

NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
JSON = {"content-type": "application/json; charset=utf-8"}
HTML = {"content-type": "text/html"}


def verdict(seen: Seen, *, accepted: bool = False, not_run: tuple[int, ...] = (), repeatable: bool = False) -> Verdict:
    return judge(seen, Context(NOW, accepted, frozenset(not_run), repeatable))


def meaning(seen: Seen, *, accepted: bool = False) -> tuple[Event, Effect]:
    made = verdict(seen, accepted=accepted)
    return made.event, made.effect


def answer(status: int, body: bytes = b"", headers: dict[str, str] | None = None, **more: object) -> Seen:
    return Seen(status=status, body=body, headers=JSON if headers is None else headers, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "body", "event"),
    [
        (202, b'{"runId": "r1", "status": "running", "statusUrl": "/runs/r1"}', Event.RUNNING),
        (200, b'{"runId": "r1", "status": "completed", "output": {"a": 1}}', Event.COMPLETED),
        (200, b'{"runId": "r1", "status": "awaiting_review"}', Event.AWAITING_REVIEW),
        (504, b'{"runId": "r1", "status": "timeout", "error": "took too long"}', Event.RUNNING),
        (202, b'{"status": "pending", "runId": "r1"}', Event.PENDING),
        (200, b'{"runId": "r1", "status": "failed", "error": "no funds"}', Event.FAILED),
        (200, b'{"runId": "r1", "status": "cancelled"}', Event.CANCELLED),
        (500, b'{"runId": "r1"}', Event.RUNNING),
        (429, b'{"runId": "r1"}', Event.RUNNING),
        (400, b'{"runId": "r1", "error": "bad"}', Event.RUNNING),
        (401, b'{"runId": "r1"}', Event.RUNNING),
        (302, b'{"runId": "r1"}', Event.RUNNING),
        (413, b'{"runId": "r1"}', Event.RUNNING),
        (202, b'{"runId": "r1", "status": "something_new"}', Event.RUNNING),
        (202, b'{"runId": "r1", "status": "refused"}', Event.RUNNING),
        (202, b'{"runId": "r1", "status": 7}', Event.RUNNING),
        (202, b'\xef\xbb\xbf{"runId": "r1"}', Event.RUNNING),
    ],
)
def test_a_whole_run_id_is_an_acceptance_at_any_status(status: int, body: bytes, event: Event) -> None:
    made = verdict(answer(status, body), not_run=(500,))
    assert (made.event, made.effect, made.run_id, made.line) == (event, Effect.GOES_ON, "r1", "run id")


@pytest.mark.parametrize(
    "body",
    [
        b'{"runId": "r1"',
        b'{"runId": "r1", "stat',
        b'{"status": "completed", "runId": "r1", "output": {"a": [1, 2',
        b'{"output": 1e99999999999999999999, "runId": "r1", "x": "',
        b'{"n": ' + b"9" * 5000 + b', "runId": "r1"}',
        b'{"note": "\\ud83d cut emoji", "runId": "r1"}',
    ],
)
def test_a_run_id_that_was_whole_when_the_body_was_cut_still_counts(body: bytes) -> None:
    seen = answer(500, body, whole=False, fault=Fault.BROKEN)
    assert verdict(seen).run_id == "r1"


@pytest.mark.parametrize(
    "body",
    [
        b'{"runId": "r1',
        b'{"runId": ',
        b'{"data": {"runId": "r1"}}',
        b'[{"runId": "r1"}]',
        b'{"error": "no such \\"runId\\": \\"r1\\""}',
        b'{"error": "{\\"runId\\": \\"r1\\"}"}',
        b'"runId"',
        b'{"runId": 17}',
        b'{"runId": null}',
        b'{"runId": ""}',
        b'{"runId": "  "}',
        b'{"runId" "r1"}',
        b'{runId: "r1"}',
        b"",
    ],
)
def test_a_run_id_that_is_cut_nested_quoted_or_no_text_does_not_count(body: bytes) -> None:
    made = verdict(answer(500, body))
    assert (made.run_id, made.event, made.effect) == (None, Event.DOUBT, Effect.DOUBT)


def test_the_documented_504_is_a_run_and_a_proxys_504_a_doubt() -> None:
    documented = verdict(answer(504, b'{"runId": "r1", "status": "timeout", "error": "slow"}'))
    assert (documented.event, documented.status_word, documented.error) == (Event.RUNNING, "timeout", None)
    assert meaning(answer(504, b"<h1>Gateway Time-out</h1>", HTML)) == (Event.DOUBT, Effect.DOUBT)
    assert meaning(answer(504, b'{"error": "upstream"}')) == (Event.DOUBT, Effect.DOUBT)


def test_an_acceptance_carries_output_and_error() -> None:
    made = verdict(
        answer(200, b'{"runId": "r1", "status": "failed", "output": {"a": 1.50}, "error": {"message": "x"}}')
    )
    assert (str(made.output["a"]), made.error) == ("1.50", "x")


FAULTS = [Fault.NOT_CONNECTED, Fault.TLS_FAILED, Fault.BAD_URL, Fault.PROXY_REFUSED, Fault.BROKEN]


@pytest.mark.parametrize("fault", FAULTS)
def test_only_a_connection_that_was_never_made_proves_that_nothing_was_received(fault: Fault) -> None:
    expected = {
        Fault.NOT_CONNECTED: (Event.NOT_RECEIVED, Effect.UNREACHED),
        Fault.BROKEN: (Event.DOUBT, Effect.DOUBT),
    }.get(fault, (Event.NOT_RECEIVED, Effect.STOPS))
    assert meaning(Seen(fault=fault, left=False, detail="why")) == expected
    assert meaning(Seen(fault=fault, left=True, detail="why")) == (Event.DOUBT, Effect.DOUBT)
    assert meaning(answer(200, fault=fault, left=False)) == (Event.DOUBT, Effect.DOUBT)
    assert verdict(Seen(fault=fault, left=False, detail="why")).error == "why"


@pytest.mark.parametrize(
    ("status", "before", "after"),
    [
        (429, (Event.NOT_RECEIVED, Effect.SLOWS), None),
        (408, (Event.DOUBT, Effect.DOUBT), None),
        (409, (Event.DOUBT, Effect.DOUBT), None),
        (425, (Event.DOUBT, Effect.DOUBT), None),
        (400, (Event.REFUSED, Effect.REFUSAL), None),
        (422, (Event.REFUSED, Effect.REFUSAL), None),
        (413, (Event.REFUSED, Effect.REFUSAL), None),
        *((status, (Event.NOT_RECEIVED, Effect.STOPS), None) for status in (401, 402, 403, 404, 405, 415, 451)),
        *((status, (Event.NOT_RECEIVED, Effect.STOPS), (Event.DOUBT, Effect.DOUBT)) for status in (406, 410, 418, 499)),
        *((status, (Event.DOUBT, Effect.STOPS), None) for status in (300, 301, 302, 303, 307, 308, 304)),
        *((status, (Event.DOUBT, Effect.DOUBT), None) for status in (200, 201, 202, 204, 101, 500, 502, 503, 504, 600)),
    ],
)
def test_each_status_means_what_the_table_says(
    status: int, before: tuple[Event, Effect], after: tuple[Event, Effect] | None
) -> None:
    seen = answer(status, b'{"error": "no"}')
    assert meaning(seen, accepted=False) == before
    assert meaning(seen, accepted=True) == (after or before)


@pytest.mark.parametrize("status", [400, 422])
def test_a_proxys_400_in_html_refuses_no_row(status: int) -> None:
    seen = answer(status, b"<html>Bad Request</html>", HTML)
    assert meaning(seen, accepted=False) == (Event.NOT_RECEIVED, Effect.STOPS)
    assert meaning(seen, accepted=True) == (Event.DOUBT, Effect.DOUBT)
    assert meaning(answer(status, b"", {}), accepted=True) == (Event.DOUBT, Effect.DOUBT)


def test_json_is_told_by_its_header_or_by_its_body() -> None:
    assert meaning(answer(400, b'{"error": "cut', {"content-type": "application/problem+json"}))[0] is Event.REFUSED
    assert meaning(answer(400, b'{"error": "x"}', {"content-type": "text/plain"}))[0] is Event.REFUSED


def test_413_refuses_in_any_form() -> None:
    assert meaning(answer(413, b"<html>too large</html>", HTML), accepted=True) == (Event.REFUSED, Effect.REFUSAL)


def test_a_status_known_as_not_run_is_tried_again_and_beats_the_lines_below_it() -> None:
    for status in (503, 409, 429, 400):
        made = verdict(answer(status, b'{"error": "busy"}'), not_run=(status,))
        assert (made.event, made.effect, made.line) == (Event.NOT_RECEIVED, Effect.UNREACHED, "known as not run")
    assert verdict(answer(503), not_run=(502,)).event is Event.DOUBT


def test_only_a_repeatable_procedure_turns_a_doubt_into_a_repeat() -> None:
    assert verdict(answer(500), repeatable=True).event is Event.REPEAT
    assert verdict(answer(500), repeatable=True).effect is Effect.DOUBT
    assert verdict(answer(400, b"{}"), repeatable=True).event is Event.REFUSED


def test_the_last_line_of_the_table_matches_everything() -> None:
    assert [line.name for line in TABLE if line.matches(Seen(), Context(NOW))] == ["unknown"]
    assert verdict(Seen(fault=Fault.BROKEN, detail="connection reset")).error == "connection reset"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("9" * 5000, RETRY_AFTER_CAP),
        ("901", RETRY_AFTER_CAP),
        ("Thu, 01 Oct 2026 12:01:30 GMT", 90.0),
        ("Thu, 01 Oct 2026 12:01:30", 90.0),
        ("Thu, 01 Oct 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", RETRY_AFTER_CAP),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("", None),
        ("soon", None),
        ("Thu, 99 Oct 2026 12:01:30 GMT", None),
        ("21 Oct 99999999999 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_never_more_than_a_quarter_of_an_hour(
    header: str, seconds: float | None
) -> None:
    made = verdict(answer(429, headers={"retry-after": header}))
    assert (made.wait, made.event, made.effect) == (seconds, Event.NOT_RECEIVED, Effect.SLOWS)


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Thu, 01 Oct 2026 12:01:20 GMT", 10.0),
        ("Thu, 01 Oct 2026 12:01:20", 10.0),
        ("nonsense", 90.0),
        ("21 Oct 99999999999 07:28:00 GMT", 90.0),
    ],
)
def test_a_date_is_compared_with_their_clock_where_the_answer_tells_it(date: str, seconds: float) -> None:
    headers = {"retry-after": "Thu, 01 Oct 2026 12:01:30 GMT", "date": date}
    assert retry_after(answer(429, headers=headers), NOW) == seconds


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": " amount too large "}', "amount too large"),
        (b'{"message": "m", "detail": "d"}', "m"),
        (b'{"error": "", "detail": "d"}', "d"),
        (b'{"error": {"code": 5, "message": "deep"}}', "deep"),
        (b'{"error": {"code": 5}}', "{'code': 5}"),
        (b'{"error": 17}', "17"),
        (b'{"error": "cut here", "x', "cut here"),
        (b'{"errors": []}', '{"errors": []}'),
        (b"<h1>" + b"x" * 400, "<h1>" + "x" * 296),
        (b"\xff\xfe", "��"),
        (b"", ""),
    ],
)
def test_a_message_is_found_in_any_body(body: bytes, message: str) -> None:
    assert message_of(answer(400, body)) == message


def test_no_value_has_no_text() -> None:
    assert text_of(None) == ""


def test_what_is_said_of_an_answer_names_its_status_and_that_it_was_cut() -> None:
    assert verdict(answer(500, b'{"error": "oops"}')).error == "the API answered 500: oops"
    assert verdict(answer(500)).error == "the API answered 500"
    cut = verdict(answer(200, b'{"error": "oops", ', fault=Fault.BROKEN, whole=False))
    assert cut.error == "the API answered 200: oops; the answer was cut short"
