"""Name the nearest of what is known, for a word that is not."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give `; did you mean "Amount"?`, or the whole short list, or nothing."""
    names = list(dict.fromkeys(known))
    by_lower = {name.lower(): name for name in names}
    near = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    if near:
        return f'; did you mean "{by_lower[near[0]]}"?'
    if 0 < len(names) <= 12:
        return "; known are " + ", ".join(f'"{name}"' for name in names)
    return ""
