"""Access tokens on both engines: made once, found by their text, revoked; and what a role may do."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from worker.store.database import Database
from worker.store.tables import TokenRow
from worker.store.tokens import Role, Token, allows, create_token, find_token, list_tokens, revoke_token

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_token_is_found_by_its_text(database: Database) -> None:
    """The text that was shown once finds the token with its role, its source and its age."""
    with database.write() as session:
        text = create_token(session, Role.SOURCE, "hr", NOON)
    with database.read() as session:
        found = find_token(session, text)

    assert text.startswith("mrt_")
    assert len(text) == 47
    assert found == Token(id=1, role=Role.SOURCE, source="hr", created_at=NOON, revoked_at=None)


def test_a_token_is_stored_as_a_digest_only(database: Database) -> None:
    """No column of the table holds the text or its secret part."""
    with database.write() as session:
        text = create_token(session, Role.VIEWER, None, NOON)
        row = session.execute(select(*TokenRow.__table__.columns)).one()

    assert text.removeprefix("mrt_") not in repr(row)


@pytest.mark.parametrize("change", [str.upper, lambda text: text[:-1], lambda text: text + " ", lambda _: ""])
def test_another_text_finds_nothing(database: Database, change) -> None:
    """A text that differs in any way from the one that was shown finds no token."""
    with database.write() as session:
        text = create_token(session, Role.VIEWER, None, NOON)

        assert find_token(session, change(text)) is None


def test_a_revoked_token_is_not_found_but_listed(database: Database) -> None:
    """Revoking takes effect at once, leaves the token in the list with its time, and others alone."""
    with database.write() as session:
        revoked, kept = (create_token(session, Role.OPERATOR, None, NOON) for _ in range(2))
        did = revoke_token(session, 1, NOON + timedelta(hours=1))
    with database.read() as session:
        listed = list_tokens(session)

        assert did
        assert find_token(session, revoked) is None
        assert find_token(session, kept) == listed[1]
        assert [token.revoked_at for token in listed] == [NOON + timedelta(hours=1), None]


def test_revoking_again_or_nothing_is_told(database: Database) -> None:
    """Revoking what is revoked or unknown says so, and the first time stays."""
    with database.write() as session:
        create_token(session, Role.OPERATOR, None, NOON)
        revoke_token(session, 1, NOON)

        assert not revoke_token(session, 1, NOON + timedelta(days=1))
        assert not revoke_token(session, 99, NOON)
        assert list_tokens(session)[0].revoked_at == NOON


@pytest.mark.parametrize("role", [Role.SOURCE, Role.SCIM])
def test_a_sender_needs_a_source(database: Database, role: Role) -> None:
    """A token for a sender that names no source is refused and not stored."""
    with database.write() as session:
        with pytest.raises(ValueError, match=f"role {role} needs the name of its source"):
            create_token(session, role, None, NOON)

        assert list_tokens(session) == []


def test_roles_allow_what_the_table_says() -> None:
    """People's roles include the lesser ones; senders may do only their own; nobody else may do a sender's."""
    allowed = {(role, needed) for role in Role for needed in Role if allows(role, needed)}

    assert allowed == {
        (Role.VIEWER, Role.VIEWER),
        (Role.OPERATOR, Role.VIEWER),
        (Role.OPERATOR, Role.OPERATOR),
        (Role.APPROVER, Role.VIEWER),
        (Role.APPROVER, Role.OPERATOR),
        (Role.APPROVER, Role.APPROVER),
        (Role.SOURCE, Role.SOURCE),
        (Role.SCIM, Role.SCIM),
    }
