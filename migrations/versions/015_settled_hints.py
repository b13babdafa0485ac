"""Settled hints: those that were settled longest ago are found, so as to be forgotten."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "015_settled_hints"
down_revision: str | None = "014_events_left_aside"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    settled = sa.text("state = 'settled'")
    op.create_index("ix_hints_settled", "hints", ["settled_at"], sqlite_where=settled, postgresql_where=settled)


def downgrade() -> None:
    op.drop_index("ix_hints_settled", "hints")
