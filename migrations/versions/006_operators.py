"""What operators do and take back: undone jobs, people merged and split, addresses withdrawn, links that are pinned."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "006_operators"
down_revision: str | None = "005_adoption"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up by itself only for INTEGER PRIMARY KEY
INSTANT = sa.DateTime(timezone=True)
ADDED = {"people": "irreversible_at", "records": "pinned_at", "addresses": "withdrawn_at"}


def upgrade() -> None:
    for table, column in ADDED.items():
        op.add_column(table, sa.Column(column, INSTANT))
    create_undos()
    create_merges()


def downgrade() -> None:
    """Forget what was taken back; what an operator's statements say stays."""
    op.drop_table("merges")
    op.drop_table("undos")
    for table, column in ADDED.items():
        op.drop_column(table, column)


def create_undos() -> None:
    op.create_table(
        "undos",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_undos_job_id_jobs"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_undos_event_id_events"),
        sa.PrimaryKeyConstraint("job_id", name="pk_undos"),
    )


def create_merges() -> None:
    op.create_table(
        "merges",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("other_id", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("former", sa.JSON, nullable=False),
        sa.Column("undone_at", INSTANT),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_merges_person_id_people"),
        sa.ForeignKeyConstraint(["other_id"], ["people.id"], name="fk_merges_other_id_people"),
        sa.PrimaryKeyConstraint("id", name="pk_merges"),
    )
    op.create_index("ix_merges_person_id", "merges", ["person_id", "id"])
    op.create_index("ix_merges_other_id", "merges", ["other_id", "id"])
