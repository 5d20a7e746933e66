"""Find where elements lie in the bytes of an XML part, so that all that is not meant stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from batchrun.io.excel_package import DamagedXmlError
from batchrun.io.excel_parts import local_name

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
START_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_PLAIN_ENCODINGS = (b"utf-8", b"utf8", b"us-ascii", b"ascii")
_MARK = b"\xef\xbb\xbf"


class CannotEditError(Exception):
    """A package cannot be edited without a risk; the text says why, as the rest of a sentence."""


class Span(NamedTuple):
    """One element in a part: the bytes [begin, opened) are its start tag, [closing, end) its end tag."""

    name: str
    tag: str
    inside: str
    attributes: dict[str, str]
    begin: int
    opened: int
    closing: int
    end: int

    @property
    def is_empty(self) -> bool:
        """Tell whether the element is written as one tag, `<a/>`."""
        return self.opened == self.end


def refuse_other_encodings(head: bytes) -> None:
    """Raise CannotEditError for a part whose bytes are not UTF-8."""
    declared = _DECLARED.match(head.removeprefix(_MARK))
    is_other = declared is not None and declared[1].lower() not in _PLAIN_ENCODINGS
    if is_other or head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:4]:
        raise CannotEditError("it is not written in UTF-8")


def spans(content: bytes, names: Container[str]) -> list[Span]:
    """Give the elements with these local names, in the order in which they end."""
    refuse_other_encodings(content[:200])
    finder = _Finder(content, names)
    try:
        finder.parser.Parse(content, True)
    except expat.ExpatError:
        raise DamagedXmlError from None
    return finder.found


class _Finder:
    def __init__(self, content: bytes, names: Container[str]) -> None:
        self.found: list[Span] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = _refuse
        self._content = content
        self._names = names
        self._open: list[tuple[str, dict[str, str], int]] = []

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._open.append((tag, attributes, self.parser.CurrentByteIndex))

    def _end(self, tag: str) -> None:
        _, attributes, begin = self._open.pop()
        name = local_name(tag)
        if name in self._names:
            inside = local_name(self._open[-1][0]) if self._open else ""
            closing = self.parser.CurrentByteIndex
            opened = begin + len(start_tag(self._content, begin))
            is_empty = self._content[opened - 2 : opened] == b"/>"
            end = opened if is_empty else self._content.index(b">", closing) + 1
            self.found.append(Span(name, tag, inside, attributes, begin, opened, opened if is_empty else closing, end))


def _refuse(*_: object) -> None:
    raise DamagedXmlError


def start_tag(content: bytes | bytearray, begin: int) -> bytes:
    """Give the whole start tag that begins at a place."""
    found = START_TAG.match(content, begin)
    if found is None:
        raise DamagedXmlError
    return bytes(found[0])


def with_attribute(tag: bytes, name: str, value: str) -> bytes:
    """Set an attribute in the bytes of a start tag."""
    bare = re.sub(rb"""\s%b\s*=\s*(?:"[^"]*"|'[^']*')""" % re.escape(name.encode()), b"", tag, count=1)
    end = -2 if bare.endswith(b"/>") else -1
    return bare[:end].rstrip() + f" {name}={quoteattr(value)}".encode() + bare[end:]


def namespace(tag: str, uri: str = MAIN) -> str:
    """Give the declaration that an inserted element needs where its surroundings use a prefix."""
    return f' xmlns="{uri}"' if ":" in tag else ""


def filled(content: bytes, place: Span, inserted: bytes) -> tuple[int, int, bytes]:
    """Insert bytes at the end of an element's content: give which bytes to replace, and by what."""
    if not place.is_empty:
        return place.closing, place.closing, inserted
    tag = content[place.begin : place.opened]
    return place.begin, place.end, tag[:-2].rstrip() + b">" + inserted + f"</{place.tag}>".encode()


def replaced(content: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Replace ranges of bytes, none of which overlap."""
    pieces, place = [], 0
    for begin, end, new in sorted(changes, key=lambda change: change[:2]):
        pieces += [content[place:begin], new]
        place = end
    return b"".join([*pieces, content[place:]])


def appended(content: bytes, root: str, inserted: bytes) -> bytes:
    """Insert bytes at the end of a part's root element."""
    place = next(span for span in spans(content, {root}) if not span.inside)
    return replaced(content, [filled(content, place, inserted)])
