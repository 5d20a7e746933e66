"""How sending is wired: on asyncio's own loop, and with readings that keep pace with the job."""

from __future__ import annotations

import asyncio
import sys
from math import inf

import pytest

from batchrun.flows.loops import run_loop
from batchrun.flows.sending import readings


async def kind() -> type[asyncio.AbstractEventLoop]:
    return type(asyncio.get_running_loop())


class Another(asyncio.SelectorEventLoop):
    """As a notebook may install one."""


def own() -> type[asyncio.AbstractEventLoop]:
    return asyncio.ProactorEventLoop if sys.platform == "win32" else asyncio.SelectorEventLoop


def test_another_loop_that_runs_already_is_left_alone_and_not_used() -> None:
    async def inside() -> type[asyncio.AbstractEventLoop]:
        assert await kind() is Another
        return run_loop(kind())

    with asyncio.Runner(loop_factory=Another) as runner:
        assert runner.run(inside()) is own()


def test_without_a_running_loop_it_is_the_same() -> None:
    assert run_loop(kind()) is own()


@pytest.mark.parametrize(
    ("per_second", "senders", "expected"),
    [(inf, 32, (inf, 32)), (1000.0, 32, (200.0, 8)), (50.0, 4, (50.0, 4)), (1 / 60, 8, (5.0, 8))],
)
def test_runs_are_read_at_the_job_s_pace_within_bounds_and_without_any_where_it_sets_none(
    per_second: float, senders: int, expected: tuple[float, int]
) -> None:
    assert readings(per_second, senders) == expected
