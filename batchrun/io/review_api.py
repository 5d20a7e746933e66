"""The only module that knows the Human Review API's path. Source: reference `Human Review API`."""

from __future__ import annotations

from batchrun.core.answers import Seen
from batchrun.io.exchange import BeforeWrite, Connection, path_part


class ReviewApi(Connection):
    """The Human Review API over one connection at a time; its route's key is the reviewer's."""

    async def decide(self, run_id: str, body: bytes, before_write: BeforeWrite | None = None) -> Seen:
        """Send a decision. Whatever happens is in the answer; only the body's key makes it repeatable."""
        return await self._exchange("POST", f"/api/runner-proxy/review/{path_part(run_id)}", body, before_write)
