"""The error tree, split by what the caller must do, and the exit code of each branch.

BatchrunError
├── CouldNotStart (2)        nothing was sent, no batch is recorded
│   ├── BadCommandLine
│   ├── BadSpec              every fault of a job spec, each with its line
│   ├── BadSchema
│   ├── BadInput             a source that cannot be read as a table
│   ├── InvalidRows
│   ├── BadDecisions         what somebody filled in cannot be done as told
│   ├── BadCorrections       rows of a corrected file that cannot be sent
│   ├── BadKey
│   ├── ExpectationFailed
│   ├── AlreadyRan
│   ├── PlanRefused          a plan, or its approval, does not allow what was asked
│   ├── NotFound
│   ├── JournalUnusable
│   └── Declined             somebody answered no
├── Stopped (3)              before the end; resumable
└── Interrupted (130)        by a person; resumable
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from batchrun.model import Problem

COMPLETED, NEEDS_ATTENTION, COULD_NOT_START, STOPPED, STILL_OPEN, INTERRUPTED = 0, 1, 2, 3, 4, 130


class BatchrunError(Exception):
    """Say in one plain sentence what is wrong and where; `next` is the command that goes on from here."""

    exit_code = COULD_NOT_START
    code = "error"

    def __init__(self, message: str, *, code: str | None = None, next: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next = next
        if code is not None:
            self.code = code


class CouldNotStart(BatchrunError):
    """Nothing was sent and no batch is recorded."""

    code = "could-not-start"


class BadCommandLine(CouldNotStart):
    """The command line asks for something that cannot be."""

    code = "bad-command-line"


class BadSpec(CouldNotStart):
    """The job spec has faults; `faults` holds one line of text for each."""

    code = "bad-spec"

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"the job spec has {count}:\n" + "\n".join(self.faults))


class BadSchema(CouldNotStart):
    """The procedure's input schema cannot be used."""

    code = "bad-schema"


class BadInput(CouldNotStart):
    """The source cannot be read as a table."""

    code = "bad-input"


class InvalidRows(CouldNotStart):
    """Some rows are invalid and nobody asked to skip them.

    `problems` holds the first of each cause, in the order of the sheet, and `causes` how many there are of each.
    """

    code = "invalid-rows"

    def __init__(
        self, problems: Sequence[Problem], causes: Mapping[tuple[str, str], int], invalid: int, rows: int
    ) -> None:
        self.problems = tuple(problems)
        self.causes = dict(causes)
        told = "1 row is invalid" if invalid == 1 else f"{invalid:,} of {rows:,} rows are invalid"
        cells = ", ".join(dict.fromkeys(problem.cell for problem in problems[:10]))
        more = " and more" if sum(causes.values()) > 10 else ""
        super().__init__(
            f"{told}, so nothing was sent: look at {cells}{more}. "
            "Correct them and run it again, or send the other rows with --skip-invalid"
        )


class BadDecisions(CouldNotStart):
    """What somebody decided about rows cannot be done as told; `faults` holds one line for each."""

    code = "bad-decisions"

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join([*self.faults, "Nothing was changed and nothing was sent."]))


class BadCorrections(CouldNotStart):
    """Rows of a corrected file cannot be sent; `faults` holds one line for each problem."""

    code = "bad-corrections"

    def __init__(self, file_name: str, faults: Sequence[str], faulty: int, rows: int) -> None:
        self.faults = tuple(faults)
        told = "1 row" if faulty == 1 else f"{faulty:,} rows"
        super().__init__(
            "\n".join(
                [
                    f"{told} of the {rows:,} in {file_name} cannot be sent again, so nothing was sent:",
                    *self.faults,
                    "Correct them and hand the file in once more, or send the other rows with --skip-invalid",
                ]
            )
        )


class BadKey(CouldNotStart):
    """The API key is missing, or does not fit the environment."""

    code = "bad-key"


class ExpectationFailed(CouldNotStart):
    """The rows or a control total are not what was expected."""

    code = "expectation-failed"


class AlreadyRan(CouldNotStart):
    """The same job over the same input has run before in this world."""

    code = "already-ran"


class PlanRefused(CouldNotStart):
    """A plan or its approval was altered, is missing, or is of something else than what would be sent."""

    code = "plan-refused"


class NotFound(CouldNotStart):
    """There is no such batch, row or file."""

    code = "not-found"


class JournalUnusable(CouldNotStart):
    """The journal cannot be opened, or is of a newer version."""

    code = "journal-unusable"


class Declined(CouldNotStart):
    """Somebody was asked, and did not say yes."""

    code = "declined"


class Stopped(BatchrunError):
    """The batch stopped before its end, and can be resumed."""

    exit_code = STOPPED
    code = "stopped"


class Interrupted(BatchrunError):
    """Somebody interrupted; the batch can be resumed."""

    exit_code = INTERRUPTED
    code = "interrupted"
