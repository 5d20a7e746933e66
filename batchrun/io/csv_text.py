"""Decode a text file as what it says it is, and name the line and byte where it is not."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

from batchrun.errors import BadInput
from batchrun.io.local_file import LocalFile

_BLOCK = 1 << 16
_BUFFER = 1 << 20
_SUBSTITUTE = "\x1a"  # the end-of-file mark that DOS programs leave behind
_NO_FILES_ENCODING = frozenset(("", "idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-32"))
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def text_encoding(file: LocalFile, declared: str | None) -> str:
    """Choose the encoding: as declared, else by the byte order mark, else UTF-8."""
    head = file.head()
    marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    if declared is None:
        if marked == "utf-32":
            raise BadInput(f"{file.name} is in UTF-32, which is not read; save it as CSV UTF-8.")
        _refuse_unmarked_utf16(file.name, head, marked)
        return marked or "utf-8"
    encoding = _known_encoding(declared)
    if marked is not None and not encoding.startswith(marked):
        raise BadInput(
            f"{file.name} begins with the mark of {marked.upper()}, but source.encoding says {declared}; "
            "take source.encoding out of the spec."
        )
    if encoding == "utf-16" and marked is None:
        raise BadInput(
            f"{file.name} does not begin with a byte order mark; write source.encoding: utf-16-le, or utf-16-be."
        )
    return encoding.removesuffix("-sig")


def _known_encoding(declared: str) -> str:
    """Give Python's own name of an encoding; it counts others too, such as rot13 and idna, that no file is in."""
    try:
        encoding = codecs.lookup(declared).name
        "x".encode(encoding)  # raises LookupError for what makes no bytes of text
    except (LookupError, UnicodeError, ValueError):
        encoding = ""
    if encoding in _NO_FILES_ENCODING:
        raise BadInput(f'source.encoding is "{declared}", which is no known encoding; write cp1252, say.')
    return encoding


def _refuse_unmarked_utf16(name: str, head: bytes, marked: str | None) -> None:
    if marked is None and b"\0" in head:
        order = "utf-16-be" if head.startswith(b"\0") else "utf-16-le"
        raise BadInput(
            f"{name} holds NUL bytes, so it is no plain text: if it is UTF-16 without a byte order mark, "
            f"write source.encoding: {order}, else save it as CSV UTF-8."
        )


@contextmanager
def physical_lines(file: LocalFile, encoding: str, skip: int = 0) -> Iterator[Iterator[str]]:
    """Give the file's lines after the first `skip`, with their line ends; a decoding error becomes BadInput."""
    with file.path.open(encoding=encoding, newline="", buffering=_BUFFER) as stream:
        try:
            yield _lines_after(stream, skip, ends_early=_ends_with_substitute(file.path))
        except UnicodeDecodeError:
            raise _undecodable(file, encoding) from None


def _lines_after(stream: io.TextIOWrapper, skip: int, *, ends_early: bool) -> Iterator[str]:
    lines = _without_substitute(stream) if ends_early else iter(stream)
    first = next(lines, "").removeprefix("\ufeff")
    whole = chain([first] if first else [], lines)
    return islice(whole, skip, None)


def _ends_with_substitute(path: Path) -> bool:
    with path.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(max(0, size - 4))
        return b"\x1a" in stream.read()


def _without_substitute(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.rstrip("\r\n").endswith(_SUBSTITUTE):
            rest = line[: line.rindex(_SUBSTITUTE)]
            following = next(lines, None)
            if following is not None:
                yield line
                yield following
            elif rest:
                yield rest
        else:
            yield line


def _undecodable(file: LocalFile, encoding: str) -> BadInput:
    line, position, byte = _first_bad_byte(file.path, encoding)
    if encoding != "utf-8":
        return BadInput(
            f"{file.name} is not text in {encoding}: line {line} holds the byte 0x{byte:02X} (byte {position:,} of the "
            "file), which that encoding does not have; correct source.encoding."
        )
    return BadInput(
        f"{file.name} is not UTF-8: line {line} holds the byte 0x{byte:02X} (byte {position:,} of the file); save it "
        "from Excel as CSV UTF-8, or name its encoding, such as source.encoding: cp1252."
    )


def _first_bad_byte(path: Path, encoding: str) -> tuple[int, int, int]:
    decoder = codecs.getincrementaldecoder(encoding)()
    ends = io.IncrementalNewlineDecoder(None, translate=True)
    line, before = 1, 0
    with path.open("rb") as stream:
        while True:
            block = stream.read(_BLOCK)
            pending = len(decoder.getstate()[0])
            try:
                line += ends.decode(decoder.decode(block, not block)).count("\n")
            except UnicodeDecodeError as error:
                good = error.object[: error.start].decode(encoding, "replace")
                line += ends.decode(good).count("\n")
                return line, before - pending + error.start + 1, error.object[error.start]
            if not block:
                return line, before, 0
            before += len(block)
