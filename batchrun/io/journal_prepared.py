"""Statements of the journal's hot path: written with SQLAlchemy like all others, compiled once, run by SQLite itself.

To build, look up and bind a statement anew for each commit costs SQLAlchemy more than SQLite takes to run it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from sqlalchemy import BindParameter, Connection, bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import ClauseElement


class Prepared:
    """One statement, with named parameters. It runs inside the transaction that its connection is in."""

    def __init__(self, written: Callable[[], ClauseElement]) -> None:
        self._written = written

    @cached_property
    def _compiled(self) -> tuple[str, dict[str, Any]]:
        """Give its text and the values that never change."""
        dialect = sqlite.dialect(paramstyle="named")
        compiled = self._written().compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}

    def all(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Run it once; give the rows that it finds."""
        text, fixed = self._compiled
        return _driver(connection).execute(text, {**fixed, **values}).fetchall()

    def each(self, connection: Connection, values: Sequence[Mapping[str, Any]]) -> None:
        """Run it once for each set of values."""
        text, fixed = self._compiled
        _driver(connection).executemany(text, [{**fixed, **one} for one in values] if fixed else values)


def given(name: str) -> BindParameter[Any]:
    """Stand for a value that comes with each run; it has none of its own, so that the statement can be compiled."""
    return bindparam(name, None)


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.dbapi_connection)
