"""Target paths in a payload: `amount`, `payee.iban`, `contacts[0].email`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise, repeat
from typing import Any, Final

Step = str | int
Path = tuple[Step, ...]

EACH: Final = -1
"""The step that `[]` writes: one item of a list for each row of a group."""

_TOKEN = re.compile(r"((?:[^.\[\]\\]|\\.)+)|\[(\d{0,4})\]|(\.)")


Shape = dict[str, "int | Shape"]
"""How targets that lie in no list make one object: names, each with its target's place among them or an object."""


class _Hole:
    """Marks a place in a list that no value filled; such places close up."""


HOLE: Final = _Hole()


def parse(text: str) -> Path:
    r"""Give a target's steps: names, and zero-based places in lists (`[]` is EACH). `\.` is a dot inside a name.

    Raise ValueError where the text is not a target.
    """
    steps: list[Step] = []
    place, expects_name = 0, True
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or (match[1] is not None) != expects_name:
            raise ValueError(_FAULT.format(text))
        if match[1] is not None:
            steps.append(re.sub(r"\\(.)", r"\1", match[1]))
        elif match[2] is not None:
            steps.append(int(match[2]) if match[2] else EACH)
        expects_name = match[3] is not None
        place = match.end()
    if expects_name:
        raise ValueError(_FAULT.format(text))
    return tuple(steps)


_FAULT = '"{}" is not a target; write names with dots and list places in brackets, such as payee.iban or lines[0].sku'


def written(path: Iterable[Step]) -> str:
    """Give a path as a target is written, so that `parse` gives it back: `payee.iban`."""
    text = ""
    for step in path:
        place = "" if step == EACH else step
        name = f"[{place}]" if isinstance(step, int) else re.sub(r"([.\[\]\\])", r"\\\1", step)
        text += name if isinstance(step, int) or not text else "." + name
    return text


def pointer(path: Iterable[Step]) -> str:
    """Give a path as a JSON Pointer (RFC 6901), as problems name it: `/payee/iban`."""
    return "".join("/" + _token(step) for step in path)


def _token(step: Step) -> str:
    return "*" if step == EACH else str(step).replace("~", "~0").replace("/", "~1")


def place(root: dict[str, Any], path: Path, value: Any) -> None:
    """Put a value at its path, building the objects and lists on the way."""
    here: Any = root
    for step, following in pairwise(path):
        here = _enter(here, step, [] if isinstance(following, int) else {})
    _enter(here, path[-1], value, replace=True)


def _enter(here: Any, step: Step, fresh: Any, *, replace: bool = False) -> Any:
    if isinstance(step, int):
        here.extend([HOLE] * (step + 1 - len(here)))
        if replace or here[step] is HOLE:
            here[step] = fresh
    elif replace or step not in here:
        here[step] = fresh
    return here[step]


def shape_of(paths: Sequence[Path]) -> Shape | None:
    """Give the object that targets make; None where one of them lies in a list, or there is none."""
    shape: Shape = {}
    for index, path in enumerate(paths):
        here: Any = shape
        if any(isinstance(step, int) for step in path):
            return None
        for step in path[:-1]:
            here = here.setdefault(step, {})
        here[path[-1]] = index
    return shape or None


def lay_out(shape: Shape, columns: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Make the objects of many rows at once, from one column of values for each target."""
    parts = [columns[part] if isinstance(part, int) else lay_out(part, columns) for part in shape.values()]
    # Without a step of Python for each row: `dict(zip(names, row))`.
    return list(map(dict, map(zip, repeat(tuple(shape)), zip(*parts, strict=True))))


def close_up(value: Any) -> Any:
    """Drop the places of lists that no value filled: omitted lines leave no gap."""
    if isinstance(value, dict):
        return {name: close_up(member) for name, member in value.items()}
    if isinstance(value, list):
        return [close_up(item) for item in value if item is not HOLE]
    return value


def before_closing(root: Any, path: Path) -> Path:
    """Give the target that a path in the closed-up data comes from: `lines[0]` may have been mapped as `lines[1]`."""
    here, steps = root, list[Step]()
    for step in path:
        if isinstance(here, list):
            filled = [place for place, item in enumerate(here) if item is not HOLE]
            place = filled[int(step)]
            steps.append(place)
            here = here[place]
        else:
            steps.append(step)
            here = here.get(step)
    return tuple(steps)


def clashes(paths: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Give pairs of targets of which one lies inside the other, or that use a place both as list and as object."""
    known: dict[Path, tuple[type, Path]] = {}
    found = []
    for path in paths:
        for length in range(1, len(path) + 1):
            kind = type(path[length]) if length < len(path) else type(None)
            before, owner = known.setdefault(path[:length], (kind, path))
            if owner != path and (before is not kind or kind is type(None)):
                found.append((owner, path))
                break
    return found
