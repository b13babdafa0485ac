"""Source health: deliveries kept sealed, counts of what leaves no row, and an index of what a source told when."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "010_source_health"
down_revision: str | None = "009_erasure"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up by itself only for INTEGER PRIMARY KEY
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("events", sa.Column("reads_anew", ID))
    op.create_index(
        "ix_events_reads_anew",
        "events",
        ["reads_anew"],
        sqlite_where=sa.text("reads_anew is not null"),
        postgresql_where=sa.text("reads_anew is not null"),
    )
    op.create_index("ix_events_heard", "events", ["source", "received_at", "state"])
    create_deliveries()
    create_tallies()


def downgrade() -> None:
    """Forget the deliveries; of an event that was read anew, both readings hold again."""
    op.drop_table("source_tallies")
    op.drop_table("delivery_subjects")
    op.drop_table("deliveries")
    op.drop_index("ix_events_heard", "events")
    op.drop_index("ix_events_reads_anew", "events")
    op.drop_column("events", "reads_anew")


def create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("events", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_received_at", "deliveries", ["received_at"])
    op.create_index("ix_deliveries_source", "deliveries", ["source", "received_at", "id"])
    op.create_table(
        "delivery_subjects",
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "subject", name="pk_delivery_subjects"),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name="fk_delivery_subjects_delivery_id_deliveries",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_delivery_subjects_subject", "delivery_subjects", ["source", "subject"])


def create_tallies() -> None:
    op.create_table(
        "source_tallies",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("minute", INSTANT, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("first_at", INSTANT, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.Column("said", sa.Text),
        sa.PrimaryKeyConstraint("source", "kind", "minute", name="pk_source_tallies"),
    )
    op.create_index("ix_source_tallies_minute", "source_tallies", ["minute"])
