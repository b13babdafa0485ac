"""A hold may be over a policy that was not put into force: which, instead of which, and what it would bring about."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "008_policy_holds"
down_revision: str | None = "007_drift"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("holds", sa.Column("policy_hash", sa.String(64)))
    op.add_column("holds", sa.Column("in_force_hash", sa.String(64)))
    op.add_column("holds", sa.Column("policy_counts", sa.JSON))


def downgrade() -> None:
    """Forget which policies are kept out: a worker of the former version activates the file it finds."""
    op.execute("delete from holds where brake = 'policy'")
    op.drop_column("holds", "policy_counts")
    op.drop_column("holds", "in_force_hash")
    op.drop_column("holds", "policy_hash")
