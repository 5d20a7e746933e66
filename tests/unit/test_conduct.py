"""How a batch bears its answers: what slows it, what makes it ask, what stops it."""

from __future__ import annotations

import pytest

from batchrun.core.answers import Effect, Fault, Seen, Verdict
from batchrun.core.conduct import LONGEST_HOLD, UNREACHED_CAP, Conduct, Policy, Reaction, most_refusals, stop_for
from batchrun.core.lifecycle import Event

EVENTS = {
    Effect.GOES_ON: Event.RUNNING,
    Effect.REFUSAL: Event.REFUSED,
    Effect.DOUBT: Event.DOUBT,
    Effect.UNREACHED: Event.NOT_RECEIVED,
    Effect.SLOWS: Event.NOT_RECEIVED,
    Effect.STOPS: Event.NOT_RECEIVED,
}


def conduct(policy: Policy | None = None, chance: float = 0.5) -> Conduct:
    return Conduct(policy or Policy(), lambda: chance)


def tell(to: Conduct, *effects: Effect, wait: float | None = None, seen: Seen | None = None) -> list[Reaction]:
    verdicts = [Verdict(EVENTS[effect], effect, error="because", wait=wait) for effect in effects]
    return [to.after(verdict, seen or Seen(detail="why")) for verdict in verdicts]


def stop_codes(reactions: list[Reaction]) -> list[str | None]:
    return [reaction.stop.code if reaction.stop else None for reaction in reactions]


def test_five_doubts_in_a_row_ask_whether_the_api_is_back() -> None:
    assert [reaction.probe for reaction in tell(conduct(), *[Effect.DOUBT] * 6)] == [False] * 4 + [True] * 2


@pytest.mark.parametrize("other", [effect for effect in Effect if effect not in (Effect.DOUBT, Effect.STOPS)])
def test_any_other_outcome_begins_the_count_of_doubts_anew(other: Effect) -> None:
    told = tell(conduct(), *[Effect.DOUBT] * 4, other, *[Effect.DOUBT] * 4)
    assert not any(reaction.probe for reaction in told)


def test_a_doubt_alone_never_stops() -> None:
    assert stop_codes(tell(conduct(), *[Effect.DOUBT] * 50)) == [None] * 50


def test_ten_refusals_before_any_acceptance_stop() -> None:
    told = tell(conduct(), *[Effect.REFUSAL] * 10)
    assert stop_codes(told) == [None] * 9 + ["all-refused"]
    assert told[-1].stop is not None
    assert told[-1].stop.message == "the API refused each of the first 10 rows; the last one because because"


def test_an_acceptance_before_them_lets_refusals_go_on() -> None:
    assert stop_codes(tell(conduct(), Effect.GOES_ON, *[Effect.REFUSAL] * 40)) == [None] * 41
    assert stop_codes(tell(conduct(Policy(accepted_before=True)), *[Effect.REFUSAL] * 40)) == [None] * 40


def test_more_refusals_than_max_errors_bears_stop() -> None:
    told = tell(conduct(Policy(most_refusals=2)), Effect.GOES_ON, *[Effect.REFUSAL] * 3)
    assert stop_codes(told) == [None] * 3 + ["too-many-errors"]
    assert stop_codes(tell(conduct(Policy(most_refusals=0)), Effect.REFUSAL)) == ["too-many-errors"]


@pytest.mark.parametrize(
    ("text", "rows", "most"),
    [("100%", 7, None), ("250%", 7, None), ("5%", 100, 5), ("5%", 101, 6), ("0%", 9, 0), ("20", 5, 20), ("1%", 0, 0)],
)
def test_max_errors_is_a_number_or_a_share_rounded_up(text: str, rows: int, most: int | None) -> None:
    assert most_refusals(text, rows) == most


@pytest.mark.parametrize("text", ["", "%", "-1", "1.5", "five", "5 percent", "²", "1e3"])
def test_max_errors_is_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number of rows or a share"):
        most_refusals(text, 10)


def test_a_dead_network_spends_the_retry_budget_and_stops() -> None:
    told = tell(conduct(), *[Effect.UNREACHED] * 13, seen=Seen(route="through the proxy p"))
    assert stop_codes(told) == [None] * 12 + ["unreachable"]
    assert told[-1].stop is not None
    assert told[-1].stop.message == "the API cannot be reached through the proxy p: because"


def test_failures_to_connect_wait_longer_each_time_up_to_a_cap() -> None:
    waits = [reaction.again for reaction in tell(conduct(chance=1.0), *[Effect.UNREACHED] * 12)]
    assert waits[:5] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert waits[5:] == [UNREACHED_CAP] * 7


