"""Adds the looks of marked cells to a workbook's styles, each a clone of a cell's own with another fill."""

from __future__ import annotations

import re

from batchrun.io.xml_spans import CannotEditError, Span, filled, namespace, replaced, spans, with_attribute

FILL, OVER_FILL = "FFF9C6C1", "FFF9C6C2"
"""The mark's colours, on a cell without a fill and on one with a fill of its own.

Nobody else is likely to choose them: by them an earlier report's marks are known.
"""

_NO_COLOUR = ' indexed="64"'
_MARKED = re.compile(rb"""fgColor\s[^>]*rgb\s*=\s*["'](?:..)?F9C6C[12]["']""", re.IGNORECASE)
_SOLID = re.compile(rb"""patternType\s*=\s*["']solid["']""")
_COLOUR = re.compile(rb"""<(?:\w+:)?(fgColor|bgColor)((?:\s+\w+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*/?>""")
# The system's own colour, or what LibreOffice makes of any colour there.
_NO_FILL = re.compile(r"""\s*|.*indexed=.6[45]\b.*|.*rgb=["'](?:00000000|FFD9D9D9|FFF9C6C[12]).*""")


class MarkedStyles:
    """The styles part of a workbook, to which looks are added as they are asked for.

    The fill under a mark is kept as the mark's own background colour, which a solid fill does not show: so a later
    report can take the mark off again.
    """

    def __init__(self, content: bytes) -> None:
        found = spans(content, {"fills", "fill", "cellXfs", "xf"})
        self._content = content
        self._fills = [_bytes(content, span) for span in found if span.inside == "fills"]
        self._styles = [span for span in found if span.inside == "cellXfs"]
        self._raw = [_bytes(content, span) for span in self._styles]
        self._places = {span.name: span for span in found if span.name in ("fills", "cellXfs")}
        if set(self._places) != {"fills", "cellXfs"} or not self._raw or not self._fills:
            raise CannotEditError("it has no cell styles of its own")
        self._counts = len(self._fills), len(self._raw)
        self._fill_of = [_number(span.attributes.get("fillId", "0")) for span in self._styles]
        self._stale = {number for number, fill in enumerate(self._fills) if _MARKED.search(fill)}
        self._known: dict[tuple[int, bytes], int] = {}

    @property
    def has_marks(self) -> bool:
        """Tell whether some cell style bears the mark of an earlier report."""
        return any(fill in self._stale for fill in self._fill_of)

    def marked(self, style: int) -> int:
        """Give the style that looks like this one, but marked."""
        fill = self._fill(style)
        if fill in self._stale:
            return style
        colour = _shown(self._fills[fill]) if fill < len(self._fills) else _NO_COLOUR
        mark = FILL if colour == _NO_COLOUR else OVER_FILL
        return self._clone(style, f'<fgColor rgb="{mark}"/><bgColor{colour}/>')

    def unmarked(self, style: int) -> int:
        """Give the style that a marked one had before; any other stays what it is."""
        fill = self._fill(style)
        if fill not in self._stale:
            return style
        colour = _colours(self._fills[fill]).get(b"bgColor", "") if OVER_FILL[2:].encode() in self._fills[fill] else ""
        return self._clone(style, "" if _NO_FILL.fullmatch(colour) else f'<fgColor{colour}/><bgColor indexed="64"/>')

    def content(self) -> bytes:
        """Give the whole part."""
        changes = []
        for name, items, before in zip(("fills", "cellXfs"), (self._fills, self._raw), self._counts, strict=True):
            place = self._places[name]
            changes.append(filled(self._content, place, b"".join(items[before:])))
            tag = self._content[place.begin : place.opened]
            changes.append((place.begin, place.opened, with_attribute(tag, "count", str(len(items)))))
        return replaced(self._content, changes)

    def _fill(self, style: int) -> int:
        if style >= len(self._fill_of):
            raise CannotEditError("a cell names a style that it does not hold")
        return self._fill_of[style]

    def _clone(self, style: int, colours: str) -> int:
        key = style, colours.encode()
        if key not in self._known:
            self._known[key] = self._add(style, self._fill_number(colours))
        return self._known[key]

    def _fill_number(self, colours: str) -> int:
        if not colours:
            return 0
        declared = namespace(self._places["fills"].tag)
        fill = f'<fill{declared}><patternFill patternType="solid">{colours}</patternFill></fill>'.encode()
        if fill not in self._fills:
            self._fills.append(fill)
            if _MARKED.search(fill):
                self._stale.add(len(self._fills) - 1)
        return self._fills.index(fill)

    def _add(self, style: int, fill: int) -> int:
        raw = self._raw[style]
        end = raw.index(b">") + 1
        tag = with_attribute(with_attribute(raw[:end], "fillId", str(fill)), "applyFill", "1")
        self._raw.append(tag + raw[end:])
        self._fill_of.append(fill)
        return len(self._raw) - 1


def _bytes(content: bytes, span: Span) -> bytes:
    return content[span.begin : span.end]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise CannotEditError("its styles cannot be read")
    return int(text)


def _colours(fill: bytes) -> dict[bytes, str]:
    return {name: attributes.decode() for name, attributes in _COLOUR.findall(fill)}


def _shown(fill: bytes) -> str:
    """Give the attributes of the colour that a fill shows; what is no single colour counts as none."""
    return _colours(fill).get(b"fgColor", _NO_COLOUR) if _SOLID.search(fill) else _NO_COLOUR
