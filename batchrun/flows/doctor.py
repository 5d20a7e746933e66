"""`doctor`: checks key, network, clock, disk and journal, and starts no run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import batchrun
from batchrun.core.answers import Seen, message_of
from batchrun.core.durations import words
from batchrun.errors import BatchrunError
from batchrun.flows.clock import SystemClock
from batchrun.flows.doors import proxy_for
from batchrun.flows.loops import run_loop
from batchrun.flows.origins import Origins
from batchrun.io import exchange, journal_batches
from batchrun.io.api_key import ApiKey, find_key
from batchrun.io.exchange import Route
from batchrun.io.journal import open_journal
from batchrun.io.journal_place import place_of
from batchrun.io.runner_api import RunnerApi
from batchrun.model import Environment

INVENTED_RUN = "run_batchrun_doctor_asks"
LITTLE_SPACE = 100 << 20
CLOCK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    good: bool
    told: str


def doctor(environment: Environment, origins: Origins, journal_path: Path | None) -> list[Finding]:
    """Look at all that a run needs; every finding is told, whatever the others are."""
    return list(_findings(environment, origins, journal_path))


def _findings(environment: Environment, origins: Origins, journal_path: Path | None) -> Iterator[Finding]:
    yield Finding("batchrun", True, f"version {batchrun.__version__}")
    yield _guarded("journal", lambda: _journal(journal_path))
    yield _guarded("disk", lambda: _disk(journal_path))
    keys: list[ApiKey] = []
    yield _guarded("key", lambda: _key(environment, keys))
    if keys:
        yield from _network(origins, keys[0])


def _guarded(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except BatchrunError as error:
        return Finding(name, False, error.message)


def _journal(path: Path | None) -> Finding:
    journal = open_journal(path)
    try:
        with journal.reading() as connection:
            count = len(journal_batches.names(connection))
        return Finding("journal", True, f"{journal.path}, {count:,} batches")
    finally:
        journal.close()


def _disk(path: Path | None) -> Finding:
    folder = place_of(path).parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Finding("disk", free >= LITTLE_SPACE, f"{free // (1 << 20):,} MB free beside the journal")


def _key(environment: Environment, found: list[ApiKey]) -> Finding:
    key = find_key(environment, None)
    found.append(key)
    return Finding("key", True, f"a {environment} key, from {key.source}")


def _network(origins: Origins, key: ApiKey) -> Iterator[Finding]:
    proxy = proxy_for(origins.base)
    tls = exchange.tls_context() if origins.base.startswith("https") else None
    seen = run_loop(_ask(Route(origins.base, key, tls, proxy, read_seconds=15.0)))
    way = f"{origins.base}" + (" through a proxy" if proxy else "")
    if seen.status is None:
        yield Finding("network", False, f"{way} cannot be reached: {seen.detail}")
        return
    yield Finding("network", seen.status < 500, f"{way} answers ({seen.status})")
    if seen.status in (401, 403):
        yield Finding("key accepted", False, f"the API refuses the key: {message_of(seen)}")
    elif seen.status in (200, 404):
        yield Finding("key accepted", True, "the API knows the key (it was asked for a run that does not exist)")
    yield from _clock(seen)


async def _ask(route: Route) -> Seen:
    door = RunnerApi(route, "/")
    try:
        return await door.read(INVENTED_RUN)
    finally:
        await door.aclose()


def _clock(seen: Seen) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(seen.headers.get("date", ""))
    except ValueError:
        return
    apart = abs((SystemClock().now() - theirs).total_seconds())
    told = "agrees with the API's" if apart <= CLOCK_SECONDS else f"is {words(apart)} away from the API's; set it"
    yield Finding("clock", apart <= CLOCK_SECONDS, f"this machine's clock {told}")
