"""Opens a results workbook with openpyxl, and says in one sentence why a file cannot be opened."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from batchrun.errors import BadInput, NotFound
from batchrun.io.excel_package import DamagedXmlError, workbook_kind

if TYPE_CHECKING:
    from openpyxl import Workbook

LARGEST = 300 * 1024 * 1024
"""How many bytes a workbook may have; a small one may unpack to as many."""

# batchrun's own workbooks, and what other programs make of them, unpack to ten times their size: 300,000 rows of eight
# columns to 336 MB. What unpacks to far more of its size is none of them, and would only fill the memory.
_SHRUNK, _MOST_UNPACKED = 30, 3 << 30

# What a file that is no workbook, or a broken one, makes openpyxl and Python's own modules raise: of its pack, of its
# parts, of their XML, of what that means.
_DAMAGE = (
    DamagedXmlError,
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    OSError,
    EOFError,
    RuntimeError,
)
_PACK, _OLE = b"PK", b"\xd0\xcf\x11\xe0"


def most_unpacked(path: Path) -> int:
    """Give how many bytes the workbook at a path may unpack to, by its size."""
    return max(LARGEST, min(_SHRUNK * path.stat().st_size, _MOST_UNPACKED))


@contextmanager
def opened_workbook(
    path: Path, name: str | None = None, *, read_only: bool = True, data_only: bool = True, rich_text: bool = False
) -> Iterator[Workbook]:
    """Open a workbook for the block; NotFound where it cannot be read, also where that shows only in the block.

    `name` is the file's in messages. What openpyxl warns of (a drop-down it does not know) is not the reader's matter.
    """
    from openpyxl import load_workbook

    name = name or path.name
    refuse_other_files(path, name)
    with plain_damage(name), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        workbook = load_workbook(path, read_only=read_only, data_only=data_only, rich_text=rich_text)
        try:
            yield workbook
        finally:
            workbook.close()


@contextmanager
def plain_damage(name: str) -> Iterator[None]:
    """Turn into NotFound, in a sentence, what a file that is no sound workbook makes the block raise."""
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        yield
    except BadInput as fault:
        raise NotFound(fault.message) from None
    except (InvalidFileException, *_DAMAGE):
        raise NotFound(
            f"{name} cannot be read as a workbook; open it in Excel, let it be repaired and save it as .xlsx"
        ) from None


def refuse_other_files(path: Path, name: str) -> None:
    """Raise NotFound, by content, for whatever is no .xlsx workbook, or is too large to unpack."""
    if not path.is_file():
        raise NotFound(f"there is no workbook at {path}")
    with plain_damage(name):
        with path.open("rb") as file:
            head = file.read(4)
        if not head.startswith((_PACK, _OLE)):
            raise NotFound(f"{name} cannot be read as a workbook: it is a file of another kind, or empty")
        kind = workbook_kind(path, name, most_unpacked(path))
    if kind != "xlsx":
        raise NotFound(f"{name} is a .{kind} file; open it in Excel and save it as .xlsx (Excel Workbook)")
