"""Batches that come from another journal: whether they may, under which name, and the note that they did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, insert, select

from batchrun.core import naming
from batchrun.io.journal_batches import text_time
from batchrun.io.journal_rows import takes_key
from batchrun.io.journal_tables import adoptions, batches, decisions, rows, run_ids
from batchrun.model import Environment, State

AT_ONCE = 500


def same_batch(connection: Connection, line: Mapping[str, Any]) -> str | None:
    """Give the name that this very batch has here; None where the journal does not hold it."""
    wanted = select(batches.c.name).where(
        batches.c.name.is_not(None),
        batches.c.stem == line["stem"],
        batches.c.created_at == line["created_at"],
        batches.c.identity == bytes.fromhex(line["identity"]),
        batches.c.world == line["world"],
    )
    return connection.execute(wanted.limit(1)).scalar()


def free_name(connection: Connection, line: Mapping[str, Any]) -> str:
    """Give the batch's own name or, where that is another's, one with the next free number of its stem."""
    name, stem = str(line["name"]), str(line["stem"])
    taken = set(connection.execute(select(batches.c.name).where(batches.c.name.is_not(None))).scalars())
    number = 0
    while name in taken:
        number += 1
        name = naming.batch_name(stem, number)
    return name


def held_runs(connection: Connection, runs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give those of some runs (origin, run id) that the journal holds already: the run id, and whose it is."""
    found: list[tuple[str, str]] = []
    for some in _at_once(runs):
        wanted = (
            select(run_ids.c.run_id, batches.c.name)
            .join(batches, batches.c.id == run_ids.c.batch_id)
            .where(run_ids.c.origin.in_({origin for origin, _ in some}))
            .where(run_ids.c.run_id.in_([run_id for _, run_id in some]))
        )
        found += [(run_id, name) for run_id, name in connection.execute(wanted)]
    return found


def _at_once(found: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    rest = iter(found)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def any_decision(connection: Connection, keys: Sequence[str]) -> bool:
    """Tell whether the journal holds a decision with one of these idempotency keys."""
    for start in range(0, len(keys), AT_ONCE):
        wanted = select(decisions.c.id).where(decisions.c.idempotency_key.in_(keys[start : start + AT_ONCE]))
        if connection.execute(wanted.limit(1)).first() is not None:
            return True
    return False


def note(connection: Connection, batch_id: int, by: str, evidence_sha256: str, now: datetime) -> None:
    """Note that a batch came here, by whom and by which evidence."""
    values = {"batch_id": batch_id, "at": text_time(now), "by": by, "evidence_sha256": evidence_sha256}
    connection.execute(insert(adoptions).values(values))


def unknown_duplicates(connection: Connection, batch_id: int, environment: Environment) -> list[tuple[int, str]]:
    """Give a batch's duplicates whose key nothing in this journal takes: their numbers, and what took it there."""
    other = rows.alias("other")
    taken = select(other.c.position).where(
        other.c.key_id == rows.c.key_id, other.c.batch_id != rows.c.batch_id, takes_key(other, environment)
    )
    wanted = select(rows.c.number, rows.c.error).where(
        rows.c.batch_id == batch_id, rows.c.state == State.DUPLICATE.value, ~taken.exists()
    )
    return [(number, why or "") for number, why in connection.execute(wanted.order_by(rows.c.position))]


def keys_taken_elsewhere(connection: Connection, batch_id: int, environment: Environment) -> int:
    """Count a batch's rows that take a key which a row of another batch takes, too."""
    other = rows.alias("other")
    wanted = (
        select(func.count(rows.c.position.distinct()))
        .join(other, (other.c.key_id == rows.c.key_id) & (other.c.batch_id != rows.c.batch_id))
        .where(rows.c.batch_id == batch_id, takes_key(rows, environment), takes_key(other, environment))
    )
    return int(connection.execute(wanted).scalar_one())
