"""Acts on something: what operators decided about one person or job is found without reading all they ever did."""

from collections.abc import Sequence

from alembic import op

revision: str = "016_acts_on"
down_revision: str | None = "015_settled_hints"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_index("ix_audit_target", "audit", ["target", "id"])


def downgrade() -> None:
    op.drop_index("ix_audit_target", "audit")
