"""Keys that are nearly one another: written otherwise, or one slip apart. They are how people are paid twice."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, permutations
from typing import NamedTuple

MOST_PARTS = 6  # of a composite key that is written as one text
MOST_PARAMS = 4  # beyond these a key's period is not guessed
FEWEST_CHARACTERS = 4  # of a key in which one slip still says something
MOST_CHARACTERS = 200  # of one in which slips are looked for: all of them are held at once

Key = tuple[str, ...]
Period = tuple[tuple[str, str], ...]

# What the eye takes for one another, and what it overlooks. Other alphabets' marks are left to a slower look.
_ALIKE = {"o": "0", "i": "1", "l": "1"}
_OVERLOOKED = str.maketrans(dict.fromkeys(string.punctuation + " \t\r\x0b\x0c"))
_LOOK_ALIKES = str.maketrans(_ALIKE)
_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_NO_LETTERS = re.compile(r"[^\w\n]|_")
_SPACE = re.compile(r"\s+")
_JOINT = ", "


class Likeness(NamedTuple):
    """How near two keys are, the nearest first, and what sets them apart."""

    rank: int
    apart: str


ANOTHER_CASE = Likeness(0, "upper and lower case")
ANOTHER_SPACE = Likeness(1, "spaces")
ANOTHER_MARK = Likeness(2, "dashes or other marks")
ANOTHER_ZERO = Likeness(3, "leading zeros")
LOOKS_ALIKE = Likeness(4, "characters that look alike, such as O and 0")
SWAPPED = Likeness(5, "two characters that have changed places")
LEFT_OUT = Likeness(6, "one character more or less")
REPLACED = Likeness(7, "one character")


def spellings(words: Sequence[str]) -> list[Key]:
    """Give the keys that somebody may mean: the words are its parts, or one word holds them joined by a comma."""
    if len(words) != 1:
        return [tuple(words)]
    parts = words[0].split(_JOINT)
    if len(parts) > MOST_PARTS:
        return [(words[0],), tuple(parts)]
    return list(_splits(parts))


def _splits(parts: Sequence[str]) -> Iterator[Key]:
    """Give a text as one key, then cut at each of its joints, or not."""
    for first in range(len(parts), 0, -1):
        head = _JOINT.join(parts[:first])
        if first == len(parts):
            yield (head,)
        else:
            yield from ((head, *rest) for rest in _splits(parts[first:]))


def periods(params: Mapping[str, str]) -> list[Period]:
    """Give every period that `once_per` may have made of a batch's params; the first is none."""
    pairs = tuple(params.items())
    if len(pairs) > MOST_PARAMS:
        return [(), *((pair,) for pair in pairs), pairs]
    return [chosen for count in range(len(pairs) + 1) for chosen in permutations(pairs, count)]


def skeletons(lines: str) -> list[str]:
    """Give what is left of each line without case, spaces, marks and leading zeros, and with look-alikes as one."""
    return _bare(_LEADING_ZEROS.sub("", _folded(lines).translate(_LOOK_ALIKES))).split("\n")


def _folded(text: str) -> str:
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def _bare(folded: str) -> str:
    left = folded.translate(_OVERLOOKED)
    return left if left.isascii() else _NO_LETTERS.sub("", left)


class Wanted:
    """A key that is looked for among many; built once, asked for each."""

    def __init__(self, key: Key) -> None:
        self.text = _JOINT.join(key)
        self._bare = skeletons(self.text.replace("\n", " "))[0]
        self._filled = _filled(self.text)
        self._slips = FEWEST_CHARACTERS <= len(self._bare) <= MOST_CHARACTERS
        cuts = [len(self._bare) * quarter // 4 for quarter in range(5)]
        self._around = tuple((self._bare[:start], self._bare[end:]) for start, end in pairwise(cuts))
        self._swaps = frozenset(_swaps(self._bare))

    def may_be(self, bare: str) -> bool:
        """Tell quickly whether a skeleton can be near: a slip leaves all but one quarter of a key as it was."""
        if bare == self._bare:
            return True
        if not self._slips or abs(len(bare) - len(self._bare)) > 1:
            return False
        kept = any(bare.startswith(before) and bare.endswith(after) for before, after in self._around)
        return kept or bare in self._swaps

    def likeness(self, key: Sequence[str]) -> Likeness | None:
        """Say how near another key is; None where it is not, or is this very one."""
        other = _JOINT.join(key)
        bare = skeletons(other.replace("\n", " "))[0]
        if other == self.text:
            return None
        if bare == self._bare and (bare or _marks(other) == _marks(self.text)):
            return _written(other, self.text)
        if not self._slips or len(bare) < FEWEST_CHARACTERS or not self.may_be(bare):
            return None
        # Zeros in front take part first: RE-0003 and RE-0031 are two numbers, of which none lost a digit.
        return _slip(_filled(other), self._filled) or _slip(bare, self._bare, doubled=False)


def _filled(text: str) -> str:
    """Give a key's skeleton with the zeros that fill its numbers, and with letters that are no digits."""
    return _bare(_folded(text.replace("\n", " ")))


def _marks(text: str) -> str:
    return _SPACE.sub("", text.casefold())


def _written(one: str, other: str) -> Likeness:
    """Say in what two texts of one skeleton differ."""
    one, other = unicodedata.normalize("NFKC", one).casefold(), unicodedata.normalize("NFKC", other).casefold()
    if one == other:
        return ANOTHER_CASE
    if _marks(one) == _marks(other):
        return ANOTHER_SPACE
    if _NO_LETTERS.sub("", one) == _NO_LETTERS.sub("", other):
        return ANOTHER_MARK
    one, other = (_NO_LETTERS.sub("", _LEADING_ZEROS.sub("", text)) for text in (one, other))
    return ANOTHER_ZERO if one == other else LOOKS_ALIKE


def _slip(one: str, other: str, *, doubled: bool = True) -> Likeness | None:
    """Say by which one slip two texts differ; another digit is none, since so do the numbers of a counter.

    A digit more is one only where it stands twice, and where that is looked for.
    """
    if len(one) == len(other):
        differing = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
        if len(differing) == 1:
            return None if "".join(differing[0]).isdigit() else REPLACED
        return SWAPPED if one in _swaps(other) else None
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return None
    place = next((place for place, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if short[place:] != long[place + 1 :]:
        return None
    # Of two that are alike, the second is found to be the one too many.
    return LEFT_OUT if not long[place].isdigit() or (doubled and long[place - 1 : place] == long[place]) else None


def _swaps(text: str) -> Iterator[str]:
    for place in range(len(text) - 1):
        yield text[:place] + text[place + 1] + text[place] + text[place + 2 :]
