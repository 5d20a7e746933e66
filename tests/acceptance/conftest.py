"""What all tests of whole commands share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from crashing_batchrun import Crasher, a_crasher


@pytest.fixture(scope="session")
def crasher() -> Iterator[Crasher]:
    """Load batchrun once for the commands of a whole session."""
    with a_crasher() as one:
        yield one
