"""The Summary of a batch: what ran, when, where, by which version, and how the rows and their sums stand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from batchrun.core import approval
from batchrun.core.durations import words
from batchrun.core.latencies import Course
from batchrun.core.moments import to_the_second
from batchrun.flows import holding
from batchrun.flows.figures import Figures
from batchrun.io import journal_rows
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.model import Summary


def summary_of(journal: Journal, batch: Batch, figures: Figures) -> Summary:
    """Give what the Summary sheet says."""
    with journal.reading() as connection:
        course = journal_rows.course(connection, batch.id)
        note = holding.note_on_version(connection, batch)
        held = holding.facts(connection, batch)
    return Summary(
        title=f"{batch.job}: {batch.name}",
        facts=tuple({**_facts(journal, batch, course), **held}.items()),
        counts=figures.counts,
        rows=sum(figures.counts.values()),
        totals=figures.proof.totals,
        seconds=course.percentiles(),
        completions=course.over_time(),
        notes=(*batch.notes, *([note] if note is not None else [])),
        proof=figures.proof,
    )


def _facts(journal: Journal, batch: Batch, course: Course) -> Mapping[str, str]:
    pin = batch.procedure_version or "the published default"
    facts: dict[str, Any] = {
        "Batch": batch.name,
        "Job": batch.settings.get("description") or batch.job,
        "Environment": f"{batch.environment} (simulated)" if batch.simulated else batch.environment,
        "Procedure": f"{batch.procedure_id}, version {pin}, {batch.mode}",
        "Params": ", ".join(f"{name} {value}" for name, value in batch.params.items()),
        "API": batch.base_url,
        "Started by": f"{batch.made_by} on {batch.host}",
        "Created (UTC)": to_the_second(batch.created_at),
        "First sent (UTC)": _time(course.start),
        "Last ended (UTC)": _time(course.end),
        **_plan_facts(batch.settings.get("plan")),
        "Rate": batch.settings["rate"],
        "Input": batch.input_name,
        "Sheet": batch.sheet.sheet,
        "Input SHA-256": batch.input_sha256,
        "Spec SHA-256": batch.spec_sha256,
        "Schema SHA-256": batch.schema_sha256,
        "Stopped": batch.stopped,
        "Journal": str(journal.path),
        "Made with": f"batchrun {batch.made_with}",
    }
    if course.end is not None:
        facts["Took"] = words(max(0.0, course.span))
    return {label: str(value) for label, value in facts.items() if value}


def _plan_facts(plan: Mapping[str, Any] | None) -> Mapping[str, str]:
    if plan is None:
        return {}
    return {
        "Plan": f"{plan['name']}, made by {plan['made_by']}",
        "Approved by": approval.told(plan["approved_by"], signed=plan["signed"]),
        "Plan SHA-256": plan["sha256"],
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
