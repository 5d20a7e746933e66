"""Which column feeds which field of the schema: by name and by what its cells can be read as. Ties are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from batchrun.core import column_names
from batchrun.core.column_samples import Column, Sample
from batchrun.core.fitting import Fit, fit
from batchrun.core.schema import Schema
from batchrun.core.schema_leaves import Leaf

# A column whose name is nearly the field's may hold some bad cells: `check` is there to tell them.
_SURE_NAME = 0.85
_MOST_CELLS = 0.6
_TYPED = 0.02

Side = Literal["column", "field"]
End = tuple[Side, str]


@dataclass(frozen=True, slots=True)
class Match:
    """A column, the field that it is to feed, how it is read, and how alike their names are."""

    column: Column
    leaf: Leaf
    fit: Fit
    score: float

    @property
    def good(self) -> bool:
        """Tell whether the sample's cells bear the match out."""
        return self.fit.share == 1 or (self.score >= _SURE_NAME and self.fit.share >= _MOST_CELLS)


@dataclass(frozen=True)
class Matching:
    """What was matched, in the schema's order, and what was not.

    `near` holds, by target, the match that a person can complete; `ties` says, by column or field, between what
    nothing was chosen.
    """

    matched: tuple[Match, ...]
    open_leaves: tuple[Leaf, ...]
    unused: tuple[Column, ...]
    near: dict[str, Match] = field(default_factory=dict)
    ties: dict[End, str] = field(default_factory=dict)

    def rivals(self, side: Side, name: str) -> str | None:
        """Say between what a column, or a field, stood undecided."""
        return self.ties.get((side, name))


def match(sample: Sample, leaves: Sequence[Leaf], schema: Schema) -> Matching:
    """Match columns with fields: the likest names first, each column and each field at most once."""
    pairs = [pair for column in sample.columns for pair in _pairs(column, leaves, schema)]
    chosen, ties = _chosen([pair for pair in pairs if pair.good])
    return settled(sample, leaves, chosen, [pair for pair in pairs if not pair.good], ties)


def settled(
    sample: Sample,
    leaves: Sequence[Leaf],
    chosen: Sequence[Match],
    near: Iterable[Match] = (),
    ties: dict[End, str] | None = None,
) -> Matching:
    """Sort out what was matched, what was nearly matched, and what was not."""
    taken = {pair.leaf.target for pair in chosen}
    gone = {end for pair in chosen for end in _ends(pair)} | set(ties or ())
    nearly: dict[str, Match] = {}
    for pair in sorted(near, key=lambda pair: -pair.score):
        if not gone & _ends(pair):
            nearly[pair.leaf.target] = pair
            gone |= _ends(pair)
    order = [leaf.target for leaf in leaves]
    return Matching(
        matched=tuple(sorted(chosen, key=lambda pair: order.index(pair.leaf.target))),
        open_leaves=tuple(leaf for leaf in leaves if leaf.target not in taken),
        unused=tuple(column for column in sample.columns if column.name not in {pair.column.name for pair in chosen}),
        near=nearly,
        ties=ties or {},
    )


def _pairs(column: Column, leaves: Sequence[Leaf], schema: Schema) -> Iterable[Match]:
    for leaf in leaves:
        score = column_names.likeness(column.name, leaf.path)
        if score >= column_names.LEAST:
            found = fit(column, leaf, schema)
            yield Match(column, leaf, found, round(score + (_TYPED if _is_typed(column, leaf, found) else 0), 2))


def _is_typed(column: Column, leaf: Leaf, found: Fit) -> bool:
    """Tell whether the cells themselves speak for the match: not every text is a date or one of three words."""
    telling = leaf.wanted.value_types != {"string"} or leaf.wanted.formats or leaf.words
    return bool(column.filled and found.share == 1 and telling)


def _chosen(pairs: Sequence[Match]) -> tuple[list[Match], dict[End, str]]:
    chosen: list[Match] = []
    ties: dict[End, str] = {}
    gone: set[End] = set()
    for score in sorted({pair.score for pair in pairs}, reverse=True):
        level = [pair for pair in pairs if pair.score == score and not gone & _ends(pair)]
        for pair in level:
            rivals = [other for other in level if len(_ends(other) & _ends(pair)) == 1]
            if rivals:
                _tell(ties, [pair, *rivals])
            else:
                chosen.append(pair)
        gone |= {end for pair in level for end in _ends(pair)}
    return chosen, ties


def _ends(pair: Match) -> set[End]:
    return {("column", pair.column.name), ("field", pair.leaf.target)}


def _tell(ties: dict[End, str], rivals: Sequence[Match]) -> None:
    columns = " or ".join(dict.fromkeys(f'"{pair.column.name}"' for pair in rivals))
    fields = " or ".join(dict.fromkeys(pair.leaf.target for pair in rivals))
    for pair in rivals:
        ties.setdefault(("field", pair.leaf.target), columns)
        ties.setdefault(("column", pair.column.name), fields)
