"""The docs are held to the code: the diagram of states, the table of answers, the keys of a spec, the knobs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import typer
from openpyxl import load_workbook
from pydantic import BaseModel
from results_books import written

from batchrun.cli.main import app
from batchrun.cli.plan_commands import BESIDE_A_PLAN
from batchrun.core import review, review_answers, spec, spec_totals
from batchrun.core.answers import TABLE
from batchrun.core.lifecycle import API_EVENTS, STEPS, TAKES_KEY, TAKES_KEY_ON_LIVE
from batchrun.core.review import Decision, DecisionState, Recorded, Standing
from batchrun.core.review_cells import review_cells
from batchrun.io.api_key import REVIEW_KEY
from batchrun.model import State
from batchrun.simulator.knobs import knob_help

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def diagram() -> str:
    """Draw the states from their table; the API's own states are one box, since any may follow any open one."""
    lines = ["stateDiagram-v2", '    state "the API\'s states" as api {']
    lines += [f"        {state.value}" for state in API_EVENTS.values()]
    lines.append("    }")
    for before in State:
        events = {event: after for (state, event), after in STEPS.items() if state is before}
        to_api = [event for event in events if event in API_EVENTS]
        if to_api:
            assert len(to_api) == len(API_EVENTS), before
            lines.append(f"    {before.value} --> api: the API's word")
        lines += [
            f"    {before.value} --> {after.value}: {event.value.replace('_', ' ')}"
            for event, after in events.items()
            if event not in API_EVENTS
        ]
    return "\n".join(lines)


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Give the cells of the lines of a section's table whose first cell is a name in backticks."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text("architecture.md"), re.DOTALL | re.MULTILINE)
    return [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]


def first_column(heading: str) -> list[str]:
    return [cells[0].strip(" `") for cells in rows(heading)]


def test_the_diagram_of_states_is_drawn_from_the_table() -> None:
    (shown,) = re.findall(r"```mermaid\n(stateDiagram.*?)\n```", text("architecture.md"), re.DOTALL)
    assert shown == diagram()


def test_the_docs_name_every_line_of_the_table_of_answers_in_its_order() -> None:
    assert first_column("What an answer means") == [line.name for line in TABLE]


def test_the_docs_name_every_line_of_the_table_of_decisions_in_its_order() -> None:
    assert first_column("What the answer to a decision means") == [line.name for line in review_answers.TABLE]
    stays_here = [cells[-1].strip() == "yes" for cells in rows("What the answer to a decision means")]
    assert stays_here == [not line.may_have_arrived for line in review_answers.TABLE]


def test_the_docs_explain_every_key_of_a_job_spec() -> None:
    parts: list[type[BaseModel]] = [spec.JobSpec, spec.Param, spec.Procedure, spec.Source, spec.Target]
    parts += [spec.Results, spec.Review, spec_totals.TotalOf, spec_totals.Trailer, spec_totals.TrailerMark]
    page = text("job-spec.md")
    for part in parts:
        for name, field in part.model_fields.items():
            assert f"`{field.alias or name}" in page, f"{part.__name__}.{name}"


def test_the_docs_list_the_simulators_knobs() -> None:
    assert knob_help().rstrip("\n") in text("simulator.md")


def test_the_shipped_schema_of_job_specs_is_the_one_that_batchrun_prints() -> None:
    shipped = json.loads((ROOT / "jobs" / "job.schema.json").read_text(encoding="utf-8"))
    assert shipped == spec.json_schema()


REVIEWING = "reviewing-in-excel.md"


def told_in(heading: str) -> list[str]:
    """Give the first cells of a table of the page on reviews, by what stands over them, without their backticks."""
    (table,) = re.findall(rf"^ *\| {heading} \|.*\n((?: *\|.*\n)+)", text(REVIEWING), re.MULTILINE)
    return [cells.strip().strip("|").split("|")[0].strip(" `") for cells in table.splitlines()[1:]]


def test_the_page_on_reviews_names_the_columns_as_the_workbook_does(tmp_path: Path) -> None:
    header = [str(cell.value) for cell in load_workbook(written(tmp_path, override_fields=("amount",)))["Results"][1]]
    named = {name.replace("<field>", "amount") for name in re.findall(r"`(_[^`]+)`", text(REVIEWING))}
    assert named <= set(header)
    fill_in = header[header.index("_decision") : header.index("_reviewer") + 1]
    assert [name.replace("<field>", "amount") for name in told_in("column")] == fill_in


