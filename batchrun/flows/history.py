"""`history`: one key's whole life over all batches of the journal, and the keys that are nearly it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import orjson

from batchrun.core import near_keys
from batchrun.core.near_keys import Key, Likeness, Period, Wanted
from batchrun.core.payloads import key_id
from batchrun.errors import BadCommandLine, BatchrunError, NotFound
from batchrun.flows.rereading import RunNow, read_again
from batchrun.flows.telling import Counting, Teller
from batchrun.io import journal_keys
from batchrun.io.journal import Journal, journal_if_any, open_journal
from batchrun.io.journal_keys import Place, Sighting, ToldRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")

MOST_SIMILAR = 10
MOST_TOLD = 200  # near rows of one journal, of which the nearest are shown


@dataclass(frozen=True, slots=True)
class Found:
    """One row that has the key. `period` is the `once_per` under which it takes it; None where it cannot be told.

    `payload_number` is the same for rows with the same payload; `runs` says what the API says now, with --verify.
    """

    journal: str
    row: Sighting
    period: Period | None
    payload_number: int | None = None
    runs: tuple[RunNow, ...] = ()


@dataclass(frozen=True, slots=True)
class Similar:
    """One row whose key is nearly the one that was asked for."""

    journal: str
    row: ToldRow
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class SearchedJournal:
    """A journal that was searched, its batches, and from when to when they were made."""

    path: str
    batches: int
    first: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of a key."""

    key: str
    journals: tuple[SearchedJournal, ...]
    found: tuple[Found, ...] = ()
    similar: tuple[Similar, ...] = ()
    more_similar: int = 0
    verified: bool = False
    error: BatchrunError | None = field(default=None)

    @property
    def batches(self) -> int:
        """How many batches were searched."""
        return sum(one.batches for one in self.journals)

    @property
    def first(self) -> str | None:
        """When the first of them was made."""
        return min((one.first for one in self.journals if one.first), default=None)

    @property
    def last(self) -> str | None:
        """When the last of them was made."""
        return max((one.last for one in self.journals if one.last), default=None)


def history(
    words: Sequence[str],
    journal_path: Path | None,
    also: Sequence[Path],
    teller: Teller,
    *,
    verify: bool = False,
) -> History:
    """Look a key up in the journal and in others that are named; with `verify`, read its runs from the API again."""
    if any(not word.strip() for word in words):
        raise BadCommandLine("the key is empty; write it as it stands in the sheet")
    keys = near_keys.spellings([word.strip() for word in words])
    with ExitStack() as opened:
        journals = [opened.enter_context(closing(one)) for one in _journals(journal_path, also)]
        parts = [_look(journal, keys, teller) for journal in journals]
        found = _numbered(_once([one for part in parts for one in part.found], _identity))
        near = [one for part in parts for one in part.similar]
        similar = sorted(_once(near, _told_as), key=_nearest)
        in_all = sum(part.more_similar for part in parts) - (len(near) - len(similar))
        told = History(
            key=", ".join(keys[0]),
            journals=tuple(one for part in parts for one in part.journals),
            found=found,
            similar=tuple(similar[:MOST_SIMILAR]),
            more_similar=in_all - min(len(similar), MOST_SIMILAR),
        )
        return _verified(told, journals) if verify else told


def _journals(path: Path | None, also: Sequence[Path]) -> list[Journal]:
    found: dict[Path, Journal] = {}
    for one in [None, *also]:
        journal = open_journal(path) if one is None else journal_if_any(one)
        if journal is None:
            raise NotFound(f"--also: there is no journal at {one}")
        if journal.path in found:
            journal.close()
        found.setdefault(journal.path, journal)
    return list(found.values())


def _nearest(one: Similar) -> tuple[int, bool, str, tuple[str, ...]]:
    return one.likeness.rank, one.row.simulated, one.row.at, one.row.key


