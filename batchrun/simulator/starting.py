"""Starts runs: checks a start as the documents say, lets the knobs spoil some, and takes in the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchrun.simulator.bodies import Start
from batchrun.simulator.chance import Draw, Draws, content_of, token
from batchrun.simulator.clock import Clock
from batchrun.simulator.fates import deal
from batchrun.simulator.knobs import Knobs
from batchrun.simulator.ledger import Ledger
from batchrun.simulator.output import read_template
from batchrun.simulator.pace import Bucket
from batchrun.simulator.refusals import RefusedError
from batchrun.simulator.runs import Run
from batchrun.simulator.schema import Conformity


@dataclass(frozen=True, slots=True)
class Started:
    """A run that exists now; its answer may be late, in seconds, or get lost on its way."""

    run: Run
    latency: float
    answer_lost: bool


class Starter:
    """Takes in starts. `seed` decides the fates, `id_salt` the run ids."""

    def __init__(self, knobs: Knobs, seed: int, id_salt: bytes, ledger: Ledger, clock: Clock) -> None:
        self._knobs = knobs
        self._seed = seed
        self._id_salt = id_salt
        self._ledger = ledger
        self._clock = clock
        self._template = read_template(knobs.output)
        self._conformity = Conformity(knobs.schema)
        self._bucket = Bucket(knobs.rate_limit, clock.now()) if knobs.rate_limit else None

    def check_rate(self) -> None:
        """Refuse a start that comes too fast; it is not counted, so that time decides nothing but this."""
        if self._bucket and not self._bucket.take(self._clock.now()):
            raise self._too_many("the rate limit is reached")

    def start(self, procedure: str, environment: str, body: Start) -> Started:
        """Take in a start, or refuse it; a start that is refused leaves no run."""
        self._conformity.check(body.data)
        content = content_of(procedure, environment, body.raw)
        draws = Draws(self._seed, b"post", content, b"%d" % self._ledger.starts(content))
        latency = self._knobs.latency.at(draws.of(Draw.LATENCY)) / 1000
        try:
            self._spoil(content, draws)
        except RefusedError as refused:
            self._ledger.refuse(content)
            refused.latency = latency
            raise
        run = self._new_run(procedure, environment, body, content)
        self._ledger.add(run)
        return Started(run, latency, draws.hits(Draw.LOST_ANSWER, self._knobs.lost_answers))

    def _spoil(self, content: bytes, draws: Draws) -> None:
        if draws.hits(Draw.ERROR_429, self._knobs.errors_429):
            raise self._too_many("too many requests")
        if draws.hits(Draw.ERROR_500, self._knobs.errors_500):
            raise RefusedError(500, "an internal error; no run was started")
        # An input that is refused once is refused always: the draw does not count how often it came.
        if Draws(self._seed, b"input", content).hits(Draw.REFUSAL, self._knobs.refusals):
            raise RefusedError(422, "the data does not conform to the procedure's input schema (simulated)")

    def _new_run(self, procedure: str, environment: str, body: Start, content: bytes) -> Run:
        number = self._ledger.next_number()
        run_id = f"run_{token(15, self._id_salt, b'%d' % number)}"
        draws = Draws(self._seed, b"run", content, b"%d" % self._ledger.same(content))
        fate = deal(self._knobs, self._template, draws, body.data, run_id)
        new = self._knobs.new_version
        version = self._knobs.version_id or f"pv_{body.version or 'default'}"
        if new is not None and number > new.after:
            version = new.id
        return Run(number, run_id, content, procedure, environment, version, body.raw, self._clock.now(), fate)

    def _too_many(self, message: str) -> RefusedError:
        header = self._knobs.retry_after.header(self._clock.now() / 1000)
        headers: Mapping[str, Any] = {"Retry-After": header} if header is not None else {}
        return RefusedError(429, message, headers)
