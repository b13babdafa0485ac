"""The call budget: a row for each slot and one for the gate, in the place of a row for each call."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "002_call_budget"
down_revision: str | None = "001_roster_and_jobs"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up by itself only for INTEGER PRIMARY KEY
NOW = {"sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')", "postgresql": "clock_timestamp()"}
A_WINDOW_LATER = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', busy_until, '+120 seconds')",
    "postgresql": "busy_until + interval '120 seconds'",
}
ONE_BUSY_SLOT = """
insert into call_slots (kept, busy_until, takings)
select false, {now}, 1 from calls where counts_until > {now} limit 1
"""
GATE_OF_PAUSE = """
insert into call_gate (id, kind, reason, since, closed_at, until, closings)
select 1, kind, reason, since, since, until, pauses from pauses
where kind in ('throttled', 'account') order by until desc limit 1
"""
CALLS_OF_SLOTS = """
insert into calls (taken_at, counts_until)
select busy_until, {a_window_later} from call_slots where takings > 0
"""
PAUSE_OF_GATE = """
insert into pauses (kind, since, until, pauses, reason)
select kind, since, until, closings, reason from call_gate where kind in ('throttled', 'account')
"""


def upgrade() -> None:
    create_call_slots()
    create_call_gate()
    carry_over()
    op.drop_table("calls")


def downgrade() -> None:
    """Go back to counting calls: each slot becomes one, for the window that is the default, and the gate a pause."""
    create_calls()
    op.execute(CALLS_OF_SLOTS.format(a_window_later=A_WINDOW_LATER[dialect()]))
    op.execute(PAUSE_OF_GATE)
    op.drop_table("call_gate")
    op.drop_table("call_slots")


def dialect() -> str:
    return op.get_context().dialect.name


def create_call_slots() -> None:
    op.create_table(
        "call_slots",
        sa.Column("id", ID, nullable=False),
        sa.Column("kept", sa.Boolean, nullable=False),
        sa.Column("busy_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("takings", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_call_slots"),
    )
    op.create_index("ix_call_slots_busy_until", "call_slots", ["kept", "busy_until"])


def create_call_gate() -> None:
    op.create_table(
        "call_gate",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closings", sa.Integer, nullable=False),
        sa.Column("probe_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_call_gate"),
    )


def carry_over() -> None:
    """Let no call through for a window where some were made a moment ago, and keep the host closed where it was.

    A call's row does not say which window it counts for, so it cannot become a slot that is free at the right time. One
    busy slot is made instead: a worker that starts finds that it is not the first, and adds the others as busy ones.
    """
    op.execute(ONE_BUSY_SLOT.format(now=NOW[dialect()]))
    op.execute(GATE_OF_PAUSE)
    op.execute("delete from pauses where kind in ('throttled', 'account')")


def create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", ID, nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    op.create_index("ix_calls_counts_until", "calls", ["counts_until"])
