"""Who stands in for whom: the manager that is stated of a person, and where a person can take over for others."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "004_lines"
down_revision: str | None = "003_leaving_in_stages"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COLUMNS = ("line_due_at", "takeover_address", "manager_subject", "manager_source")


def upgrade() -> None:
    op.add_column("people", sa.Column("manager_source", sa.String(64)))
    op.add_column("people", sa.Column("manager_subject", sa.String(256)))
    op.add_column("people", sa.Column("takeover_address", sa.String(254)))
    op.add_column("people", sa.Column("line_due_at", sa.DateTime(timezone=True)))
    partial_index("ix_people_manager", ["manager_source", "manager_subject"], "manager_subject is not null")
    partial_index("ix_people_line_due", ["line_due_at"], "line_due_at is not null")
    # Evaluating somebody fills the columns: as after another policy, that goes by and by and stops nobody.
    op.execute("update people set policy_hash = '' where policy_hash is not null")


def downgrade() -> None:
    op.drop_index("ix_people_line_due", "people")
    op.drop_index("ix_people_manager", "people")
    for column in COLUMNS:
        op.drop_column("people", column)


def partial_index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "people", columns, sqlite_where=condition, postgresql_where=condition)
