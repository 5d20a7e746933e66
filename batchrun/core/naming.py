"""How batches are named, and how a job's execution is told from another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping


def slug(text: str) -> str:
    """Give a text in lower-case ASCII letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def batch_stem(job: str, params: Mapping[str, str]) -> str:
    """Give a batch's name without its number: `vendor-payouts-2026-10`."""
    return "-".join(part for part in (slug(job), *(slug(value) for value in params.values())) if part)[:80]


def batch_name(stem: str, number: int) -> str:
    """Give a batch's name: `vendor-payouts-2026-10-001`."""
    return f"{stem}-{number:03d}"


def world_name(procedure_id: str, environment: str, origin: str) -> str:
    """Name a world: keys and batches are compared within one."""
    return f"{origin}/v1/procedures/{procedure_id}/{environment}"
