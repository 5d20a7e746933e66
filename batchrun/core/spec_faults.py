"""Build a spec from plain data, and say every fault of it in plain words with the place where it stands."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from batchrun.core import spec, spec_totals
from batchrun.core.suggestions import did_you_mean
from batchrun.core.targets import Step

Place = tuple[Step, ...]


class SpecFault(NamedTuple):
    """One fault, and the path of keys to where it stands in the document."""

    place: Place
    message: str


_PARTS: dict[str, type[BaseModel]] = {
    "procedure": spec.Procedure,
    "source": spec.Source,
    "results": spec.Results,
    "review": spec.Review,
    "expect": spec_totals.Expect,
    "limits": spec_totals.Limits,
}
_INNER: dict[Place, type[BaseModel]] = {
    ("source", "trailer"): spec_totals.Trailer,
    ("source", "trailer", "when"): spec_totals.TrailerMark,
    ("results", "totals"): spec_totals.TotalOf,
}
_MESSAGES = {
    "missing": 'the key "{name}" is missing',
    "string_type": '"{name}" must be text; put it in quotes',
    "string_too_short": '"{name}" is empty',
    "string_too_long": '"{name}" must be a single character',
    "int_type": '"{name}" must be a whole number',
    "int_from_float": '"{name}" must be a whole number',
    "bool_type": '"{name}" must be true or false',
    "dict_type": '"{name}" must have keys below it',
    "model_type": '"{name}" must have keys below it',
    "tuple_type": '"{name}" must be a list',
    "too_short": '"{name}" is empty',
}


_NOTHING = object()


def build(document: Mapping[str, Any]) -> tuple[spec.JobSpec | None, list[SpecFault]]:
    """Build the model, and give the faults that stand in its way.

    What is faulty and optional is left out of the model, so that the rest can still be checked and all faults be
    told at once. None where something that is needed is missing.
    """
    faults: list[SpecFault] = []
    data: Any = copy.deepcopy(dict(document))
    while True:
        try:
            return spec.JobSpec.model_validate(data), _causes(faults)
        except ValidationError as error:
            details = error.errors(include_url=False)
        faults += [fault for fault in map(_fault, details) if fault not in faults]
        taken_out = [_without(data, detail) for detail in details]
        if not any(taken_out):
            return None, _causes(faults)


def _causes(faults: list[SpecFault]) -> list[SpecFault]:
    return [fault for index, fault in enumerate(faults) if not _follows(fault, faults[:index])]


def _follows(fault: SpecFault, earlier: list[SpecFault]) -> bool:
    """Tell whether something is called missing or empty only because what was faulty there was taken out."""
    if fault.message.endswith("with mode: sync only"):
        return any(other.place == (*fault.place, "mode") for other in earlier)
    if not fault.message.endswith(("is missing", "is empty", "this has none")):
        return False
    return any(other.place[: len(fault.place)] == fault.place for other in earlier)


def _fault(detail: ErrorDetails) -> SpecFault:
    place = tuple(step for step in detail["loc"] if step != "[key]")
    kind = detail["type"]
    if place[:2] == ("results", "totals") and place[-1] == "sum" and kind != "missing":
        place = place[:-1]  # most often a column's name stands there alone
    name = f"{place[-2]}[{place[-1]}]" if isinstance(place[-1], int) else str(place[-1])
    if kind == "extra_forbidden":
        return SpecFault(place, f'unknown key "{name}"{did_you_mean(name, _known_keys(place[:-1]))}')
    if kind == "value_error":
        return SpecFault(place, str(detail["ctx"]["error"]))
    if kind == "literal_error":
        return SpecFault(place, f'"{name}" must be {detail["ctx"]["expected"]}{_given(detail)}')
    if kind in ("greater_than_equal", "less_than_equal"):
        return SpecFault(place, f'"{name}" must be {_bound(detail)}')
    if kind == "string_pattern_mismatch":
        return SpecFault(place, f'"{name}"{_given(detail)} is not written as it must be: {detail["ctx"]["pattern"]}')
    said = _MESSAGES.get(kind)
    return SpecFault(place, said.format(name=name) if said else f'"{name}": {detail["msg"].lower()}')


def _given(detail: ErrorDetails) -> str:
    return f" (it is {str(detail['input'])[:80]!r})"


def _bound(detail: ErrorDetails) -> str:
    limits = detail["ctx"]
    return f"at least {limits['ge']}" if "ge" in limits else f"at most {limits['le']}"


def _known_keys(place: Place) -> Iterator[str]:
    model: type[BaseModel] = spec.JobSpec
    if place:
        model = spec.Param if place[0] == "params" else spec.Target
        model = _PARTS.get(str(place[0]), model)
        model = _INNER.get(tuple(step for step in place if not isinstance(step, int)), model)
    for name, field in model.model_fields.items():
        yield field.alias or name


def _without(data: Any, detail: ErrorDetails) -> bool:
    """Take what is faulty out of the data, a list as a whole; False where nothing can be taken out."""
    *way, last = (step for step in detail["loc"] if step != "[key]")
    for step in way:
        below = data.get(step)
        if not isinstance(below, dict):
            last = step
            break
        data = below
    return detail["type"] != "missing" and data.pop(last, _NOTHING) is not _NOTHING
