"""A batch's part of the journal as lines of JSON, one file a table, and back into a journal.

What the journal holds as JSON stands in the lines as JSON; payloads and outputs stand as text, so that their bytes
stay exactly what they were.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from sqlalchemy import Column, ColumnElement, Connection, LargeBinary, Select, Table, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore
from sqlalchemy.exc import OperationalError, StatementError

from batchrun.core import evidence
from batchrun.io import journal_versions
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_tables import (
    adoptions,
    batches,
    corrections,
    decision_answers,
    decisions,
    deliveries,
    events,
    purges,
    rows,
    run_ids,
    versions_seen,
    workbooks,
)

AT_ONCE = 1_000
Form = Literal["hex", "text", "json"]
_BATCH: Mapping[str, Form] = {
    "identity": "hex",
    **dict.fromkeys(("knobs", "params", "settings", "sheet", "notes"), "json"),
}


@dataclass(frozen=True, slots=True)
class Extract:
    """How one table is told. `forms` says of columns how they stand in the lines; the others stand as they are."""

    member: str
    table: Table
    forms: Mapping[str, Form] = field(default_factory=dict)
    without: tuple[str, ...] = ("id", "batch_id")
    known_before: bool = False  # lines that a journal may hold already

    @property
    def columns(self) -> list[Column[Any]]:
        """The columns that the lines hold: numbers of this very journal say nothing elsewhere."""
        return [column for column in self.table.c if column.name not in self.without]


_ROW: Mapping[str, Form] = {
    **dict.fromkeys(("key", "cells", "amounts", "problems"), "json"),
    **dict.fromkeys(("key_id", "payload_id"), "hex"),
    **dict.fromkeys(("payload", "output"), "text"),
}
_CORRECTION: Mapping[str, Form] = {name: _ROW[name] for name in ("payload", "payload_id", "cells", "amounts")}
EXTRACTS = (
    Extract(evidence.ROWS, rows, _ROW),
    Extract(evidence.EVENTS, events),
    Extract(evidence.DECISIONS, decisions, {"outputs": "text"}, without=("batch_id",)),
    Extract("journal/decision_answers.jsonl", decision_answers, without=("id",)),
    Extract("journal/deliveries.jsonl", deliveries, {"body": "text"}, without=("id",), known_before=True),
    Extract(evidence.CORRECTIONS, corrections, _CORRECTION),
    Extract(evidence.RUN_IDS, run_ids),
    Extract("journal/workbooks.jsonl", workbooks, {"widths": "json"}, known_before=True),
    Extract("journal/versions_seen.jsonl", versions_seen),
    Extract("journal/purges.jsonl", purges),
    Extract("journal/adoptions.jsonl", adoptions),
)


def batch_line(connection: Connection, batch: Batch) -> dict[str, Any]:
    """Give a batch's own line, as its evidence holds it."""
    found = connection.execute(select(batches).where(batches.c.id == batch.id)).one()._mapping
    return {
        str(name): orjson.loads(_told(value, _BATCH.get(name)))
        for name, value in found.items()
        if name not in ("id", "cancel_asked_at")
    }


def lines(connection: Connection, batch: Batch, extract: Extract) -> Iterator[bytes]:
    """Give the lines of one table that are a batch's, in the order in which they came to be."""
    columns, forms = extract.columns, extract.forms
    names = [str(column.name) for column in columns]  # SQLAlchemy's own kind of text, otherwise
    wanted = _of_batch(extract.table, batch).with_only_columns(*columns)
    for found in connection.execute(wanted.execution_options(yield_per=AT_ONCE)):
        line = {
            name: value if forms.get(name) is None else orjson.Fragment(_told(value, forms[name]))
            for name, value in zip(names, found, strict=True)
        }
        yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _of_batch(table: Table, batch: Batch) -> Select[Any]:
    if table is decision_answers:
        mine = decisions.c.batch_id == batch.id
        return select(table).join(decisions, decisions.c.id == table.c.decision_id).where(mine).order_by(table.c.id)
    if table is deliveries:
        runs = select(run_ids.c.run_id).where(run_ids.c.batch_id == batch.id)
        return select(table).where(table.c.run_id.in_(runs)).order_by(table.c.id)
    return select(table).where(table.c.batch_id == batch.id).order_by(*_order(table))


def _order(table: Table) -> Iterable[ColumnElement[Any]]:
    if table is versions_seen:
        return (journal_versions.AS_KEPT,)  # its primary key is a name, which tells nothing of what came first
    return (table.c.position, table.c.attempt) if table is run_ids else table.primary_key.columns


def _told(value: Any, form: Form | None) -> bytes | str:
    """Write one value as JSON."""
    if value is None:
        return b"null"
    if form == "json":
        return value if isinstance(value, bytes | str) else orjson.dumps(value)
    if form == "hex":
        return orjson.dumps(value.hex())
    if form == "text" and isinstance(value, bytes):
        try:
            return orjson.dumps(value.decode())
        except UnicodeDecodeError:  # a delivery whose body is no text
            return orjson.dumps({"base64": base64.b64encode(value).decode()})
    return orjson.dumps(value)


def _untold(value: Any, form: Form | None, column: Column[Any]) -> Any:
    """Read one value back; raise ValueError where it is none."""
    if value is None or form is None:
        return value
    if form == "hex":
        return binascii.unhexlify(value)
    if form == "json":
        content = orjson.dumps(value)
        return content if isinstance(column.type, LargeBinary) else content.decode()
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()


def insert_batch(connection: Connection, line: Mapping[str, Any], **changed: Any) -> int:
    """Put a batch's own line into a journal; give its number there."""
    values = {
        column.name: _untold(line.get(column.name), _BATCH.get(column.name), column)
        for column in batches.c
        if column.name not in ("id", "cancel_asked_at")
    }
    key = connection.execute(insert(batches).values({**values, **changed})).inserted_primary_key
    assert key is not None  # noqa: S101  # SQLite gives the id of what it inserted
    return int(key[0])


def insert_lines(
    connection: Connection,
    extract: Extract,
    batch_id: int,
    found: Iterable[Mapping[str, Any]],
    decision_ids: dict[int, int],
) -> int:
    """Put one table's lines into a journal, and count them; `decision_ids` maps decisions' old numbers to new ones."""
    count, buffer = 0, []
    for line in found:
        count += 1
        values = _values(extract, line)
        if "batch_id" in extract.table.c:
            values["batch_id"] = batch_id
        if extract.table is decision_answers:
            values["decision_id"] = decision_ids[values["decision_id"]]
        if extract.table is decisions:
            before = values.pop("id")
            key = connection.execute(insert(decisions).values(values)).inserted_primary_key
            assert key is not None  # noqa: S101  # SQLite gives the id of what it inserted
            decision_ids[before] = int(key[0])
            continue
        buffer.append(values)
        if len(buffer) >= AT_ONCE:
            _flush(connection, extract, buffer)
    _flush(connection, extract, buffer)
    return count


def _values(extract: Extract, line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        column.name: _untold(line.get(column.name), extract.forms.get(column.name), column)
        for column in extract.columns
    }


def _flush(connection: Connection, extract: Extract, buffer: list[dict[str, Any]]) -> None:
    if not buffer:
        return
    plain = insert(extract.table)
    statement = insert_or_ignore(extract.table).on_conflict_do_nothing() if extract.known_before else plain
    try:
        connection.execute(statement, buffer)
    except OperationalError:  # a full disk, say
        raise
    except StatementError as error:
        raise ValueError(f"{extract.member} holds what no journal can hold") from error
    buffer.clear()
