"""Copies of input, spec and schema in the journal, by the SHA-256 of their bytes."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection, insert, select

from batchrun.errors import BadInput, NotFound
from batchrun.io.journal_tables import file_pieces

PIECE = 1 << 20


def keep_file(connection: Connection, path: Path, sha256: str) -> None:
    """Copy a file into the journal; raise BadInput where its bytes are not those that were read."""
    digest = hashlib.sha256()
    known = is_kept(connection, sha256)
    with path.open("rb") as file:
        for number, piece in enumerate(_read_pieces(file)):
            digest.update(piece)
            if not known:
                _insert(connection, sha256, number, piece)
    if digest.hexdigest() != sha256:
        raise BadInput(f"{path.name} was changed while it was being read; run the command again")


def _read_pieces(file: BinaryIO) -> Iterator[bytes]:
    yield file.read(PIECE)  # an empty file has one piece, too
    yield from iter(lambda: file.read(PIECE), b"")


def keep_bytes(connection: Connection, content: bytes) -> str:
    """Keep a small file's bytes; give their SHA-256."""
    sha256 = hashlib.sha256(content).hexdigest()
    if not is_kept(connection, sha256):
        for number, start in enumerate(range(0, max(len(content), 1), PIECE)):
            _insert(connection, sha256, number, content[start : start + PIECE])
    return sha256


def keep_pieces(connection: Connection, sha256: str, pieces: Iterable[bytes]) -> None:
    """Keep a file that comes in pieces, however large; its hash is its teller's to prove."""
    if is_kept(connection, sha256):
        for _ in pieces:
            pass
        return
    count = 0
    for number, piece in enumerate(pieces):
        _insert(connection, sha256, number, piece)
        count += 1
    if not count:
        _insert(connection, sha256, 0, b"")  # an empty file has one piece, too


def kept_bytes(connection: Connection, sha256: str) -> bytes:
    """Give back what was kept."""
    pieces = list(kept_pieces(connection, sha256))
    if not pieces:
        raise NotFound(f"the journal holds no file with the SHA-256 {sha256}")
    return b"".join(pieces)


def kept_pieces(connection: Connection, sha256: str) -> Iterator[bytes]:
    """Give back what was kept, a piece at a time; nothing where nothing was."""
    wanted = select(file_pieces.c.content).where(file_pieces.c.sha256 == sha256).order_by(file_pieces.c.piece)
    for (content,) in connection.execute(wanted):
        yield zlib.decompress(content)


def is_kept(connection: Connection, sha256: str) -> bool:
    """Tell whether the journal holds a file."""
    return connection.execute(select(file_pieces.c.piece).where(file_pieces.c.sha256 == sha256)).first() is not None


def _insert(connection: Connection, sha256: str, number: int, piece: bytes) -> None:
    connection.execute(insert(file_pieces).values(sha256=sha256, piece=number, content=zlib.compress(piece, 1)))
