"""The sealed plan: what would be run, byte for byte, and in which sentence it is said that something differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from batchrun.core import sealed_document
from batchrun.core.approval import SealedPart, Sha256
from batchrun.core.totals import counted
from batchrun.model import Environment, Mode, State

SUFFIX = ".plan.json"
NO_FILE = ""  # stands for the hash of a file that is not there


class SealedFile(SealedPart):
    """A file by its bytes; `path` is relative to the plan's folder where that can be."""

    name: str
    sha256: Sha256
    path: str | None = None


class InputFile(SealedFile):
    """The sheet; `given` says that --input named it, and not the job."""

    sheet: str | None = None
    given: bool = False


class Selection(SealedPart):
    """Which rows were chosen."""

    rows: str | None = None
    limit: int | None = None
    skip_invalid: bool = False


class Duplicate(SealedPart):
    """A row that is not sent, and what took its key."""

    row: int
    taken: str


class Rehearsal(SealedPart):
    """The sandbox batch in which the same payloads were sent."""

    batch: str
    date: str
    counts: dict[str, int]


class Plan(SealedPart):
    """All that decides what a run sends, and what it would come to."""

    kind: Literal["batchrun plan"] = "batchrun plan"
    version: Literal[1] = 1
    job: str
    environment: Environment
    world: str
    base_url: str
    review_url: str
    procedure: str
    procedure_version: str | None
    mode: Mode
    timeout_ms: int | None
    rate: str
    concurrency: int
    spec: SealedFile
    schema_file: SealedFile = Field(alias="schema")
    outputs: SealedFile | None
    input: InputFile
    params: dict[str, str]
    selection: Selection
    approval: Literal["required", "signed"] | None
    approvers: dict[str, str] | None
    rows: int
    runs: int
    counts: dict[str, int]
    totals: dict[str, dict[str, str]]
    duplicates: list[Duplicate]
    notes: list[str]
    seconds: float | None
    rehearsal: Rehearsal | None
    made_at: str
    made_by: str
    host: str
    made_with: str
    payloads: list[tuple[int, Sha256]]
    payloads_sha256: Sha256

    def sealed(self) -> bytes:
        """Give the plan's bytes."""
        return sealed_document.sealed(self.model_dump(by_alias=True))


def read_plan(content: bytes) -> Plan:
    """Read a plan's bytes; raise ValueError where one of them was altered, or they are none."""
    document = sealed_document.opened(content)
    document["payloads"] = _pairs(document.get("payloads"))
    try:
        return Plan.model_validate(document)
    except ValidationError:
        raise ValueError("it is no plan of this version") from None


def _pairs(payloads: Any) -> Any:
    # JSON knows lists alone, and strict reading takes no list for a pair.
    if not isinstance(payloads, list):
        return payloads
    return [tuple(pair) if isinstance(pair, list) else pair for pair in payloads]


def payloads_sha256(payloads: Sequence[tuple[int, str]]) -> str:
    """Give one hash over the rows' numbers and payloads, in their order."""
    return sealed_document.sha256("".join(f"{row} {digest}\n" for row, digest in payloads).encode())


def approval_name(plan_name: str) -> str:
    """Name the approval of a plan: `october.plan.json` has `october.approval.json`."""
    return f"{plan_name.removesuffix(SUFFIX) if plan_name.endswith(SUFFIX) else plan_name}.approval.json"


def workbook_name(plan_name: str) -> str:
    """Name the readable workbook of a plan: `october.plan.json` has `october.plan.xlsx`."""
    return f"{plan_name.removesuffix('.json')}.xlsx"


class Found(NamedTuple):
    """What a run that is about to begin is made of."""

    spec: str
    schema: str
    outputs: str | None
    input: str
    environment: str
    world: str
    base_url: str
    review_url: str
    procedure: tuple[str, str | None, str, int | None]
    params: Mapping[str, str]
    selection: tuple[str | None, int | None, bool]
    pace: tuple[str, int]


def planned(plan: Plan) -> Found:
    """Give what a plan was made of."""
    return Found(
        spec=plan.spec.sha256,
        schema=plan.schema_file.sha256,
        outputs=None if plan.outputs is None else plan.outputs.sha256,
        input=plan.input.sha256,
        environment=plan.environment,
        world=plan.world,
        base_url=plan.base_url,
        review_url=plan.review_url,
        procedure=(plan.procedure, plan.procedure_version, plan.mode, plan.timeout_ms),
        params=plan.params,
        selection=(plan.selection.rows, plan.selection.limit, plan.selection.skip_invalid),
        pace=(plan.rate, plan.concurrency),
    )