def _once(rows: Sequence[T], identity: Callable[[T], object]) -> list[T]:
    """Leave out what a copy of a journal holds once more, as it is in the journal before it."""
    return list({identity(row): row for row in reversed(rows)}.values())[::-1]


def _identity(one: Found) -> object:
    row = one.row
    return row.batch.name, row.batch.created_at, row.position, row.state, row.run_id


def _told_as(one: Similar) -> object:
    return one.row._replace(place=Place(0, one.row.place.position))


def _look(journal: Journal, keys: Sequence[Key], teller: Teller) -> History:
    """Look through one journal as it is at one moment: its index for the key, all keys for those that are near."""
    with journal.reading() as connection:
        searched = journal_keys.searched(connection)
        hashes = {
            key_id(world, key, period): period
            for world, params in journal_keys.worlds(connection)
            for period in near_keys.periods(params)
            for key in keys
        }
        places = journal_keys.by_hashes(connection, list(hashes))
        near: dict[Place, Likeness] = {}
        with teller.counting("keys looked through") as counting:
            _look_through(connection, keys, places, near, counting)
        found = [
            Found(str(journal.path), one, None if one.key_id is None else hashes.get(one.key_id))
            for one in journal_keys.sightings(connection, list(places))
        ]
        similar = _similar(connection, journal, near)
    told = SearchedJournal(str(journal.path), searched.batches, searched.first, searched.last)
    return History("", (told,), tuple(found), tuple(similar), len(near))


def _look_through(
    connection: Connection, keys: Sequence[Key], places: set[Place], near: dict[Place, Likeness], counting: Counting
) -> None:
    """Add every row whose key is near, and such as bear the key by its text though no hash that is known here."""
    wanted = Wanted(keys[0])
    seen = 0
    for page in journal_keys.texts(connection):
        bare = near_keys.skeletons("\n".join(_plain(text) for text, *_ in page))
        for (text, batch_id, position), one in zip(page, bare, strict=True):
            if not wanted.may_be(one):
                continue
            place, key = Place(batch_id, position), tuple(orjson.loads(text))
            likeness = wanted.likeness(key)
            if key in keys:
                places.add(place)
            elif likeness is not None:
                near[place] = likeness
        seen += len(page)
        counting(seen)


def _plain(text: str) -> str:
    """Give a key's text on one line; what JSON escapes would leave letters that are none of the key's."""
    return text if "\\" not in text else " ".join(orjson.loads(text)).replace("\n", " ")


def _similar(connection: Connection, journal: Journal, near: Mapping[Place, Likeness]) -> list[Similar]:
    nearest = sorted(near, key=lambda place: (near[place].rank, place))
    told = journal_keys.told_at(connection, nearest[:MOST_TOLD])
    return [Similar(str(journal.path), one, near[one.place]) for one in told]


def _numbered(found: Iterable[Found]) -> tuple[Found, ...]:
    """Put what was found in order, the oldest first, and number its payloads in the order in which they came."""
    numbers: dict[bytes, int] = {}
    return tuple(
        one
        if one.row.payload_id is None
        else replace(one, payload_number=numbers.setdefault(one.row.payload_id, len(numbers) + 1))
        for one in sorted(found, key=lambda one: (one.row.batch.created_at, one.journal, one.row.position))
    )


def _verified(told: History, journals: Sequence[Journal]) -> History:
    """Read every run that was found from the API again, batch by batch; what cannot be read is told with its reason."""
    again: dict[tuple[str, Place], tuple[RunNow, ...]] = {}
    errors: list[BatchrunError] = []
    for journal in journals:
        here = [one.row for one in told.found if one.journal == str(journal.path)]
        for row, runs, error in read_again(journal, here):
            again[str(journal.path), _place(row)] = runs
            errors += [] if error is None else [error]
    found = tuple(replace(one, runs=again[one.journal, _place(one.row)]) for one in told.found)
    return replace(told, found=found, verified=True, error=next(iter(errors), None))


def _place(row: Sighting) -> Place:
    return Place(row.batch.id, row.position)
