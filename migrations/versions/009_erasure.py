"""Erasing people: when somebody was erased, and the keyed hashes by which what comes late is recognised."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "009_erasure"
down_revision: str | None = "008_policy_holds"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up by itself only for INTEGER PRIMARY KEY


def upgrade() -> None:
    op.add_column("people", sa.Column("erased_at", sa.DateTime(timezone=True)))
    op.create_table(
        "erased",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("hash", name="pk_erased"),
    )
    op.create_table(
        "erasure_key",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasure_key"),
    )


def downgrade() -> None:
    """Go back to a version that erases nobody: it does not recognise whom this one has erased."""
    op.drop_table("erasure_key")
    op.drop_table("erased")
    op.drop_column("people", "erased_at")
