"""Documents in which every altered byte is found: they are written in one way only, with a seal over all the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "seal"


def canonical(document: Mapping[str, Any]) -> bytes:
    """Write a document in the one way in which it is written: a line for each of its keys, in ASCII.

    Raise ValueError for what JSON cannot hold.
    """
    lines = [f"{_text(str(name))}: {_text(value)}" for name, value in document.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def sha256(content: bytes) -> str:
    """Give the SHA-256 of some bytes, as it is shown."""
    return hashlib.sha256(content).hexdigest()


def sealed(document: Mapping[str, Any]) -> bytes:
    """Give a document's bytes, with the seal as its last line."""
    return canonical({**document, SEAL: sha256(canonical(document))})


def opened(content: bytes) -> dict[str, Any]:
    """Read a sealed document; raise ValueError where one byte is another than when it was sealed."""
    try:
        document = json.loads(content)
        as_written = isinstance(document, dict) and canonical(document) == content
    except RecursionError:
        as_written = False
    if not as_written:
        raise ValueError("it is not written as such documents are")
    seal = document.pop(SEAL, None)
    if seal != sha256(canonical(document)):
        raise ValueError("its seal does not fit the rest of it")
    return dict(document)
