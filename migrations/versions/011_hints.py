"""Hints: of whom a source said that they changed, until their record was asked for."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "011_hints"
down_revision: str | None = "010_source_health"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up by itself only for INTEGER PRIMARY KEY
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "hints",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("words", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("slot", sa.Integer),
        sa.Column("lease_until", INSTANT),
        sa.Column("run_at", INSTANT, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", INSTANT),
        sa.Column("reason", sa.Text),
        sa.Column("heard_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_hints"),
    )
    _partial_index("uq_hints_outstanding", ["source", "subject"], "state <> 'settled'", unique=True)
    _partial_index("uq_hints_slot", ["source", "slot"], "state = 'fetching'", unique=True)
    _partial_index("ix_hints_due", ["source", "run_at", "id"], "state = 'waiting'")
    _partial_index("ix_hints_parked", ["source", "id"], "state = 'parked'")
    op.create_index("ix_hints_subject", "hints", ["source", "subject"])
    op.create_table(
        "hint_keys",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("hint_id", ID),
        sa.Column("heard_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("source", "digest", name="pk_hint_keys"),
        sa.ForeignKeyConstraint(["hint_id"], ["hints.id"], name="fk_hint_keys_hint_id_hints"),
    )
    op.create_index("ix_hint_keys_hint_id", "hint_keys", ["hint_id"])
    op.create_index("ix_hint_keys_heard_at", "hint_keys", ["heard_at"])
    op.create_table(
        "hint_pauses",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("pauses", sa.Integer, nullable=False),
        sa.Column("is_refusal", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_hint_pauses"),
    )


def downgrade() -> None:
    """Go back to a version that takes no hints: those that wait are lost, and their senders were answered."""
    op.drop_table("hint_pauses")
    op.drop_table("hint_keys")
    op.drop_table("hints")


def _partial_index(name: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, "hints", columns, unique=unique, sqlite_where=where, postgresql_where=where)
