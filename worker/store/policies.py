"""Policies as rows: every text that was ever stored is kept under the hash of what it says, and one is active."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.store.exclusion import one_at_a_time
from worker.store.tables import PolicyRow


class UnknownPolicy(LookupError):
    """No policy with this hash was stored."""


def store_policy(session: Session, body: str, policy_hash: str, now: datetime) -> None:
    """Keep a policy's text under its hash, not active yet. Idempotent: the text that was stored first stays."""
    row = {"hash": policy_hash, "body": body, "stored_at": now, "active": False}
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    session.execute(dialect.insert(PolicyRow).values(row).on_conflict_do_nothing())


def activate(session: Session, policy_hash: str, now: datetime) -> bool:
    """Make a stored policy the active one. False if it was already. Raises UnknownPolicy."""
    lock_activation(session)
    active = session.scalar(select(PolicyRow.active).where(PolicyRow.hash == policy_hash))
    if active is None:
        raise UnknownPolicy(f"no policy {policy_hash} is stored")
    if active:
        return False
    # Off before on, in two statements, because at no instant two may be active.
    session.execute(update(PolicyRow).where(PolicyRow.active).values(active=False))
    session.execute(update(PolicyRow).where(PolicyRow.hash == policy_hash).values(active=True, activated_at=now))
    return True


def policy_text(session: Session, policy_hash: str) -> str:
    """Return the text of a stored policy. Raises UnknownPolicy."""
    body = session.scalar(select(PolicyRow.body).where(PolicyRow.hash == policy_hash))
    if body is None:
        raise UnknownPolicy(f"no policy {policy_hash} is stored")
    return body


_ACTIVE = select(PolicyRow.hash, PolicyRow.body).where(PolicyRow.active)


def active_policy(session: Session) -> tuple[str, str] | None:
    """Return the active policy's hash and text, None before the first one was activated."""
    row = session.execute(_ACTIVE).one_or_none()
    return None if row is None else (row.hash, row.body)


def lock_activation(session: Session) -> None:
    """Let one transaction at a time activate a policy, or decide by the active one what activating another changes."""
    # Processes that start with different files take turns, and the last one wins. Row locks would not do: a policy
    # that another transaction has just stored and activated cannot be seen yet, and the index would refuse ours.
    one_at_a_time(session, ["policy"])
