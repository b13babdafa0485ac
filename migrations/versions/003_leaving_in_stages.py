"""What stages of leaving must remember: former fields beyond the doors, our forwarding, and our alias at an address."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "003_leaving_in_stages"
down_revision: str | None = "002_call_budget"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # A plain rename on both engines; Alembic's own way would copy the whole table on SQLite.
    op.execute("alter table addresses rename column former_doors to former_fields")
    op.add_column("addresses", sa.Column("forwards_to", sa.String(254)))
    op.add_column("addresses", sa.Column("alias_to", sa.String(254)))


def downgrade() -> None:
    op.drop_column("addresses", "alias_to")
    op.drop_column("addresses", "forwards_to")
    op.execute("alter table addresses rename column former_fields to former_doors")
