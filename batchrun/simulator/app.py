"""The API's addresses, each one call of the room that does the work."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from batchrun.simulator import answers
from batchrun.simulator.bodies import read_start, read_verdict
from batchrun.simulator.chance import Draw, Draws
from batchrun.simulator.clock import Clock
from batchrun.simulator.endpoint import Endpoint, Handler, NoAnswer, json_answer, json_body, nowhere
from batchrun.simulator.holds import Holds
from batchrun.simulator.keys import reviewer_environment, runner_environment
from batchrun.simulator.knobs import Knobs
from batchrun.simulator.ledger import Ledger
from batchrun.simulator.refusals import RefusedError
from batchrun.simulator.reviewing import Desk
from batchrun.simulator.runs import OPEN, Run, Status, stage_at
from batchrun.simulator.starting import Started, Starter

_ENVIRONMENTS = ("sandbox", "live")


class Api:
    """The simulated API's endpoints, over the rooms that do the work."""

    def __init__(self, knobs: Knobs, seed: int, ledger: Ledger, starter: Starter, clock: Clock) -> None:
        self._knobs = knobs
        self._seed = seed
        self._ledger = ledger
        self._starter = starter
        self._clock = clock
        self._desk = Desk(ledger, clock)
        self._answers: Counter[str] = Counter()
        self.holds = Holds(ledger, clock)

    def router(self) -> Router:
        """Lay out the paths."""
        routes = [
            _route("POST", "/v1/procedures/{procedure}/{environment}", self._start, self._count),
            _route("GET", "/runs/{run_id}", self._read),
            _route("POST", "/runs/{run_id}/cancel", self._cancel),
            _route("POST", "/api/runner-proxy/review/{run_id}", self._review),
            _route("GET", "/healthz", self._health),
            _route("GET", "/_simulator/runs", self._all_runs),
            _route("GET", "/_simulator/counts", self._counts),
        ]
        return Router(routes, redirect_slashes=False, default=nowhere)

    def _count(self, response: Response) -> None:
        self._answers["lost" if isinstance(response, NoAnswer) else str(response.status_code)] += 1

    async def _start(self, request: Request) -> Response:
        key_environment = self._runner_environment(request)
        environment = request.path_params["environment"]
        if environment not in _ENVIRONMENTS:
            raise RefusedError(404, f"there is no environment {environment!r}; there are sandbox and live")
        if environment != key_environment:
            raise RefusedError(403, f"a {key_environment} key cannot start runs in {environment}")
        self._starter.check_rate()
        body = read_start(await json_body(request))
        try:
            started = self._starter.start(request.path_params["procedure"], environment, body)
        except RefusedError as refused:
            await _delay(refused.latency)
            raise
        if started.answer_lost:
            return NoAnswer()
        return await self._started(request, started, body.timeout if body.sync else None)

    async def _started(self, request: Request, started: Started, timeout: Decimal | None) -> Response:
        origin = f"http://{request.headers['host']}"
        await _delay(started.latency)
        if timeout is None:
            return json_answer(answers.accepted(started.run, origin), 202)
        run = await self.holds.until_settled(started.run, started.run.created + int(timeout))
        return NoAnswer() if run is None else self._settled(run, origin, timeout)

    def _settled(self, run: Run, origin: str, timeout: Decimal) -> Response:
        stage = stage_at(run, self._clock.now())
        if stage.status in OPEN:
            return json_answer(answers.timed_out(run, origin, timeout), 504)
        if stage.status is Status.AWAITING_REVIEW:
            return json_answer(answers.awaiting(run, origin))
        return json_answer(answers.ended(run, stage))

    async def _read(self, request: Request) -> Response:
        run = self._desk.find(request.path_params["run_id"], self._runner_environment(request))
        await self._linger(run.id)
        return json_answer(answers.run_view(self._ledger.find(run.id) or run, self._clock.now()))

    async def _cancel(self, request: Request) -> Response:
        run = self._desk.find(request.path_params["run_id"], self._runner_environment(request))
        run = self._desk.cancel(run)
        await self._linger(run.id)
        return json_answer(answers.run_view(run, self._clock.now()))

    async def _review(self, request: Request) -> Response:
        self._refuse_deleted_key()
        environment = reviewer_environment(request.headers.get("authorization"))
        verdict = read_verdict(await json_body(request))
        self._desk.decide(request.path_params["run_id"], environment, verdict)
        await self._linger(request.path_params["run_id"])
        return json_answer({"success": True})

    async def _health(self, _: Request) -> Response:
        return json_answer({"ok": True, "simulator": True, "seed": self._seed})

    async def _all_runs(self, _: Request) -> Response:
        now = self._clock.now()
        runs = [{**answers.run_view(run, now), "procedureId": run.procedure} for run in self._ledger.runs()]
        return json_answer({"runs": runs})

    async def _counts(self, _: Request) -> Response:
        now = self._clock.now()
        statuses = Counter(stage_at(run, now).status.value for run in self._ledger.runs())
        return json_answer({"runs": statuses.total(), "statuses": dict(statuses), "answers": dict(self._answers)})

    def _runner_environment(self, request: Request) -> str:
        self._refuse_deleted_key()
        return runner_environment(request.headers.get("authorization"))

    def _refuse_deleted_key(self) -> None:
        if self._knobs.deleted_key:
            raise RefusedError(401, "the API key was deleted")

    async def _linger(self, run_id: str) -> None:
        if self._knobs.latency.high:
            share = Draws(self._seed, b"answer", run_id.encode()).of(Draw.LATENCY)
            await _delay(self._knobs.latency.at(share) / 1000)


async def _delay(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


def _route(method: str, path: str, handler: Handler, told: Callable[[Response], None] = lambda _: None) -> Route:
    return Route(path, Endpoint(method, handler, told))
