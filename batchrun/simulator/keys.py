"""What an `Authorization` header allows. No key is kept or shown."""

from __future__ import annotations

import re

from batchrun.simulator.refusals import RefusedError

_BEARER = re.compile(r"bearer +([!-~]+) *", re.IGNORECASE)
_RUNNER_KEY = re.compile(r"rsk_(sandbox|live)_[!-~]+")


def runner_environment(authorization: str | None) -> str:
    """Give the environment of a Runner key, `rsk_sandbox_…` or `rsk_live_…`."""
    found = _RUNNER_KEY.fullmatch(_bearer(authorization))
    if found is None:
        raise RefusedError(401, "the API key is not valid")
    return found[1]


def reviewer_environment(authorization: str | None) -> str | None:
    """Give the environment of a reviewer's key; None for a dashboard session token, whose form is not documented."""
    token = _bearer(authorization)
    return runner_environment(authorization) if token.startswith("rsk_") else None


def _bearer(authorization: str | None) -> str:
    found = _BEARER.fullmatch(authorization or "")
    if found is None:
        raise RefusedError(401, "an API key is needed: Authorization: Bearer <api_key>")
    return found[1]
