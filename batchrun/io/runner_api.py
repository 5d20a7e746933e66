"""The only module that knows the Runner API's paths. Sources: references `Run a Procedure` and `Manage Runs`."""

from __future__ import annotations

from batchrun.core.answers import Seen
from batchrun.io.exchange import BeforeWrite, Connection, Route, path_part


class RunnerApi(Connection):
    """The Runner API over one connection at a time; not for two calls at once."""

    def __init__(self, route: Route, procedure_path: str) -> None:
        super().__init__(route)
        self._procedure_path = procedure_path

    async def start(self, body: bytes, before_write: BeforeWrite) -> Seen:
        """Start a run. Whatever happens is in the answer; nothing is raised but a cancellation."""
        return await self._exchange("POST", self._procedure_path, body, before_write)

    async def read(self, run_id: str) -> Seen:
        """Read a run from the configured origin, never from a `statusUrl`."""
        return await self._exchange("GET", f"/runs/{path_part(run_id)}", None)

    async def cancel(self, run_id: str) -> Seen:
        """Ask for a run to be cancelled."""
        return await self._exchange("POST", f"/runs/{path_part(run_id)}/cancel", b"")
