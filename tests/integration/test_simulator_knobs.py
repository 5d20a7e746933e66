"""Knobs that spoil calls, and the seed that repeats them."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import httpx
import pytest
from simulator_process import Simulator, simulator

MIXED = {
    "failures": "20%",
    "reviews": "20%",
    "refusals": "10%",
    "errors-429": "15%",
    "errors-500": "15%",
    "lost-answers": "10%",
}


def outcomes(api: Simulator, order: range) -> dict[int, str]:
    """Send each amount until the API has a run of it or refuses it; tell all that was seen, by amount."""
    return {amount: outcome(api, amount) for amount in order}


def outcome(api: Simulator, amount: int) -> str:
    seen = []
    for _ in range(20):
        try:
            answer = api.start({"amount": amount})
        except httpx.RemoteProtocolError:
            return "-".join([*seen, "lost"])
        seen.append(str(answer.status_code))
        if answer.status_code == 202:
            run = api.read(answer.json()["runId"]).json()
            return "-".join([*seen, run["status"], str(run["error"])])
        if answer.status_code == 422:
            break
    return "-".join(seen)


def test_the_same_seed_deals_every_row_the_same_fate_in_whatever_order_the_rows_come() -> None:
    with simulator("--seed", "7", knobs=MIXED) as one, simulator("--seed", "7", knobs=MIXED) as other:
        first = outcomes(one, range(40))
        assert first == outcomes(other, range(39, -1, -1))
    with simulator("--seed", "8", knobs=MIXED) as third:
        assert first != outcomes(third, range(40))
    told = " ".join(first.values())
    assert all(word in told for word in ("failed", "awaiting_review", "completed", "422", "429", "500", "lost"))


def test_the_same_seed_gives_the_same_run_ids_and_without_a_seed_they_are_new() -> None:
    def ids(*options: str) -> list[str]:
        with simulator(*options) as api:
            return [api.run_id({"n": n}) for n in range(3)]

    seeded = ids("--seed", "3")
    assert ids("--seed", "3") == seeded
    assert len({*ids(), *ids(), *seeded}) == 9


def test_a_refused_input_is_refused_each_time() -> None:
    with simulator(knobs={"refusals": "50%"}) as api:
        first = [api.start({"n": n}).status_code for n in range(20)]
        assert [api.start({"n": n}).status_code for n in range(20)] == first
        assert set(first) == {202, 422}


@pytest.mark.parametrize(("knob", "header"), [("7", "7"), ("none", None)])
def test_a_429_says_when_to_come_again_as_it_was_told(knob: str, header: str | None) -> None:
    with simulator(knobs={"errors-429": "100%", "retry-after": knob}) as api:
        answer = api.start({})
        assert (answer.status_code, answer.headers.get("retry-after")) == (429, header)
        assert answer.json()["error"]
        assert api.runs() == []


def test_a_429_may_say_it_as_a_date() -> None:
    with simulator(knobs={"errors-429": 1, "retry-after": "date"}) as api:
        then = parsedate_to_datetime(api.start({}).headers["retry-after"]).timestamp()
        assert 0 <= then - time.time() <= 3


def test_starts_above_the_rate_limit_are_answered_429() -> None:
    with simulator(knobs={"rate-limit": "3/min"}) as api:
        assert [api.start({}).status_code for _ in range(3)] == [202, 429, 429]
        assert len(api.runs()) == 1


def test_a_500_starts_no_run() -> None:
    with simulator(knobs={"errors-500": "100%"}) as api:
        assert api.start({}).status_code == 500
        assert api.runs() == []


def test_a_lost_answer_leaves_a_run_and_a_closed_connection() -> None:
    with simulator(knobs={"lost-answers": "100%"}) as api:
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
            api.start({"amount": 5})
        assert [run["input"] for run in api.runs()] == [{"amount": 5}]
        assert api.http.get("/_simulator/counts").json()["answers"] == {"lost": 1}


def test_a_deleted_key_is_answered_401_by_every_call() -> None:
    with simulator(knobs={"deleted-key": "true"}) as api:
        answers = [api.start({}), api.read("run_x"), api.cancel("run_x"), api.review("run_x", {})]
        assert [answer.status_code for answer in answers] == [401] * 4
        assert api.http.get("/healthz").status_code == 200


def test_latency_holds_back_every_answer_but_not_the_run() -> None:
    with simulator(knobs={"latency": "60ms..70ms"}) as api:
        begun = time.monotonic()
        run_id = api.run_id({})
        started = time.monotonic()
        run = api.read(run_id).json()
        read = time.monotonic()
        assert started - begun >= 0.06
        assert read - started >= 0.06
        assert run["status"] == "completed"


def test_latency_holds_back_a_refusal_too() -> None:
    with simulator(knobs={"latency": "60ms", "errors-500": 1}) as api:
        begun = time.monotonic()
        assert api.start({}).status_code == 500
        assert time.monotonic() - begun >= 0.06
