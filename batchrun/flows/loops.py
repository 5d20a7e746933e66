"""Runs an asyncio loop to its end, also from a notebook, where one runs already."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; inside a running loop, in a thread of its own."""
    if not is_in_a_loop():
        return _run(work)
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_run, work).result()


def is_in_a_loop() -> bool:
    """Tell whether a loop runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def soon(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> Callable[[], None]:
    """Give what a signal's handler may call: it lets the loop make the call in its next turn."""

    def from_a_signal() -> None:
        loop.call_soon_threadsafe(call)

    return from_a_signal


def _run(work: Coroutine[Any, Any, T]) -> T:
    # On asyncio's own loop, whatever a notebook has installed: no connection has passed the guards on another.
    with asyncio.Runner(loop_factory=_own_loop) as runner:
        return runner.run(work)


def _own_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.ProactorEventLoop()
    return asyncio.SelectorEventLoop()
