"""Whether a spec's control totals can be told apart, and whether what it says of amounts is said of one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from batchrun.core import cells, totals
from batchrun.core.spec import JobSpec
from batchrun.core.spec_faults import Place, SpecFault
from batchrun.core.suggestions import did_you_mean
from batchrun.model import Summed


def columns_of_totals(spec: JobSpec) -> Iterator[tuple[Place, str]]:
    """Give the columns that control totals and a trailer name, each with its place in the spec."""
    for index, one in enumerate(spec.results.totals):
        if one.by is None:
            yield ("results", "totals"), one.sum
        else:
            yield ("results", "totals", index, "sum"), one.sum
            yield ("results", "totals", index, "by"), one.by
    if (trailer := spec.source.trailer) is not None:
        yield ("source", "trailer", "when", "column"), trailer.when.column
        if trailer.rows is not None:
            yield ("source", "trailer", "rows"), trailer.rows
        yield from ((("source", "trailer", "totals", name), column) for name, column in trailer.totals.items())


def total_faults(spec: JobSpec) -> Iterator[SpecFault]:
    """Check that control totals can be told apart, and that whatever is said of an amount is said of one of them."""
    yield from _mistakable_totals(spec)
    said: list[tuple[Place, Iterable[str]]] = [
        (("expect", "totals"), spec.expect.totals),
        (("limits", "total"), spec.limits.total),
        (("limits", "each"), spec.limits.each),
    ]
    if spec.source.trailer is not None:
        said.append((("source", "trailer", "totals"), spec.source.trailer.totals))
    for place, names in said:
        for name in names:
            told = no_total(name, spec.results.summed, whole_columns=place == ("limits", "each"))
            if told is not None:
                yield SpecFault((*place, name), told)


def _mistakable_totals(spec: JobSpec) -> Iterator[SpecFault]:
    entries = spec.results.summed
    for index, one in enumerate(entries):
        for other in entries[:index]:
            if one == other:
                said = f'"{cells.cut(one.column)}" comes twice'
            elif one.by is not None and other.by is not None and one.column == other.column:
                said = f'"{cells.cut(one.column)}" is added up by {other.by} already, and a total has one `by`'
            elif totals.split_of(one.column, (other,)) or totals.split_of(other.column, (one,)):
                said = f'the totals of "{cells.cut(one.column)}" and "{cells.cut(other.column)}" may have the same name'
            else:
                continue
            yield SpecFault(("results", "totals", index), said)


def no_total(name: str, entries: Sequence[Summed], *, whole_columns: bool = False) -> str | None:
    """Say why a name is none of a control total; None where it is one. `whole_columns` takes those that are split."""
    plain = [one.column for one in entries if one.by is None or whole_columns]
    if name in plain or totals.split_of(name, entries):
        return None
    for one in entries:
        if one.column == name:
            return f'"{cells.cut(name)}" is added up by {one.by}; write which, for example "{cells.cut(name)} EUR"'
    value = name.rpartition(" ")[2] if " " in name else "EUR"
    split = [f"{one.column} {value}" for one in entries if one.by is not None]
    told = did_you_mean(name, [*plain, *split]) or "; add it to results.totals"
    return f'"{cells.cut(name)}" is no control total{told}'
