"""The first schema: the inbox, people and their records, the address ledger, jobs with their calls, and the rest."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "001_roster_and_jobs"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up by itself only for INTEGER PRIMARY KEY

TABLES = (
    # A table stands after those it refers to.
    "people",
    "events",
    "records",
    "memberships",
    "holds",
    "jobs",
    "addresses",
    "steps",
    "attempts",
    "pauses",
    "calls",
    "domains",
    "policies",
    "tokens",
    "audit",
    "workers",
)


def upgrade() -> None:
    create_people()
    create_events()
    create_records()
    create_memberships()
    create_holds()
    create_jobs()
    create_addresses()
    create_steps()
    create_attempts()
    create_pauses()
    create_calls()
    create_domains()
    create_policies()
    create_tokens()
    create_audit()
    create_workers()


def downgrade() -> None:
    """Drop everything, with what is in it."""
    for table in reversed(TABLES):
        op.drop_table(table)


def partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def create_people() -> None:
    op.create_table(
        "people",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("employee_number", sa.Text),
        sa.Column("work_email", sa.Text),
        sa.Column("next_change_at", sa.DateTime(timezone=True)),
        sa.Column("next_step", sa.Text),
        sa.Column("wanted_hash", sa.String(64)),
        sa.Column("policy_hash", sa.String(64)),
        sa.Column("evaluated_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
    )
    partial_index("ix_people_due", "people", ["next_change_at"], "next_change_at is not null")
    op.create_index("ix_people_employee_number", "people", ["employee_number"])
    op.create_index("ix_people_name", "people", ["name"])
    op.create_index("ix_people_phase", "people", ["phase"])
    op.create_index("ix_people_policy_hash", "people", ["policy_hash", "id"])
    op.create_index("ix_people_work_email", "people", ["work_email"])


def create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("ce_source", sa.Text),
        sa.Column("ce_id", sa.Text),
        sa.Column("type", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("time", sa.DateTime(timezone=True)),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True)),
        sa.Column("person_id", ID, sa.ForeignKey("people.id", name="fk_events_person_id_people")),
        sa.Column("applied_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    partial_index("ix_events_accepted", "events", ["id"], "state = 'accepted'")
    op.create_index("ix_events_digest", "events", ["digest"])
    partial_index("ix_events_parked", "events", ["id"], "state = 'parked'")
    op.create_index("ix_events_person_id", "events", ["person_id", "id"])
    op.create_index("ix_events_subject", "events", ["source", "subject"])
    partial_index("uq_events_key", "events", ["source", "ce_source", "ce_id"], "state <> 'rejected'", unique=True)


def create_records() -> None:
    op.create_table(
        "records",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("person_id", ID, sa.ForeignKey("people.id", name="fk_records_person_id_people")),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("employee_number", sa.Text),
        sa.Column("work_email", sa.Text),
        sa.Column("why_unmatched", sa.Text),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "subject", name="pk_records"),
    )
    op.create_index("ix_records_person_id", "records", ["person_id"])
    op.create_index("ix_records_subject", "records", ["subject"])
    partial_index("ix_records_unmatched_email", "records", ["work_email"], "person_id is null")
    partial_index("ix_records_unmatched_number", "records", ["employee_number"], "person_id is null")


def create_memberships() -> None:
    op.create_table(
        "memberships",
        sa.Column("person_id", ID, sa.ForeignKey("people.id", name="fk_memberships_person_id_people"), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "address", name="pk_memberships"),
    )
    op.create_index("ix_memberships_address", "memberships", ["address", "person_id"])


def create_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("id", ID, nullable=False),
        sa.Column("brake", sa.String(16), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counted", sa.Integer, nullable=False),
        sa.Column("allowed", sa.Integer, nullable=False),
        sa.Column("population", sa.Integer, nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decided_by", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
    )
    partial_index("uq_holds_open", "holds", ["brake", "source"], "state = 'open'", unique=True)


def create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", ID, nullable=False),
        sa.Column("subject_kind", sa.String(16), nullable=False),
        sa.Column("subject_key", sa.String(254), nullable=False),
        sa.Column("person_id", ID, sa.ForeignKey("people.id", name="fk_jobs_person_id_people")),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("urgency", sa.Integer, nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("event_id", ID, sa.ForeignKey("events.id", name="fk_jobs_event_id_events")),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True)),
        sa.Column("plan", sa.JSON),
        sa.Column("plan_hash", sa.String(64)),
        sa.Column("braked_hash", sa.String(64)),
        sa.Column("approved_hash", sa.String(64)),
        sa.Column("hold_id", ID, sa.ForeignKey("holds.id", name="fk_jobs_hold_id_holds")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    partial_index("ix_jobs_due", "jobs", ["urgency", "run_at", "id"], "state in ('queued', 'waiting')")
    partial_index("ix_jobs_event_id", "jobs", ["event_id"], "finished_at is null")
    partial_index("ix_jobs_hold_id", "jobs", ["hold_id"], "hold_id is not null")
    partial_index("ix_jobs_leases", "jobs", ["lease_until"], "state = 'running'")
    op.create_index("ix_jobs_person_id", "jobs", ["person_id", "id"])
    op.create_index("ix_jobs_state", "jobs", ["state", "id"])
    partial_index("uq_jobs_outstanding", "jobs", ["subject_kind", "subject_key"], "finished_at is null", unique=True)


def create_addresses() -> None:
    op.create_table(
        "addresses",
        sa.Column("id", ID, nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("domain", sa.String(253), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("provenance", sa.String(16), nullable=False),
        sa.Column("person_id", ID, sa.ForeignKey("people.id", name="fk_addresses_person_id_people")),
        sa.Column("job_id", ID, sa.ForeignKey("jobs.id", name="fk_addresses_job_id_jobs")),
        sa.Column("held_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_to", sa.DateTime(timezone=True)),
        sa.Column("exists_since", sa.DateTime(timezone=True)),
        sa.Column("blocked_at", sa.DateTime(timezone=True)),
        sa.Column("former_doors", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_addresses"),
    )
    op.create_index("ix_addresses_address", "addresses", ["address"])
    op.create_index("ix_addresses_domain", "addresses", ["domain", "role"])
    op.create_index("ix_addresses_person_id", "addresses", ["person_id"])
    partial_index(
        "ix_addresses_population",
        "addresses",
        ["id"],
        "role = 'primary' and held_to is null and exists_since is not null",
    )
    partial_index("uq_addresses_held", "addresses", ["address"], "held_to is null", unique=True)


def create_steps() -> None:
    op.create_table(
        "steps",
        sa.Column("id", ID, nullable=False),
        sa.Column("job_id", ID, sa.ForeignKey("jobs.id", name="fk_steps_job_id_jobs"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("target", sa.String(254), nullable=False),
        sa.Column("mailbox", sa.String(254)),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("after", sa.JSON, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("brake", sa.String(16)),
        sa.Column("source", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_free_at", sa.DateTime(timezone=True)),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_steps"),
    )
    partial_index("ix_steps_brake", "steps", ["brake", "source", "intended_at"], "brake is not null")
    op.create_index("ix_steps_job_id", "steps", ["job_id", "position"])


def create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", ID, nullable=False),
        sa.Column("job_id", ID, sa.ForeignKey("jobs.id", name="fk_attempts_job_id_jobs"), nullable=False),
        sa.Column("step_id", ID, sa.ForeignKey("steps.id", name="fk_attempts_step_id_steps")),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("method", sa.String(8), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_s", sa.Double, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("failure", sa.String(16)),
        sa.Column("excerpt", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_job_id", "attempts", ["job_id", "id"])


def create_pauses() -> None:
    op.create_table(
        "pauses",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pauses", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_pauses"),
    )


def create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", ID, nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    op.create_index("ix_calls_counts_until", "calls", ["counts_until"])


def create_domains() -> None:
    op.create_table(
        "domains",
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("indexed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_domains"),
    )


def create_policies() -> None:
    op.create_table(
        "policies",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True)),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_policies"),
    )
    partial_index("uq_policies_active", "policies", ["active"], "active", unique=True)


def create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", ID, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("source", sa.String(64)),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
    )


def create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("act", sa.String(64), nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )


def create_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
