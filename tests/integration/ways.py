"""The two ways in which an exchange may go, so that the guards run over both: each may carry a payment."""

from __future__ import annotations

import pytest

from batchrun.io import exchange
from batchrun.io.exchange_proxied import Proxied

WAYS = {"shipped": exchange.carrier_for, "httpx": Proxied}


@pytest.fixture(params=WAYS, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let every exchange of a test go the way that ships, or httpx's, which connects by itself without a proxy."""
    monkeypatch.setattr(exchange, "carrier_for", WAYS[request.param])
    return str(request.param)
