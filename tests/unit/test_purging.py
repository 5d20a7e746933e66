"""What a purge leaves: the end of a row's life, and of a webhook what tells a state."""

from __future__ import annotations

import json

from batchrun.core import purging, webhooks
from batchrun.core.lifecycle import Event
from batchrun.model import State

REVIEW = {
    "id": "dlv_1",
    "event": "human_review_requested",
    "createdAt": "2026-10-01T12:00:00.000Z",
    "data": {"runId": "run_1", "procedureId": "p", "environment": "live", "reviewTitle": "Pay ACME"},
}  # fmt: skip


def test_a_webhook_keeps_what_tells_a_state_and_loses_what_was_reviewed() -> None:
    bare = purging.bare_delivery(json.dumps(REVIEW).encode())
    assert b"ACME" not in bare
    told = webhooks.parse_delivery(bare)
    assert told is not None
    assert webhooks.event_of(told) is Event.AWAITING_REVIEW
    assert (told.delivery_id, told.run_id, told.procedure_id, told.environment) == ("dlv_1", "run_1", "p", "live")
    assert purging.bare_delivery(bare) == bare


def test_a_webhook_that_is_none_keeps_nothing() -> None:
    assert purging.bare_delivery(b"ACME") == b"{}"
    assert purging.bare_delivery(b'["ACME"]') == b"{}"
    assert purging.bare_delivery(b'{"event": {"secret": 1}, "data": "ACME"}') == b"{}"
    assert json.loads(purging.bare_delivery(b'{"event": "e", "data": {"status": {"a": 1}}}')) == {
        "event": "e",
        "data": {},
    }


def test_only_rows_that_have_ended_are_over() -> None:
    over = {State.INVALID, State.DUPLICATE, State.COMPLETED, State.FAILED, State.CANCELLED, State.REFUSED}
    assert set(purging.unfinished(dict.fromkeys(State, 1))) == set(State) - over


def test_a_purged_batch_is_told_with_its_day() -> None:
    assert purging.sentence("payouts-001", "2026-11-22T08:00:00.000000Z") == (
        "the payloads and cells of payouts-001 were removed from the journal on 2026-11-22 (batchrun purge)"
    )
