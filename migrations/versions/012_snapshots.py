"""Snapshots: which rosters were read, and how often in a row somebody was absent from the complete ones."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "012_snapshots"
down_revision: str | None = "011_hints"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up by itself only for INTEGER PRIMARY KEY


def upgrade() -> None:
    op.create_table(
        "snapshots",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("population", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_snapshots"),
    )
    op.create_index("ix_snapshots_source", "snapshots", ["source", "taken_at"])
    op.create_table(
        "absences",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "subject", name="pk_absences"),
    )


def downgrade() -> None:
    """Go back to a version that reads no rosters: what was counted begins anew after the next upgrade."""
    op.drop_table("absences")
    op.drop_table("snapshots")
