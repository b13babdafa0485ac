"""Events left aside: operators list those that were rejected or dismissed among all that were applied."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "014_events_left_aside"
down_revision: str | None = "013_quarantines"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    for state in ("rejected", "dismissed"):
        of_it = sa.text(f"state = '{state}'")
        op.create_index(f"ix_events_{state}", "events", ["id"], sqlite_where=of_it, postgresql_where=of_it)


def downgrade() -> None:
    """Go back to a version that knows no dismissed events: those that are, are parked again, as they were before."""
    for state in ("rejected", "dismissed"):
        op.drop_index(f"ix_events_{state}", "events")
    op.execute("update events set state = 'parked' where state = 'dismissed'")
