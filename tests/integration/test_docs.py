"""The docs are held to the code: the diagram of states, the table of answers, the keys of a spec, the knobs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pydantic import BaseModel

from batchrun.core import review_answers, spec
from batchrun.core.answers import TABLE
from batchrun.core.lifecycle import API_EVENTS, STEPS
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
    parts: list[type[BaseModel]] = [spec.JobSpec, spec.Param, spec.Procedure, spec.Source, spec.Target, spec.Results]
    page = text("job-spec.md")
    for part in parts:
        for name, field in part.model_fields.items():
            assert f"`{field.alias or name}" in page, f"{part.__name__}.{name}"


def test_the_docs_list_the_simulators_knobs() -> None:
    assert knob_help().rstrip("\n") in text("simulator.md")


def test_the_shipped_schema_of_job_specs_is_the_one_that_batchrun_prints() -> None:
    shipped = json.loads((ROOT / "jobs" / "job.schema.json").read_text(encoding="utf-8"))
    assert shipped == spec.json_schema()
