"""Tells files that are mistaken for one another, before what is wrong with one is told as a fault of the other."""

from __future__ import annotations

from pathlib import Path

from batchrun.errors import BadCommandLine, PlanRefused
from batchrun.io import system

SHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".csv", ".tsv", ".csv.gz", ".tsv.gz")
JOBS = (".yaml", ".yml")
PLAN, APPROVAL = ".plan.json", ".approval.json"


def refuse_no_job(path: Path) -> None:
    """Refuse a sheet, a plan or an approval where a job is wanted."""
    if _is(path, SHEETS):
        raise BadCommandLine(
            f"{path.name} is a sheet, and a job is wanted: the .yaml file that says what the sheet's columns mean",
            next=f"batchrun init {system.shell_word(str(path))}",
        )
    if _is(path, (PLAN,)):
        raise BadCommandLine(
            f"{path.name} is a plan, and a job is wanted; a plan is run with --plan",
            next=f"batchrun run --plan {system.shell_word(str(path))}",
        )
    if _is(path, (APPROVAL,)):
        raise BadCommandLine(f"{path.name} is an approval, and a job is wanted; name the plan, with --plan")


def refuse_no_plan(path: Path) -> None:
    """Refuse what lies beside a plan: the workbook to read it in, and its approval."""
    if _is(path, SHEETS):
        plan = path.with_suffix(".json")
        named = f"; the plan itself is {plan.name}" if plan.is_file() else ""
        raise PlanRefused(f"{path.name} is a workbook, and no plan{named}; nothing was sent", code="no-plan")
    if _is(path, (APPROVAL,)):
        raise PlanRefused(f"{path.name} is an approval; name the plan of it. Nothing was sent", code="no-plan")
    if _is(path, JOBS):
        raise PlanRefused(f"{path.name} is a job, and no plan of it; nothing was sent", code="no-plan")


def _is(path: Path, endings: tuple[str, ...]) -> bool:
    return path.name.lower().endswith(endings) and path.is_file()
