"""Puts the words of problems into a sheet's comments; the comments that are there already stay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import IO, NamedTuple
from xml.sax.saxutils import unescape

from batchrun.io.excel_package import DamagedXmlError
from batchrun.io.excel_survey import column_position
from batchrun.io.workbook_text import text_xml
from batchrun.io.xml_spans import MAIN, Span, filled, namespace, replaced, spans
from batchrun.model import column_letters

Place = tuple[int, int]  # row from 1, column from 0

INTRODUCTION = "batchrun check: "
"""What the words of a report begin with in a comment: by it an earlier report's words are known."""

AUTHOR = "batchrun"
_THREAD = "tc="  # how the author begins whom Excel notes for a thread's first entry
_NEW = (
    f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<comments xmlns="{MAIN}">'
    "<authors></authors><commentList></commentList></comments>"
).encode()
_TEXT = re.compile(rb"<(?:\w+:)?t(?:\s[^>]*)?>([^<]*)<")
_COMMENTS_A_WRITE = 500


class CommentsPlan(NamedTuple):
    """A sheet's comments to be: the part before and after the new comments, those, and what became of the old ones.

    `places` are the cells with new comments, and `removed` those whose comment was an earlier report's.
    """

    before: bytes
    after: bytes
    words: Mapping[Place, str]
    author: int
    declared: str
    removed: frozenset[Place]

    @property
    def places(self) -> list[Place]:
        """Give the cells that get a comment of their own."""
        return list(self.words)

    def write(self, sink: IO[bytes]) -> None:
        """Write the whole part."""
        sink.write(self.before)
        waiting: list[str] = []
        for (row, column), words in self.words.items():
            waiting.append(
                f'<comment{self.declared} ref="{column_letters(column)}{row}" authorId="{self.author}">'
                f"<text>{text_xml(words)}</text></comment>"
            )
            if len(waiting) == _COMMENTS_A_WRITE:
                sink.write("".join(waiting).encode())
                waiting.clear()
        sink.write("".join(waiting).encode() + self.after)


def plan_comments(content: bytes | None, wanted: Mapping[Place, str]) -> CommentsPlan:
    """Plan a sheet's comments; `content` is its comments part, None where it has none.

    A cell that has somebody's comment has the words added to it, unless that begins a thread, whose text Excel writes
    itself. What an earlier report has written is taken out.
    """
    content = _NEW if content is None else content
    found = spans(content, {"authors", "author", "commentList", "comment", "text"})
    places = {span.name: span for span in found if span.name in ("authors", "commentList")}
    if set(places) != {"authors", "commentList"}:
        raise DamagedXmlError
    authors = [_text(content, span) for span in found if span.name == "author"]
    old = _Old(content, found, authors, wanted)
    words = {place: INTRODUCTION + text for place, text in wanted.items() if place not in old.kept}
    changes = old.changes
    declared = namespace(places["commentList"].tag)
    if AUTHOR not in authors:
        authors.append(AUTHOR)
        changes.append(filled(content, places["authors"], f"<author{declared}>{AUTHOR}</author>".encode()))
    marker = b"<!--batchrun-->"
    changes.append(filled(content, places["commentList"], marker))
    before, _, after = replaced(content, changes).rpartition(marker)
    return CommentsPlan(before, after, words, authors.index(AUTHOR), declared, frozenset(old.removed))


class _Old:
    """What becomes of the comments that are there: `changes` in bytes, `kept` and `removed` cells."""

    def __init__(self, content: bytes, found: list[Span], authors: list[str], wanted: Mapping[Place, str]) -> None:
        self.changes: list[tuple[int, int, bytes]] = []
        self.kept: set[Place] = set()
        self.removed: set[Place] = set()
        self._content, self._authors, self._wanted = content, authors, wanted
        body: Span | None = None
        for span in found:  # in the order in which they end: a text before its comment
            if span.name == "text" and span.inside == "comment":
                body = span
            elif span.name == "comment":
                self._take(span, body)
                body = None

    def _take(self, comment: Span, body: Span | None) -> None:
        place = place_of(comment.attributes.get("ref", ""))
        self.kept.add(place)
        if body is None:
            return
        own, introduced, _ = _text(self._content, body).partition(INTRODUCTION)
        own = own.rstrip() if introduced else own
        if introduced and not own:
            self.kept.remove(place)
            self.removed.add(place)
            self.changes.append((comment.begin, comment.end, b""))
        elif place in self._wanted and not self._is_thread(comment):
            self._extend(body, own if introduced else None, self._wanted[place])
        elif introduced:
            self.changes.append((body.opened, body.closing, text_xml(own).encode()))

    def _is_thread(self, comment: Span) -> bool:
        author = comment.attributes.get("authorId", "")
        return author.isdigit() and int(author) < len(self._authors) and self._authors[int(author)].startswith(_THREAD)

    def _extend(self, body: Span, own: str | None, added: str) -> None:
        run = f'<r{namespace(body.tag)}><t xml:space="preserve">\n\n</t></r>{_run(INTRODUCTION + added, body.tag)}'
        inner = self._content[body.opened : body.closing]
        if own is not None:
            inner = _run(own, body.tag).encode()
        elif re.match(rb"\s*<(?:\w+:)?t[\s>]", inner):
            inner = b"<r%b>%b</r>" % (namespace(body.tag).encode(), inner)
        begin, end, new = filled(self._content, body, inner + run.encode())
        self.changes.append((body.opened, body.closing, inner + run.encode()) if begin == end else (begin, end, new))


def _run(text: str, tag: str) -> str:
    """Write a text as runs, which is how pieces of one comment stand beside each other."""
    xml = text_xml(text)
    whole = xml if xml.startswith("<r>") else f"<r>{xml}</r>"
    return whole.replace("<r>", f"<r{namespace(tag)}>")


def _text(content: bytes, span: Span) -> str:
    inner = content[span.opened : span.closing]
    pieces = _TEXT.findall(inner) if b"<" in inner else [inner]
    return unescape(b"".join(pieces).decode(), {"&quot;": '"', "&apos;": "'", "&#10;": "\n", "&#13;": "\r"})


def place_of(reference: str) -> Place:
    """Read a cell's reference."""
    letters = reference.rstrip("0123456789")
    digits = reference[len(letters) :]
    if not digits:
        raise DamagedXmlError
    return int(digits), column_position(letters)


def comments_wanted(marks: Mapping[int, Mapping[int, list[str]]], most: int) -> Iterator[tuple[Place, str]]:
    """Give the first cells that are to have a comment, with their words."""
    left = most
    for row, cells in marks.items():
        for column, words in cells.items():
            if not left:
                return
            left -= 1
            yield (row, column), "\n".join(words)