def spec_changed(plan: Plan) -> str:
    """Say that the job spec is another."""
    return f"the job spec {plan.spec.name} is not the one that the plan was made of"


def _other_file(what: str, file: SealedFile | None, sha256: str | None) -> str:
    name = "" if file is None else f" {file.name}"
    said = "cannot be found where it was" if sha256 == NO_FILE else "is not the one that the plan was made of"
    return f"{what}{name} {said}"


_SENTENCES: dict[str, Callable[[Plan, Found], str]] = {
    "spec": lambda plan, _: spec_changed(plan),
    "schema": lambda plan, found: _other_file("the schema", plan.schema_file, found.schema),
    "outputs": lambda plan, found: _other_file("the schema of review outputs", plan.outputs, found.outputs),
    "input": lambda plan, found: _other_file("the sheet", plan.input, found.input),
    "environment": lambda plan, found: f"the plan is for {plan.environment}, and this is {found.environment}",
    "world": lambda plan, found: f"the plan is for {plan.world}, and this is {found.world}",
    "base_url": lambda plan, found: f"the plan is for the API at {plan.base_url}, and this is {found.base_url}",
    "review_url": lambda plan, found: f"the plan is for reviews at {plan.review_url}, and this is {found.review_url}",
    "procedure": lambda _plan, _found: "the procedure, its version, mode or timeout is another than in the plan",
    "params": lambda _plan, _found: "the params are others than in the plan",
    "selection": lambda _plan, _found: "other rows are chosen than in the plan",
    "pace": lambda _plan, _found: "the rate or the concurrency is another than in the plan",
}


def differences(plan: Plan, found: Found) -> list[str]:
    """Say, one sentence each, what is not as it was when the plan was made."""
    wanted = planned(plan)
    return [
        sentence(plan, found) for name, sentence in _SENTENCES.items() if getattr(wanted, name) != getattr(found, name)
    ]


class StagedRow(NamedTuple):
    """A row that is ready to be sent or left out: what it holds, by hash, and why it is left out."""

    number: int
    state: State
    sha256: str | None
    why: str | None = None


def to_send(rows: Sequence[StagedRow]) -> list[tuple[int, str]]:
    """Give number and hash of every payload that would be sent, in order."""
    return [(row.number, row.sha256) for row in rows if row.state is State.READY and row.sha256 is not None]


def row_difference(plan: Plan, rows: Sequence[StagedRow]) -> str | None:
    """Say which row is the first that is not as it was when the plan was made; None where all are."""
    found = to_send(rows)
    if found == plan.payloads and payloads_sha256(found) == plan.payloads_sha256:
        return None
    faults = list(_row_faults(plan, rows, dict(found)))
    if not faults:
        return "the rows would be sent in another order than the plan has them"
    others = len(faults) - 1
    more = f"; {counted(others, 'more row')} {'differs' if others == 1 else 'differ'}, too"
    return faults[0] + (more if others else "")


def _row_faults(plan: Plan, rows: Sequence[StagedRow], found: Mapping[int, str]) -> Iterator[str]:
    by_number = {row.number: row for row in rows}
    planned_rows = dict(plan.payloads)
    for number, digest in plan.payloads:
        if number not in found:
            yield _left_out(plan, number, by_number.get(number))
        elif found[number] != digest:
            yield f"row {number} of {plan.input.name} would be sent with other values than the plan has"
    before = {duplicate.row for duplicate in plan.duplicates}
    for number in found:
        if number not in planned_rows:
            was = "it was a duplicate when the plan was made" if number in before else "it is not in the plan"
            yield f"row {number} of {plan.input.name} would be sent, and {was}"


def _left_out(plan: Plan, number: int, row: StagedRow | None) -> str:
    where = f"row {number} of {plan.input.name}"
    if row is None:
        return f"{where} is in the plan, and is not among the rows now"
    if row.state is State.DUPLICATE:
        return f"{where} has become a duplicate since the plan was made: {row.why}"
    return f"{where} is in the plan, and is {row.state.value} now"


def figures_differ(plan: Plan, counts: Mapping[State, int], totals: Mapping[str, Mapping[str, str]]) -> bool:
    """Tell whether rows by state, or their control totals, are others than in the plan."""
    return {state.value: count for state, count in counts.items()} != plan.counts or totals != plan.totals
