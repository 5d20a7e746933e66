"""How sending is wired: on asyncio's own loop, wherever a command is begun from."""

from __future__ import annotations

import asyncio
import sys

from batchrun.flows.loops import run_loop


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
