"""The ways to the API for one batch: the key, the route, and the simulator where one stands in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from batchrun.core.durations import parse_rate
from batchrun.flows.origins import is_loopback
from batchrun.io import exchange
from batchrun.io.account_pace import AccountPace
from batchrun.io.api_key import PREFIXES, ApiKey, find_key, find_review_key
from batchrun.io.exchange import Route
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch, Draft
from batchrun.io.runner_api import RunnerApi
from batchrun.io.simulator_process import simulator

SYNC_MARGIN = 30.0
REVIEW_SECONDS = 15.0  # a decision can be sent again at any time, so nobody waits long for its answer
DEFAULT_EXECUTION = 60.0


@dataclass(frozen=True, slots=True)
class Reviewing:
    """What it takes to reach the Human Review endpoint: it may have a key of its own, and lie elsewhere."""

    key: ApiKey
    proxy: str | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Doors:
    """What it takes to make connections for a batch; the key is found before anything is sent."""

    key: ApiKey
    proxy: str | None = field(default=None)
    reviewing: Reviewing | None = None

    @contextlib.contextmanager
    def opened(self, journal: Journal, batch: Batch) -> Iterator[Route]:
        """Give the route to the API; for a simulated batch, start its simulator where it was."""
        read_seconds = answer_seconds(batch)
        if not batch.simulated:
            tls = exchange.tls_context() if batch.base_url.startswith("https") else None
            with _shared_pace(journal, batch, self.key) as account:
                yield Route(batch.base_url, self.key, tls, self.proxy, read_seconds, account=account)
            return
        with simulator(journal.simulator_file(batch.id), batch.knobs, seed=batch.id) as origin:
            yield Route(origin, self.key, None, None, read_seconds)

    def review_route(self, batch: Batch, runner_route: Route) -> Route:
        """Give the route to the Human Review endpoint, beside the one to the Runner API that was opened."""
        assert self.reviewing is not None  # noqa: S101  # `doors_for` was asked for it
        if batch.simulated:
            return Route(runner_route.origin, self.reviewing.key, None, None, REVIEW_SECONDS)
        tls = exchange.tls_context() if batch.review_url.startswith("https") else None
        account = runner_route.account if self.reviewing.key.reveal() == self.key.reveal() else None
        return Route(batch.review_url, self.reviewing.key, tls, self.reviewing.proxy, REVIEW_SECONDS, account=account)


@contextlib.contextmanager
def _shared_pace(journal: Journal, batch: Batch, key: ApiKey) -> Iterator[AccountPace | None]:
    rate = batch.settings.get("account_rate")
    per_second = inf if rate is None else parse_rate(rate)
    if per_second == inf:
        yield None
        return
    with AccountPace(journal, key, per_second) as account:
        yield account


def doors_for(batch: Draft, spec: Path) -> Doors:
    """Find the key for a batch's environment, and the proxy on the way; raise BadKey where there is no fitting key."""
    if batch.simulated:
        return Doors(ApiKey(f"{PREFIXES[batch.environment]}simulated", "the simulator"))
    return Doors(find_key(batch.environment, spec), proxy_for(batch.base_url))


def review_doors_for(batch: Draft, spec: Path) -> Doors:
    """Find both keys and the ways, as reviews need them: decisions go one way, readings of runs the other."""
    doors = doors_for(batch, spec)
    if batch.simulated:
        return replace(doors, reviewing=Reviewing(doors.key))
    return replace(doors, reviewing=Reviewing(find_review_key(batch.environment, spec), proxy_for(batch.review_url)))


def proxy_for(origin: str) -> str | None:
    """Give the proxy that the system's settings name for an origin; never one for this machine itself."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host) or os.environ.get("BATCHRUN_NO_PROXY"):
        return None
    return getproxies().get(parts.scheme)


def answer_seconds(batch: Draft) -> float:
    """Give how long an answer may take: a sync run's executionTimeout and 30 s more."""
    if batch.mode != "sync":
        return exchange.READ_SECONDS
    return (batch.timeout_ms / 1000 if batch.timeout_ms is not None else DEFAULT_EXECUTION) + SYNC_MARGIN


def runner(route: Route, batch: Draft) -> RunnerApi:
    """Make one worker's door to the Runner API."""
    return RunnerApi(route, f"/v1/procedures/{batch.procedure_id}/{batch.environment}")
