"""Tells who has a workbook open, from the small files that Excel and LibreOffice lay beside it meanwhile."""

from __future__ import annotations

import locale
import re
import sys
from pathlib import Path

SOMEBODY = "somebody"
"""Who has it open where the name cannot be told."""

_READ_AT_MOST = 4096
_LONGEST_NAME = 52  # the most that Office lets people enter
_WIDE_NAME_AT = (55, 54)  # in Excel's file, and in Word's
_FIELD = re.compile(r"(?:\\.|[^\\,;])*")


def opened_by(path: Path) -> str | None:
    """Give who has the workbook open: a name, SOMEBODY where it cannot be told, None where nobody has. Never raises."""
    try:
        places = dict.fromkeys((path, path.resolve()))
    except (OSError, RuntimeError, ValueError):  # a link that leads to itself, a name that no file can have
        return None
    for place in places:
        for mark, named in ((f".~lock.{place.name}#", _libreoffice_user), (f"~${place.name}", _excel_user)):
            held = _content(place.with_name(mark))
            if held is not None:
                return _readable(named(held)) or SOMEBODY
    return None


def _content(mark: Path) -> bytes | None:
    """Read the beginning of a mark; nothing where it is held so that nobody may read it, None where there is none."""
    try:
        with mark.open("rb") as file:
            return file.read(_READ_AT_MOST)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError:  # on Windows Excel keeps it to itself
        return b""


def _libreoffice_user(content: bytes) -> str:
    # The name that the user gave, the login, the computer, the time, the profile; `\` before a comma that is meant.
    name, login = ([*_fields(content.decode("utf-8", "replace")), "", ""])[:2]
    return name.strip() or login


def _fields(text: str) -> list[str]:
    fields, at = [], 0
    while at < len(text):
        found = _FIELD.match(text, at)
        fields.append("" if found is None else re.sub(r"\\(.)", r"\1", found[0]))
        at = (at if found is None else found.end()) + 1
    return fields


def _excel_user(content: bytes) -> str:
    """Read an owner file: a length and the name in the system's 8-bit code page, later both again in UTF-16."""
    for at in _WIDE_NAME_AT:
        length = int.from_bytes(content[at : at + 2], "little")
        wide = content[at + 2 : at + 2 + 2 * length]
        if 0 < length <= _LONGEST_NAME and len(wide) == 2 * length:
            return wide.decode("utf-16-le", "replace")
    length = content[0] if content else 0
    code_page = locale.getencoding() if sys.platform == "win32" else "cp1252"
    return content[1 : 1 + length].decode(code_page, "replace") if length <= _LONGEST_NAME else ""


def _readable(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable() and letter != "\ufffd").strip()[:_LONGEST_NAME]
