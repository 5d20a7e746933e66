"""Read the shared strings and the number formats of an .xlsx package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import IO
from xml.parsers import expat

from batchrun.io.excel_numbers import GENERAL, NumberFormat, built_in_format, read_format
from batchrun.io.excel_package import DamagedXmlError, Package

_ESCAPED = re.compile(r"_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")  # half a surrogate pair is no character
_BLOCK = 1 << 16


def decoded(text: str) -> str:
    """Undo Excel's own escapes: `_x000D_` is a carriage return, and `_x005F_` an underscore that escapes nothing."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def parse_in_blocks(parser: expat.XMLParserType, stream: IO[bytes]) -> Iterator[None]:
    """Feed the parser block by block, pausing after each; raise DamagedXmlError for what is not well-formed."""

    def refuse(*_: object) -> None:
        raise DamagedXmlError

    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse  # no workbook has one, and entities are declared there
    try:
        while block := stream.read(_BLOCK):
            parser.Parse(block, False)
            yield
        parser.Parse(b"", True)
    except expat.ExpatError:
        raise DamagedXmlError from None
    yield


@lru_cache(maxsize=256)  # a sheet has a dozen tags and millions of elements
def local_name(tag: str) -> str:
    """Take the namespace prefix off a tag: some programs write `x:row` for `row`."""
    return tag.rpartition(":")[2]


class TextPieces:
    """Gathers the text of one value, which may come in several runs and, from the parser, in several calls."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._begun: int | None = None
        self._keeps_spaces = True

    def begin(self, *, keeps_spaces: bool) -> None:
        """Take what comes from here on."""
        self._begun, self._keeps_spaces = len(self._pieces), keeps_spaces

    def add(self, text: str) -> None:
        """Take a piece, if one is due."""
        if self._begun is not None:
            self._pieces.append(text)

    def end(self) -> None:
        """Take no more; Excel drops spaces around a run that does not ask to keep them."""
        if self._begun is not None and not self._keeps_spaces:
            self._pieces[self._begun :] = ["".join(self._pieces[self._begun :]).strip(" \t\r\n")]
        self._begun = None

    def taken(self) -> str:
        """Hand over the text, and begin anew."""
        text = "".join(self._pieces)
        self._pieces.clear()
        return text


def shared_strings(package: Package) -> list[str]:
    """Read the table of texts, in order and decoded; formatting and furigana are left out."""
    if package.strings is None:
        return []
    reader = _StringTable()
    with package.archive.open(package.strings) as stream:
        for _ in parse_in_blocks(reader.parser, stream):
            pass
    return reader.strings


class _StringTable:
    def __init__(self) -> None:
        self.strings: list[str] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._text = TextPieces()
        self.parser.CharacterDataHandler = self._text.add
        self._in_phonetic = False

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local_name(tag)
        if name == "t" and not self._in_phonetic:
            self._text.begin(keeps_spaces=attributes.get("xml:space") == "preserve")
        elif name == "rPh":
            self._in_phonetic = True

    def _end(self, tag: str) -> None:
        name = local_name(tag)
        if name == "t":
            self._text.end()
        elif name == "rPh":
            self._in_phonetic = False
        elif name == "si":
            self.strings.append(decoded(self._text.taken()))


def number_formats(package: Package) -> list[NumberFormat]:
    """Read what each cell style shows; the index is the style number that cells carry."""
    if package.styles is None:
        return [GENERAL]
    reader = _StyleSheet()
    with package.archive.open(package.styles) as stream:
        for _ in parse_in_blocks(reader.parser, stream):
            pass
    custom = {number: read_format(code) for number, code in reader.codes.items()}
    return [custom.get(number) or built_in_format(number) for number in reader.styles] or [GENERAL]


def format_codes(package: Package) -> list[str]:
    """Give the code of the number format that each cell style shows, by style number; "General" where it has none."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    if package.styles is None:
        return ["General"]
    reader = _StyleSheet()
    with package.archive.open(package.styles) as stream:
        for _ in parse_in_blocks(reader.parser, stream):
            pass
    codes = {**BUILTIN_FORMATS, **reader.codes}
    return [codes.get(number, "General") for number in reader.styles]


class _StyleSheet:
    def __init__(self) -> None:
        self.codes: dict[int, str] = {}
        self.styles: list[int] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._in_cell_styles = False

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local_name(tag)
        if name == "cellXfs":
            self._in_cell_styles = True
        elif name == "xf" and self._in_cell_styles:
            self.styles.append(_whole(attributes.get("numFmtId", "0")))
        elif name == "numFmt" and "formatCode" in attributes:
            # Differential styles declare formats too, after the cells' own: the first one counts.
            self.codes.setdefault(_whole(attributes.get("numFmtId", "0")), attributes["formatCode"])

    def _end(self, tag: str) -> None:
        if local_name(tag) == "cellXfs":
            self._in_cell_styles = False


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise DamagedXmlError
    return int(text)
