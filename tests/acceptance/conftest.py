"""What all tests of whole commands share."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from crashing_batchrun import Crasher, a_crasher
from finance_desk import Desk


@pytest.fixture(scope="session")
def crasher() -> Iterator[Crasher]:
    """Load batchrun once for the commands of a whole session."""
    with a_crasher() as one:
        yield one


@pytest.fixture(scope="session", autouse=True)
def _quick_commands(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the commands of every desk in children of the one loaded process; where there is no fork, as processes."""
    if sys.platform != "win32":
        Desk.loaded = request.getfixturevalue("crasher")
    yield
    Desk.loaded = None
