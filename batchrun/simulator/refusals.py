"""A call that is refused, as an error that carries its answer."""

from __future__ import annotations

from collections.abc import Mapping


class RefusedError(Exception):
    """Answer with this status and `{"error": message}`, after `latency` seconds."""

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None, latency: float = 0.0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers
        self.latency = latency
