"""Drift: what we last wrote of each object, told from the call ledger, and what the latest reconcile found."""

import json
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "007_drift"
down_revision: str | None = "006_operators"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up by itself only for INTEGER PRIMARY KEY
NOT_KEPT = {"password", "password_method", "password_recovery_email"}
STEPS = """
select steps.operation, steps.target, steps.after from steps
where steps.state = 'confirmed' order by steps.settled_at, steps.id
"""


def upgrade() -> None:
    op.add_column("addresses", sa.Column("written", sa.JSON))
    op.create_index("ix_jobs_finished_at", "jobs", ["finished_at"])
    create_readings()
    create_drift()
    if not op.get_context().as_sql:  # statements that are only printed cannot read the ledger
        tell_written_from_ledger()


def downgrade() -> None:
    """Forget what was found; what was written can be told from the call ledger again."""
    op.drop_table("drift")
    op.drop_table("drift_readings")
    op.drop_index("ix_jobs_finished_at", "jobs")
    op.drop_column("addresses", "written")


def create_readings() -> None:
    op.create_table(
        "drift_readings",
        sa.Column("id", ID, nullable=False),
        sa.Column("domain", sa.String(253), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("people", sa.Integer, nullable=False),
        sa.Column("shared", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_drift_readings"),
    )
    op.create_index("ix_drift_readings_domain", "drift_readings", ["domain", "id"])


def create_drift() -> None:
    op.create_table(
        "drift",
        sa.Column("id", ID, nullable=False),
        sa.Column("reading_id", ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject_kind", sa.String(16)),
        sa.Column("subject_key", sa.String(254)),
        sa.Column("person_id", ID),
        sa.Column("noun", sa.String(16), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("mailbox", sa.String(254)),
        sa.Column("field", sa.String(64)),
        sa.Column("wanted", sa.JSON),
        sa.Column("found", sa.JSON),
        sa.Column("written", sa.JSON),
        sa.Column("action", sa.String(16)),
        sa.Column("job_id", ID),
        sa.Column("note", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_drift"),
        sa.ForeignKeyConstraint(
            ["reading_id"], ["drift_readings.id"], name="fk_drift_reading_id_drift_readings", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_drift_person_id_people"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_drift_job_id_jobs"),
    )
    op.create_index("ix_drift_reading_id", "drift", ["reading_id", "id"])
    op.create_index(
        "ix_drift_person_id",
        "drift",
        ["person_id"],
        sqlite_where=sa.text("person_id is not null"),
        postgresql_where=sa.text("person_id is not null"),
    )


def tell_written_from_ledger() -> None:
    """Without this, everything that was changed by hand before would pass for a change that we have yet to make."""
    written: dict[str, dict[str, object]] = {}
    for operation, target, after in op.get_bind().execute(sa.text(STEPS)):
        if operation.startswith(("create-", "delete-")):
            written[target] = {}
        fields = json.loads(after) if isinstance(after, str) else after
        kept = {name: value for name, value in fields.items() if name not in NOT_KEPT}
        written[target] = written.get(target, {}) | kept
    addresses = sa.table("addresses", sa.column("address"), sa.column("held_to"), sa.column("written", sa.JSON))
    for target, fields in written.items():
        held = (addresses.c.address == target) & addresses.c.held_to.is_(None)
        if fields:
            op.execute(sa.update(addresses).where(held).values(written=fields))