def standing(state: State, pause: int = 1, decided: DecisionState | None = None) -> Standing:
    moment = datetime(2026, 11, 22, 10, 3, tzinfo=UTC)
    recorded = () if decided is None else (Recorded(1, Decision(True, reviewer="Anna"), decided, pause, "", moment),)
    return Standing(1, 2, state, "run_1", pause, recorded)


def test_the_page_on_reviews_explains_all_that_becomes_of_a_decision() -> None:
    gone_on = (DecisionState.ACCEPTED, DecisionState.CONFLICT, DecisionState.NOT_WAITING, DecisionState.UNCLEAR)
    said = [review.status(standing(State.AWAITING_REVIEW)), review.status(standing(State.AWAITING_REVIEW, 2))]
    for decided in DecisionState:
        state = State.COMPLETED if decided in gone_on else State.AWAITING_REVIEW
        said.append(review.status(standing(state, decided=decided)))
    said.append(str(review_cells(None, {"_decision": "approve"}, ()).status))
    shown = told_in("`_decision_status`")
    patterns = [re.compile(".*".join(map(re.escape, line.split("…")))) for line in shown]
    fitting = [[line for line, of in zip(shown, patterns, strict=True) if of.fullmatch(status)] for status in said]
    assert all(len(lines) == 1 for lines in fitting), list(zip(said, fitting, strict=True))
    assert sorted(line for lines in fitting for line in lines) == sorted(shown)


def test_the_page_on_reviews_names_options_and_words_that_exist() -> None:
    command = [sys.executable, "-m", "batchrun", "review", "--help"]
    helped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--[a-z][a-z-]+", text(REVIEWING)))
    assert options == {"--dry-run", "--skip-invalid", "--simulate"}
    assert options - {"--simulate"} <= set(re.findall(r"--[a-z][a-z-]+", helped))
    assert f"`{review.APPROVE}` or `{review.REJECT}`" in text(REVIEWING)
    assert f"`{State.AWAITING_REVIEW.value}`" in text(REVIEWING)
    assert f"`{REVIEW_KEY}`" in text(REVIEWING)


def test_the_page_on_plans_names_the_options_that_exist_and_all_that_a_plan_refuses() -> None:
    page = text("plans-and-approvals.md")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = {name: {flag for one in command.params for flag in one.opts} for name, command in commands.items()}
    of_key = {flag for one in commands["key"].commands["new"].params for flag in one.opts}
    known = options["plan"] | options["approve"] | options["run"] | of_key
    assert set(re.findall(r"(?<!\w)--[a-z][a-z-]+", page)) <= known
    (refused,) = re.findall(r"It takes no option that changes what is sent: (.*)\. Make", page)
    told = {flag for one in commands["run"].params if one.name not in BESIDE_A_PLAN for flag in one.opts}
    assert set(re.findall(r"`([^`]+)`", refused)) | {"--environment"} == told


def test_the_page_on_the_journal_tells_which_states_take_a_key() -> None:
    page = text("ledger.md")
    (always, but_rejected, never) = (
        set(re.findall(r"`([a-z_]+)`", line))
        for line in re.findall(r"^\| (`sending`.*|`failed`, `c.*|`refused`.*) \|", page, re.MULTILINE)
    )
    assert always == {state.value for state in TAKES_KEY}
    assert always | but_rejected == {state.value for state in TAKES_KEY_ON_LIVE}
    assert always | but_rejected | never == {state.value for state in State}


def test_the_page_on_the_journal_names_options_that_exist() -> None:
    helped = ""
    for words in (["history"], ["purge"], ["journal", "backup"], ["journal", "path"]):
        command = [sys.executable, "-m", "batchrun", *words, "--help"]
        helped += subprocess.run(command, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--[a-z][a-z-]+", text("ledger.md")))
    assert options == {"--verify", "--also", "--before", "--dry-run", "--yes", "--journal"}
    assert options <= set(re.findall(r"--[a-z][a-z-]+", helped))
