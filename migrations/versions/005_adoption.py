"""Adoption: an adopted address remembers which one its holder's name would have had."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "005_adoption"
down_revision: str | None = "004_lines"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("addresses", sa.Column("instead_of", sa.String(254), nullable=True))


def downgrade() -> None:
    op.drop_column("addresses", "instead_of")
