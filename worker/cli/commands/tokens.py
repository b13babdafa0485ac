"""``token``: access tokens for the API and for senders."""

from typing import Annotated

import typer

from worker.cli.failed import Failed
from worker.cli.opening import actor, opened
from worker.cli.options import Id, Json
from worker.cli.output import say, show_json, show_table
from worker.store import audit
from worker.store.tokens import Role, Token, create_token, list_tokens, revoke_token
from worker.web.objects import instant, listing


def commands() -> typer.Typer:
    """Return the group."""
    group = typer.Typer(no_args_is_help=True)
    group.command()(create)
    group.command("list")(list_all)
    group.command()(revoke)
    return group


def create(
    *,
    role: Annotated[Role, typer.Option(help="What its bearer may do.")],
    source: Annotated[str | None, typer.Option(metavar="NAME", help="For senders: the source they speak for.")] = None,
    as_json: Json = False,
) -> None:
    """Make a token and show it, this once."""
    if role in (Role.SOURCE, Role.SCIM) and not source:
        raise typer.BadParameter(f"a token with the role {role.value} needs --source NAME")
    if source and role not in (Role.SOURCE, Role.SCIM):
        raise typer.BadParameter(f"a token with the role {role.value} speaks for no source")
    with opened() as deployment, deployment.database.write() as session:
        if source and deployment.sources.get(source) is None and source != "api":
            raise Failed(f"there is no source {source} in {deployment.settings.sources}")
        now = deployment.clock.now()
        text = create_token(session, role, source, now)
        made = list_tokens(session)[-1]
        audit.record(session, actor(), "token.create", f"token {made.id}", {"role": role.value, "source": source}, now)
    if as_json:
        show_json({"token": text, "id": str(made.id), "role": role.value, "source": source})
    else:
        say(text)


def list_all(*, as_json: Json = False) -> None:
    """List tokens, without their secrets."""
    with opened() as deployment, deployment.database.read() as session:
        found = list_tokens(session)
    if as_json:
        show_json(listing("tokens", [_shown(token) for token in found], limit=len(found)))
        return
    rows = [(each.id, each.role.value, each.source, each.created_at, each.revoked_at) for each in found]
    show_table(("id", "role", "source", "made", "revoked"), rows, empty="There are no tokens.")


def revoke(token_id: Id) -> None:
    """Revoke a token from now on."""
    with opened() as deployment, deployment.database.write() as session:
        now = deployment.clock.now()
        if not revoke_token(session, token_id, now):
            raise Failed(f"there is no token {token_id} that is not revoked yet")
        audit.record(session, actor(), "token.revoke", f"token {token_id}", {}, now)
    say(f"token {token_id} is revoked")


def _shown(token: Token) -> dict[str, object]:
    return {
        "id": str(token.id),
        "role": token.role.value,
        "source": token.source,
        "createdAt": instant(token.created_at),
        "revokedAt": instant(token.revoked_at),
    }
