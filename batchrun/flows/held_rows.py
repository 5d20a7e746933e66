"""Rows that are needed a second time and take long to read: packed, they take a fraction of their size."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice

from batchrun.model import SourceRow

CHUNK = 500
MOST_BYTES = 64 * 1024 * 1024


class HeldRows:
    """Keeps rows as they go by; of more than `most` bytes it keeps none, and they must be read again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._packed: list[bytes] | None = [] if most else None
        self._size = 0

    def passing(self, rows: Iterable[SourceRow]) -> Iterator[SourceRow]:
        """Give rows on as they are."""
        following = iter(rows)
        while some := list(islice(following, CHUNK)):
            self._keep(some)
            yield from some

    def again(self) -> Iterator[SourceRow] | None:
        """Give the same rows once more; None where they were too many."""
        return None if self._packed is None else _unpacked(self._packed)

    def _keep(self, some: list[SourceRow]) -> None:
        if self._packed is not None:
            self._packed.append(zlib.compress(pickle.dumps(some, pickle.HIGHEST_PROTOCOL), 1))
            self._size += len(self._packed[-1])
            if self._size > self._most:
                self._packed = None


def _unpacked(packed: Iterable[bytes]) -> Iterator[SourceRow]:
    for some in packed:
        yield from pickle.loads(zlib.decompress(some))  # noqa: S301  it was packed above, and never left this process
