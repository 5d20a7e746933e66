"""What holds a batch back until a person has looked: rows that were sent first, a new version, or a cancellation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection

from batchrun.core.canary import Canary, on_one_line
from batchrun.core.cells import cut
from batchrun.core.conduct import Stop
from batchrun.core.moments import to_the_second
from batchrun.core.totals import counted
from batchrun.errors import CouldNotStart
from batchrun.flows.clock import SystemClock
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_holds, journal_steps, journal_versions, system
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch, text_time
from batchrun.model import State

CANARY, VERSION_CHANGED, CANCELLED = "canary", "version-changed", "cancelled"
NOTHING = -1


class Hold(NamedTuple):
    """Why rows are held back. `up_to` is the last position that may be sent, or NOTHING."""

    code: str
    sentence: str
    up_to: int = NOTHING
    canary: Canary | None = None

    @property
    def waits(self) -> bool:
        """Tell whether nothing more is sent before somebody has confirmed."""
        return self.up_to == NOTHING


def canary_setting(connection: Connection, batch_id: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give a staged batch's settings with the place up to which its canary goes; with no more rows there is none."""
    rows = settings.get("canary")
    if rows is None:
        return dict(settings)
    up_to = journal_holds.last_of_first(connection, batch_id, rows)
    return {**settings, "canary": {"rows": rows, "up_to": up_to, "confirmed": False}}


def hold_of(connection: Connection, batch: Batch) -> Hold | None:
    """Say what holds a batch, by the journal as it is now."""
    settings = journal_holds.settings_of(connection, batch.id)
    return (
        _cancel_hold(connection, batch, settings)
        or _version_hold(connection, batch, settings)
        or _canary_hold(connection, batch, settings)
    )


def what_holds_the_rest(connection: Connection, batch: Batch) -> Hold | None:
    """Say what holds the rows that are left to send; None where none are."""
    counts = journal_batches.counts(connection, [batch.id])[batch.id]
    return hold_of(connection, batch) if State.READY in counts else None


def note_cancelled(connection: Connection, batch: Batch) -> None:
    """Keep that somebody cancelled a batch that has rows left, or may come to have some: on live that holds it."""
    counts = journal_batches.counts(connection, [batch.id])[batch.id]
    if batch.is_live and not counts.keys().isdisjoint((State.READY, State.IN_DOUBT)):
        said = {"by": system.user_name(), "at": text_time(SystemClock().now())}
        journal_holds.change_settings(connection, batch.id, cancelled=said)


def take_up_again(connection: Connection, batch: Batch, how: str) -> None:
    """Keep that somebody wants what was cancelled to go on; what else holds the batch holds it still."""
    cancelled = journal_holds.settings_of(connection, batch.id).get("cancelled")
    if cancelled is not None and "taken_up" not in cancelled:
        said = {"by": system.user_name(), "at": text_time(SystemClock().now()), "how": how}
        journal_holds.change_settings(connection, batch.id, cancelled={**cancelled, "taken_up": said})


def refuse_if_cancelled(connection: Connection, batch: Batch) -> None:
    """Refuse to go on with a live batch that somebody cancelled while rows were left to send."""
    hold = _cancel_hold(connection, batch, journal_holds.settings_of(connection, batch.id))
    if hold is not None:
        raise CouldNotStart(
            f"{batch.name} is held: {hold.sentence}", code="held-back", next=how_to_go_on(batch.name, hold)
        )


def _cancel_hold(connection: Connection, batch: Batch, settings: Mapping[str, Any]) -> Hold | None:
    said = settings.get("cancelled")
    said = None if said is None or "taken_up" in said else said
    if not batch.is_live or (said is None and not journal_steps.cancel_asked(connection, batch)):
        return None
    left = journal_batches.counts(connection, [batch.id])[batch.id].get(State.READY, 0)
    if not left:
        return None
    who = "somebody" if said is None else _who(said)
    what = f"cancelled on live by {who}, with {counted(left, 'row')} left to send"
    return Hold(CANCELLED, f"it was {what}: nothing more is sent until somebody says so")


def _version_hold(connection: Connection, batch: Batch, settings: Mapping[str, Any]) -> Hold | None:
    seen = journal_versions.seen(connection, batch)
    accepted = {one["version"] for one in settings.get("versions_accepted", [])}
    for before, now in pairwise(seen):
        if now.version_id not in accepted:
            what = f"{_version_changed(before.version_id, now.version_id)} while the batch ran (row {now.number})"
            return Hold(VERSION_CHANGED, f"{what}: nothing more is sent until somebody has looked")
    return None


def _version_changed(before: str, now: str) -> str:
    return f"the procedure's version changed from {_shown(before)} to {_shown(now)}"


def _shown(version: str) -> str:
    return cut(on_one_line(version))


