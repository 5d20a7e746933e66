"""Problems by their cause: of a million only the counts and the first of each cause are held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from batchrun.model import Problem

HELD = 20  # problems of each cause

Cause = tuple[str, str]


def cause_of(problem: Problem) -> Cause:
    """Give what problems are told together by: their column, empty for whole rows, and their code."""
    return problem.column or "", problem.code


class Causes:
    """Counts problems by their cause, and holds the first of each."""

    def __init__(self) -> None:
        self.counts: Counter[Cause] = Counter()
        self._first: list[Problem] = []

    def add(self, problems: Iterable[Problem]) -> None:
        """Count problems, which come in the order of the sheet."""
        for problem in problems:
            cause = cause_of(problem)
            self.counts[cause] += 1
            if self.counts[cause] <= HELD:
                self._first.append(problem)

    def first(self) -> list[Problem]:
        """Give the problems that are held, in the order of their rows."""
        return sorted(self._first, key=lambda problem: problem.row)
