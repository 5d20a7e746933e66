"""Draws the boxes of a sheet's comments: VML shapes, without which Excel shows none."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import IO

from batchrun.io.marked_comments import Place
from batchrun.io.xml_spans import CannotEditError, refuse_other_encodings

_VML, _OFFICE, _EXCEL = (f"urn:schemas-microsoft-com:{name}" for name in ("vml", "office:office", "office:excel"))
_SPACES = {"v": _VML, "o": _OFFICE, "x": _EXCEL}
_NEW = (
    "<xml" + "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _SPACES.items()) + ">"
    '<o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data="1"/></o:shapelayout></xml>'
).encode()
_KIND = "_x0000_t202"
_SHAPE = re.compile(rb"<(\w+):shape\s.*?</\1:shape\s*>", re.DOTALL)
_NOTE = re.compile(rb"""ObjectType\s*=\s*["']Note["']""")
_ROW, _COLUMN = (re.compile(rb"<(?:\w+:)?%b>\s*(\d+)\s*<" % name) for name in (b"Row", b"Column"))
_NUMBER = re.compile(rb"_x0000_s(\d+)")
_BLOCKS = re.compile(rb"""(<(?:\w+:)?idmap\s[^>]*data\s*=\s*["'])([\d,\s]+)(["'])""")
_A_BLOCK = 1024  # shapes with numbers of one thousand and so belong to a block that the drawing lists
_LAST_ROW, _LAST_COLUMN = 1_048_575, 16_383
_SHAPES_A_WRITE = 500


def write_shapes(
    content: bytes | None, places: Sequence[Place], removed: Collection[Place], lines: Sequence[int], sink: IO[bytes]
) -> None:
    """Write the drawing with a box for each place, so many lines high, and without the boxes of removed comments."""
    content = _without(_NEW if content is None else content, removed)
    refuse_other_encodings(content[:200])
    end = content.rfind(b"</xml")
    if end < 0:
        raise CannotEditError("the boxes of its comments cannot be read")
    have = set(_notes(content))
    missing = [(place, height) for place, height in zip(places, lines, strict=True) if place not in have]
    first = max([_A_BLOCK, *map(int, _NUMBER.findall(content))]) + 1
    root = content[: content.find(b">", content.find(b"<xml"))]
    declared = "".join(
        f' xmlns:{prefix}="{uri}"' for prefix, uri in _SPACES.items() if f'xmlns:{prefix}="{uri}"'.encode() not in root
    )
    sink.write(_with_blocks(content[:end], first, first + len(missing)))
    if missing and f'id="{_KIND}"'.encode() not in content:
        sink.write(_kind(declared).encode())
    for begin in range(0, len(missing), _SHAPES_A_WRITE):
        some = missing[begin : begin + _SHAPES_A_WRITE]
        shapes = [_shape(first + begin + index, place, height, declared) for index, (place, height) in enumerate(some)]
        sink.write("".join(shapes).encode())
    sink.write(content[end:])


def _notes(content: bytes) -> list[Place]:
    return [place for found in _SHAPE.finditer(content) if (place := _place(found[0])) is not None]


def _place(shape: bytes) -> Place | None:
    row, column = _ROW.search(shape), _COLUMN.search(shape)
    if _NOTE.search(shape) is None or row is None or column is None:
        return None
    return int(row[1]) + 1, int(column[1])


def _without(content: bytes, removed: Collection[Place]) -> bytes:
    if not removed:
        return content
    return _SHAPE.sub(lambda found: b"" if _place(found[0]) in removed else found[0], content)


def _with_blocks(content: bytes, first: int, end: int) -> bytes:
    needed = range(first // _A_BLOCK, (end - 1) // _A_BLOCK + 1)

    def listed(found: re.Match[bytes]) -> bytes:
        have = [int(number) for number in found[2].split(b",") if number.strip()]
        every = [*have, *(number for number in needed if number not in have)]
        return found[1] + ",".join(map(str, every)).encode() + found[3]

    return _BLOCKS.sub(listed, content, count=1)


def _kind(declared: str) -> str:
    return (
        f'<v:shapetype{declared} id="{_KIND}" coordsize="21600,21600" o:spt="202" path="m,l,21600r21600,l21600,xe">'
        '<v:stroke joinstyle="miter"/><v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
    )


def _shape(number: int, place: Place, lines: int, declared: str) -> str:
    row, column = place[0] - 1, place[1]
    left, top = min(column + 1, _LAST_COLUMN - 3), max(min(row - 1, _LAST_ROW - lines - 2), 0)
    anchor = f"{left}, 15, {top}, 10, {left + 3}, 15, {top + lines + 1}, 4"
    return (
        f'<v:shape{declared} id="_x0000_s{number}" type="#{_KIND}" style="position:absolute;margin-left:80pt;'
        f'margin-top:5pt;width:160pt;height:{15 * lines + 10}pt;z-index:{number % _A_BLOCK + 1};visibility:hidden" '
        'fillcolor="#ffffe1" o:insetmode="auto"><v:fill color2="#ffffe1"/><v:shadow color="black" obscured="t"/>'
        '<v:path o:connecttype="none"/><v:textbox style="mso-direction-alt:auto"><div style="text-align:left"></div>'
        '</v:textbox><x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/>'
        f"<x:Anchor>{anchor}</x:Anchor><x:AutoFill>False</x:AutoFill><x:Row>{row}</x:Row><x:Column>{column}</x:Column>"
        "</x:ClientData></v:shape>"
    )