def _canary_hold(connection: Connection, batch: Batch, settings: Mapping[str, Any]) -> Hold | None:
    set_up = settings.get("canary")
    if set_up is None or set_up["up_to"] is None or set_up["confirmed"]:
        return None
    rows = journal_holds.sent_first(connection, batch, set_up["up_to"])
    left = journal_batches.counts(connection, [batch.id])[batch.id].get(State.READY, 0)
    unit = "payload" if settings.get("grouped") else "row"
    canary = Canary(rows, left, batch.is_live, unit)
    goes_on = not canary.is_sent and not canary.went_wrong
    return Hold(CANARY, canary.sentence(), set_up["up_to"] if goes_on else NOTHING, canary)


def confirm(connection: Connection, batch: Batch, how: str) -> None:
    """Keep that somebody has looked, who and when: what holds the batch now holds it no more."""
    take_up_again(connection, batch, how)
    settings = journal_holds.settings_of(connection, batch.id)
    said = {"by": system.user_name(), "at": text_time(SystemClock().now()), "how": how}
    set_up, accepted = settings.get("canary"), settings.get("versions_accepted", [])
    if set_up is not None and not set_up["confirmed"]:
        set_up = {**set_up, "confirmed": True, **said}
        journal_holds.change_settings(connection, batch.id, canary=set_up)
    known = {one["version"] for one in accepted}
    new = [one.version_id for one in journal_versions.seen(connection, batch) if one.version_id not in known]
    if new:
        accepted = [*accepted, *({"version": version, **said} for version in new)]
        journal_holds.change_settings(connection, batch.id, versions_accepted=accepted)


def refuse_if_held(journal: Journal, batch: Batch) -> None:
    """Refuse to send rows of a batch that is held."""
    with journal.reading() as connection:
        hold = hold_of(connection, batch)
    if hold is not None:
        raise CouldNotStart(
            f"{batch.name} is held: {hold.sentence}", code="held-back", next=how_to_go_on(batch.name, hold)
        )


def how_to_go_on(name: str, hold: Hold | None) -> str:
    """Give the command that sends what is left."""
    return f"batchrun resume {name}" + (" --confirm" if hold is not None and hold.waits else "")


class VersionTeller:
    """Tells people of the procedure's versions as they are first seen."""

    def __init__(self, journal: Journal, batch: Batch, teller: Teller) -> None:
        with journal.reading() as connection:
            self._known = [one.version_id for one in journal_versions.seen(connection, batch)]
            self._last = journal_versions.of_last_batch(connection, batch)
        self._teller = teller
        self.on_change: Callable[[Stop], None] = lambda _stop: None

    def saw(self, version: str) -> None:
        """Take in a version that a run was seen to have."""
        if version in self._known:
            return
        if self._known:
            told = _version_changed(self._known[-1], version)
            self._teller.warn(told)
            self.on_change(Stop(VERSION_CHANGED, told))
        elif (note := _differs(version, self._last)) is not None:
            self._teller.warn(note)
        self._known.append(version)


def note_on_version(connection: Connection, batch: Batch) -> str | None:
    """Say that a batch ran with another version of the procedure than the last one before it."""
    seen = journal_versions.seen(connection, batch)
    return _differs(seen[0].version_id, journal_versions.of_last_batch(connection, batch)) if seen else None


def _differs(version: str, last: tuple[str, str] | None) -> str | None:
    if last is None or last[1] == version:
        return None
    return f"the procedure's version is {_shown(version)}; the last batch, {last[0]}, ran with {_shown(last[1])}"


def facts(connection: Connection, batch: Batch) -> dict[str, str]:
    """Give what the Summary says of canary and versions."""
    settings = journal_holds.settings_of(connection, batch.id)
    seen = journal_versions.seen(connection, batch)
    later = [f"{_shown(one.version_id)} (first seen in row {one.number})" for one in seen[1:]]
    accepted = [
        one for one in settings.get("versions_accepted", []) if one["version"] in {s.version_id for s in seen[1:]}
    ]
    found = {
        "Versions seen": ", ".join([*(_shown(one.version_id) for one in seen[:1]), *later]),
        "Versions accepted": ", ".join(f"{_shown(one['version'])} by {_who(one)}" for one in accepted),
        "Canary": _canary_fact(settings.get("canary")),
    }
    return {label: text for label, text in found.items() if text}


def _canary_fact(set_up: Mapping[str, Any] | None) -> str:
    if set_up is None or set_up["up_to"] is None:
        return ""
    first = f"the first {set_up['rows']:,} alone"
    return f"{first}; the others confirmed by {_who(set_up)}" if set_up["confirmed"] else f"{first}; not confirmed"


def _who(said: Mapping[str, Any]) -> str:
    return f"{said['by']} at {to_the_second(said['at'])}"
