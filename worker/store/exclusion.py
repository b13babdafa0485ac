"""One transaction at a time: locks by name, for what no row stands for, or none yet."""

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.orm import Session

_APART = "mailroster_apart"
_IN_ORDER = text(
    "select pg_advisory_xact_lock(number) from (select hashtext('mailroster.' || name) as number"
    " from unnest(cast(:names as text[])) as name order by number) as numbers"
)


def one_at_a_time(session: Session, names: Collection[str]) -> None:
    """Let one transaction at a time have these names, until it ends; several are taken in one order.

    SQLite's writing transactions exclude each other anyway, and what is tried apart is in nobody's way.
    """
    if names and session.get_bind().dialect.name == "postgresql" and not session.info.get(_APART):
        session.execute(_IN_ORDER, {"names": sorted(names)})


def is_apart(session: Session) -> None:
    """Note that a session has a copy of everything to itself: from now on it excludes nobody."""
    session.info[_APART] = True
