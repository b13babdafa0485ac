"""Access tokens and what their roles may do. A token is shown once; the table holds its digest only."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.store.tables import TokenRow

PREFIX = "mrt_"
"""Begins every token, so that people and secret scanners recognise one."""
_SECRET_BYTES = 32


class Role(StrEnum):
    """What the bearer of a token is."""

    VIEWER = "viewer"
    """Reads."""
    OPERATOR = "operator"
    """Reads and acts, except for what a brake stopped."""
    APPROVER = "approver"
    """An operator who may also let pass what a brake stopped."""
    SOURCE = "source"
    """A sender of canonical events; reads nothing."""
    SCIM = "scim"
    """An identity provider that speaks SCIM; reads its own users and groups."""


_INCLUDES: Mapping[Role, frozenset[Role]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.OPERATOR, Role.VIEWER}),
    Role.APPROVER: frozenset({Role.APPROVER, Role.OPERATOR, Role.VIEWER}),
    Role.SOURCE: frozenset({Role.SOURCE}),  # machines get no eyes: a sender's leaked token shows nobody's job
    Role.SCIM: frozenset({Role.SCIM}),
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is listed, without its secret."""

    id: int
    role: Role
    source: str | None
    """Our name of the source it speaks for; None for people."""
    created_at: datetime
    revoked_at: datetime | None


def allows(role: Role, needed: Role) -> bool:
    """Tell whether a bearer of ``role`` may do what ``needed`` may."""
    return needed in _INCLUDES[role]


def create_token(session: Session, role: Role, source: str | None, now: datetime) -> str:
    """Store a new token and return its text, which cannot be had again.

    Raises ValueError if a sender's token names no source.
    """
    if role in (Role.SOURCE, Role.SCIM) and not source:
        raise ValueError(f"a token with the role {role} needs the name of its source")
    text = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    session.add(TokenRow(role=role, source=source, digest=_digest(text), created_at=now, revoked_at=None))
    session.flush()
    return text


def find_token(session: Session, text: str) -> Token | None:
    """Return the token of this text, None if there is none or it was revoked."""
    # No constant-time compare is needed: what the index compares is a digest, and whoever measures how far two digests
    # agree learns nothing of a text to send next. A salt or a slow hash would add nothing to 256 random bits.
    row = session.scalar(select(TokenRow).where(TokenRow.digest == _digest(text), TokenRow.revoked_at.is_(None)))
    return None if row is None else _token(row)


def list_tokens(session: Session) -> list[Token]:
    """Return all tokens, revoked ones too, oldest first."""
    return [_token(row) for row in session.scalars(select(TokenRow).order_by(TokenRow.id))]


def revoke_token(session: Session, token_id: int, now: datetime) -> bool:
    """Revoke a token from now on. False if there is no such token or it was revoked before."""
    row = session.get(TokenRow, token_id, with_for_update=True)
    if row is None or row.revoked_at is not None:
        return False
    row.revoked_at = now
    session.flush()
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _token(row: TokenRow) -> Token:
    return Token(
        id=row.id,
        role=Role(row.role),
        source=row.source,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
