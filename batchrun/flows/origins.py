"""Where the API is: checked before a key goes anywhere."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from batchrun.errors import BadCommandLine

RUNNER_ORIGIN = "https://run.rapidfolio.com"
REVIEW_ORIGIN = "https://app.rapid.io"


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins of the Runner API and of the Human Review endpoint."""

    base: str = RUNNER_ORIGIN
    review: str = REVIEW_ORIGIN


def origins(base_url: str | None, review_url: str | None) -> Origins:
    """Give both origins; with a custom base and no review origin, the base serves for both."""
    base = _origin(base_url, "--base-url") if base_url else RUNNER_ORIGIN
    if review_url:
        return Origins(base, _origin(review_url, "--review-url"))
    return Origins(base, base if base_url else REVIEW_ORIGIN)


def _origin(text: str, flag: str) -> str:
    parts = urlsplit(text.strip())
    try:
        port = parts.port
    except ValueError:
        raise BadCommandLine(f'{flag}: "{text}" has no valid port') from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadCommandLine(f'{flag}: "{text}" is no address; write for example https://run.rapidfolio.com')
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise BadCommandLine(f"{flag}: give the host alone ({parts.scheme}://{parts.hostname}), without path or user")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise BadCommandLine(f"{flag}: plain http would show the API key to everybody on the way; use https")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