def test_once_a_row_was_accepted_failures_to_connect_in_a_row_hold_all_rows_for_a_moment() -> None:
    assert {reaction.hold for reaction in tell(conduct(), *[Effect.UNREACHED] * 12)} == {None}
    mine = conduct(Policy(accepted_before=True), chance=0.5)
    held = [reaction.hold for reaction in tell(mine, *[Effect.UNREACHED] * 4, Effect.GOES_ON, Effect.UNREACHED)]
    assert held == [None, None, LONGEST_HOLD / 2, LONGEST_HOLD / 2, None, None]


def test_what_fails_while_all_rows_are_held_spends_nothing() -> None:
    mine = conduct(Policy(accepted_before=True))
    verdict = Verdict(Event.NOT_RECEIVED, Effect.UNREACHED, error="because")
    together = [mine.after(verdict, Seen(), held=True) for _ in range(100)]
    assert {(reaction.stop, reaction.hold) for reaction in together} == {(None, None)}
    assert stop_codes(tell(mine, *[Effect.UNREACHED] * 13)) == [None] * 12 + ["unreachable"]
    never_accepted = conduct()
    assert [never_accepted.after(verdict, Seen(), held=True).stop is None for _ in range(13)] == [True] * 12 + [False]


def test_answers_refill_the_budget_and_shorten_the_wait() -> None:
    mine = conduct(chance=1.0)
    tell(mine, *[Effect.UNREACHED] * 12)
    tell(mine, *[Effect.GOES_ON] * 3)
    told = tell(mine, Effect.UNREACHED, Effect.UNREACHED)
    assert (told[0].again, stop_codes(told)) == (0.5, [None, "unreachable"])


def test_a_refusal_is_an_answer_so_the_wait_is_short_again() -> None:
    mine = conduct(chance=1.0)
    tell(mine, *[Effect.UNREACHED] * 4, Effect.REFUSAL)
    assert tell(mine, Effect.UNREACHED)[0].again == 0.5


def test_after_a_sleep_or_a_probe_old_failures_are_forgotten() -> None:
    mine = conduct(chance=1.0)
    tell(mine, *[Effect.UNREACHED] * 12, *[Effect.DOUBT] * 4)
    mine.begin_anew()
    assert not tell(mine, Effect.DOUBT)[0].probe
    assert stop_codes(tell(mine, *[Effect.UNREACHED] * 12)) == [None] * 12


def test_429_waits_as_long_as_it_was_told() -> None:
    assert tell(conduct(), Effect.SLOWS, wait=7.0)[0] == Reaction(pause=7.0)
    assert tell(conduct(), Effect.SLOWS, wait=0.0)[0] == Reaction(pause=0.0)


def test_429_without_a_time_backs_off_but_never_not_at_all() -> None:
    assert [told.pause for told in tell(conduct(chance=1.0), *[Effect.SLOWS] * 7)] == [1, 2, 4, 8, 16, 30, 30]
    assert tell(conduct(chance=0.0), Effect.SLOWS)[0].pause == 0.2


def test_an_acceptance_speeds_up() -> None:
    assert tell(conduct(), Effect.GOES_ON) == [Reaction(speed_up=True)]


@pytest.mark.parametrize(
    ("seen", "code", "part"),
    [
        (Seen(fault=Fault.TLS_FAILED, left=False, detail="bad cert"), "tls-failed", "bad cert"),
        (Seen(fault=Fault.PROXY_REFUSED, left=False, detail="407", route="via p"), "proxy-refused", "via p: 407"),
        (Seen(fault=Fault.BAD_URL, left=False, detail="no host"), "bad-url", "no host"),
        (Seen(left=False, detail="?"), "bad-url", "?"),
        (Seen(status=401), "key-refused", "doctor"),
        (Seen(status=403), "key-refused", "environment"),
        (Seen(status=402), "refused-all", "paid"),
        (Seen(status=404), "refused-all", "procedure.id"),
        (Seen(status=405), "refused-all", "--base-url"),
        (Seen(status=415), "refused-all", "JSON"),
        (Seen(status=451), "refused-all", "from here"),
        (Seen(status=410), "refused-all", "takes none of the rows"),
        (Seen(status=307), "redirected", "never sent on to another address"),
    ],
)
def test_a_stop_says_why_and_what_to_do(seen: Seen, code: str, part: str) -> None:
    stop = tell(conduct(), Effect.STOPS, seen=seen)[0].stop
    assert stop == stop_for(Verdict(Event.NOT_RECEIVED, Effect.STOPS, error="because"), seen)
    assert stop is not None
    assert stop.code == code
    assert part in stop.message


def test_a_run_id_that_another_row_has_stops() -> None:
    stop = conduct().after_known_run("r1")
    assert stop.code == "run-id-again"
    assert "r1" in stop.message
