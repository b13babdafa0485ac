"""Quarantines: objects at the mail host that answer 500 again and again, and until when each is left alone."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "013_quarantines"
down_revision: str | None = "012_snapshots"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up by itself only for INTEGER PRIMARY KEY
SHOWN = sa.text("until is not null")


def upgrade() -> None:
    op.create_table(
        "quarantines",
        sa.Column("id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("noun", sa.String(16), nullable=False),
        sa.Column("target", sa.String(254), nullable=False),
        sa.Column("mailbox", sa.String(254), nullable=False),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_quarantines"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_quarantines_job_id_jobs"),
    )
    op.create_index("uq_quarantines_object", "quarantines", ["job_id", "noun", "target", "mailbox"], unique=True)
    op.create_index("ix_quarantines_shown", "quarantines", ["id"], sqlite_where=SHOWN, postgresql_where=SHOWN)


def downgrade() -> None:
    """Go back to a version that counts no failures of single objects: they are tried with their jobs."""
    op.drop_table("quarantines")
