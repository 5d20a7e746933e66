"""The one JSON document that each command prints, as it is when nothing came of it."""

from __future__ import annotations

from typing import Any

BATCH_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "batch": None,
    "job": None,
    "environment": None,
    "rows": 0,
    "runs": 0,
    "counts": {},
    "totals": {},
    "workbook": None,
    "stopped": None,
    "next": None,
    "error": None,
}
CHECK_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "rows": 0,
    "valid": 0,
    "invalid": 0,
    "duplicates": 0,
    "totals": {},
    "problems": [],
    "error": None,
}
INIT_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "job": None,
    "schema": None,
    "matched": [],
    "unmatched_columns": [],
    "unmatched_paths": [],
    "error": None,
}
PLAN_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "plan": None,
    "workbook": None,
    "rows": 0,
    "runs": 0,
    "counts": {},
    "totals": {},
    "sha256": None,
    "next": None,
    "error": None,
}
APPROVAL_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "plan": None,
    "approval": None,
    "sha256": None,
    "approved_by": None,
    "signed": False,
    "told": None,
    "environment": None,
    "rows": 0,
    "runs": 0,
    "counts": {},
    "totals": {},
    "next": None,
    "error": None,
}
KEY_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "name": None,
    "public_key": None,
    "public_key_file": None,
    "kept_in": None,
    "error": None,
}
HISTORY_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "key": None,
    "journal": None,
    "journals": [],
    "batches_searched": 0,
    "from": None,
    "to": None,
    "found": [],
    "similar": [],
    "more_similar": 0,
    "error": None,
}
PURGE_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "journal": None,
    "before": None,
    "dry_run": False,
    "purged": [],
    "left": [],
    "purged_earlier": 0,
    "erased": False,
    "bytes_before": 0,
    "bytes_after": 0,
    "copies": [],
    "error": None,
}
BACKUP_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "journal": None,
    "backup": None,
    "batches": 0,
    "rows": 0,
    "bytes": 0,
    "sha256": None,
    "error": None,
}
EVIDENCE_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "file": None,
    "batch": None,
    "manifest_sha256": None,
    "members": 0,
    "running": False,
    "missing": [],
    "counts": {},
    "totals": {},
    "error": None,
}
VERIFY_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "file": None,
    "batch": None,
    "intact": False,
    "manifest_sha256": None,
    "problems": [],
    "counts": {},
    "totals": {},
    "error": None,
}
ADOPT_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "file": None,
    "batch": None,
    "was": None,
    "journal": None,
    "as_of": None,
    "manifest_sha256": None,
    "counts": {},
    "totals": {},
    "next": None,
    "error": None,
}
PLAIN_DOCUMENT: dict[str, Any] = {"version": 1, "error": None}
DOCUMENTS = {
    "init": INIT_DOCUMENT,
    "check": CHECK_DOCUMENT,
    "plan": PLAN_DOCUMENT,
    "approve": APPROVAL_DOCUMENT,
    "key new": KEY_DOCUMENT,
    "history": HISTORY_DOCUMENT,
    "purge": PURGE_DOCUMENT,
    "journal backup": BACKUP_DOCUMENT,
    "evidence": EVIDENCE_DOCUMENT,
    "verify": VERIFY_DOCUMENT,
    "adopt": ADOPT_DOCUMENT,
    **dict.fromkeys(("run", "resume", "refresh", "review", "resolve", "retry", "cancel", "report"), BATCH_DOCUMENT),
}
