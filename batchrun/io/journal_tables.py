"""The journal's tables. Times are ISO 8601 text in UTC with microseconds, so that they sort and can be read."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

VERSION = 4

metadata = MetaData()

meta = Table("meta", metadata, Column("name", String, primary_key=True), Column("value", Text, nullable=False))

# Input, spec and schema as they were, by the SHA-256 of their bytes, in compressed pieces.
file_pieces = Table(
    "file_pieces",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("piece", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, unique=True),  # given when the batch is sealed: until then it does not exist
    Column("stem", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("sealed_at", String),
    Column("job", String, nullable=False),
    Column("world", String, nullable=False),
    Column("environment", String, nullable=False),
    Column("base_url", String, nullable=False),
    Column("review_url", String, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("knobs", Text, nullable=False),
    Column("procedure_id", String, nullable=False),
    Column("procedure_version", String),
    Column("mode", String, nullable=False),
    Column("timeout_ms", Integer),
    Column("params", Text, nullable=False),
    Column("settings", Text, nullable=False),  # rate, concurrency, max errors and the like, as JSON
    Column("identity", LargeBinary, nullable=False),
    Column("input_name", String, nullable=False),
    Column("input_path", String, nullable=False),
    Column("input_sha256", String, nullable=False),
    Column("spec_path", String, nullable=False),
    Column("spec_sha256", String, nullable=False),
    Column("schema_name", String, nullable=False),
    Column("schema_sha256", String, nullable=False),
    Column("sheet", Text, nullable=False),  # SheetInfo as JSON
    Column("notes", Text, nullable=False),
    Column("made_by", String, nullable=False),
    Column("host", String, nullable=False),
    Column("made_with", String, nullable=False),
    Column("workbook", String, nullable=False),
    Column("workbook_sha256", String),
    Column("cancel_asked_at", String),  # since version 2: a sender that finds it stops within a second
    Column("stopped", Text),  # why sending stopped last; null once nothing is left to send
    Index("batches_by_identity", "identity"),
    Index("batches_by_stem", "stem"),
    sqlite_autoincrement=True,  # the number of a discarded batch names its lock still, so it is never given again
)

rows = Table(
    "rows",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("key", Text, nullable=False),
    Column("key_id", LargeBinary),
    Column("payload", LargeBinary),
    Column("payload_id", LargeBinary),
    Column("cells", LargeBinary, nullable=False),
    Column("amounts", Text, nullable=False),
    Column("problems", Text),
    Column("attempts", Integer, nullable=False, default=0),
    Column("run_id", String),
    Column("output", LargeBinary),
    Column("error", Text),
    Column("sent_at", String),
    Column("finished_at", String),
    Column("leader", Integer),  # since version 3: the position of the row whose payload this one is a part of
    Index("rows_by_leader", "batch_id", "leader", sqlite_where=text("leader IS NOT NULL")),
    Index("rows_by_state", "batch_id", "state", "position"),
    Index("rows_by_key", "key_id"),
    Index("rows_by_number", "batch_id", "number"),
)

# Every step of every row, append-only: the audit trail. Replayed from the first, it gives the state held in `rows`.
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("at", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("event", String, nullable=False),
    Column("before", String, nullable=False),
    Column("after", String, nullable=False),
    Column("status", Integer),  # the HTTP status, where an answer came
    Column("run_id", String),
    Column("line", String),  # the line of the table of answers that decided
    Column("detail", Text),
    Index("events_by_row", "batch_id", "position"),
)

# Each run id once in its world: the same id for a second row is a sign that something is very wrong.
run_ids = Table(
    "run_ids",
    metadata,
    Column("origin", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("batch_id", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    UniqueConstraint("origin", "run_id"),
)

# Every webhook delivery as it came, append-only but for the time at which it was folded into its row.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("delivery_id", String, nullable=False, unique=True),
    Column("received_at", String, nullable=False),
    Column("created_at", String),
    Column("event", String, nullable=False),
    Column("run_id", String),
    Column("procedure_id", String),
    Column("environment", String),
    Column("body", LargeBinary, nullable=False),
    Column("folded_at", String),
    Index("deliveries_to_fold", "folded_at", "run_id"),
    Index("deliveries_by_run", "run_id"),
)

# Reviewers' decisions, each in here before its first byte leaves. What is known of one may be told later; what was
# decided, by whom, and the idempotency key never change. A pause has one decision that counts.
decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("run_id", String, nullable=False),
    Column("pause", Integer, nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("rejection_reason", Text),
    Column("outputs", LargeBinary),
    Column("reviewer", String, nullable=False),
    Column("sent_by", String, nullable=False),
    Column("workbook_sha256", String, nullable=False),
    Column("idempotency_key", String, nullable=False, unique=True),
    Column("decided_at", String, nullable=False),
    Column("state", String, nullable=False),
    Column("answered_at", String),
    Column("detail", Text),
    Index("decisions_by_row", "batch_id", "position"),
    Index(
        "decisions_that_count",
        "batch_id",
        "position",
        "run_id",
        "pause",
        unique=True,
        sqlite_where=text("state IN ('open', 'accepted')"),
    ),
)

# Every answer to a decision, append-only.
decision_answers = Table(
    "decision_answers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("decision_id", ForeignKey("decisions.id"), nullable=False),
    Column("at", String, nullable=False),
    Column("status", Integer),
    Column("line", String, nullable=False),
    Column("detail", Text),
    Index("answers_by_decision", "decision_id"),
)

# What rows held before they were corrected from a file that somebody handed in, append-only.
corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("at", String, nullable=False),
    Column("by", String, nullable=False),
    Column("file_name", String, nullable=False),
    Column("file_sha256", String, nullable=False),
    Column("payload", LargeBinary),
    Column("payload_id", LargeBinary),
    Column("cells", LargeBinary, nullable=False),
    Column("amounts", Text, nullable=False),
    Index("corrections_by_row", "batch_id", "position"),
)

# Every results workbook that was written, by its place: what its bytes were, and how wide its columns.
workbooks = Table(
    "workbooks",
    metadata,
    Column("path", String, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("sha256", String, nullable=False),
    Column("widths", Text, nullable=False),
    Column("kept", Boolean, nullable=False),
    Column("written_at", String, nullable=False),
)

# Since version 4. Each version of the procedure that a batch's runs were seen to have, and the row it was seen first.
versions_seen = Table(
    "versions_seen",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("version_id", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("at", String, nullable=False),
)

# Batches whose payloads and cells were removed; keys, hashes and run ids stay.
purges = Table(
    "purges",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("at", String, nullable=False),
    Column("by", String, nullable=False),
)

# Batches that came from another computer's journal, by way of their evidence.
adoptions = Table(
    "adoptions",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("at", String, nullable=False),
    Column("by", String, nullable=False),
    Column("evidence_sha256", String, nullable=False),
)

# The pace that processes with one API key share: until when its turns are taken, in seconds since 1970.
paces = Table(
    "paces",
    metadata,
    Column("name", String, primary_key=True),  # a short hash of the key: it tells accounts apart, and no more
    Column("taken_until", Float, nullable=False),
)
