"""Who asks: the deployment behind the application, and the bearer of an access token with the role a route needs."""

from collections.abc import Callable
from typing import Annotated, cast

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from worker.deployment import Deployment
from worker.store.tokens import Role, Token, allows, find_token
from worker.web.problems import Problem

_bearer = HTTPBearer(auto_error=False, description="an access token (`mailroster token create`)")


async def deployment_of(request: Request) -> Deployment:
    """Return what runs behind this application."""
    return cast("Deployment", request.app.state.deployment)


Here = Annotated[Deployment, Depends(deployment_of)]


def bearer(needed: Role) -> Callable[..., Token]:
    """Return a dependency that gives the bearer's token if its role allows what ``needed`` may.

    It raises Problem 401 without a valid token, 403 where the role does not allow it.
    """

    def token_of(
        here: Here,
        response: Response,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Token:
        response.headers["Cache-Control"] = "no-store"
        if given is None:
            raise Problem(401, "an access token is needed", headers={"WWW-Authenticate": "Bearer"})
        with here.database.read() as session:
            token = find_token(session, given.credentials)
        if token is None:
            raise Problem(401, "the access token is unknown or revoked", headers=_challenge("invalid_token"))
        if not allows(token.role, needed):
            detail = f"this needs a token with the role {needed}; yours is {token.role}"
            raise Problem(403, detail, headers=_challenge("insufficient_scope"))
        return token

    return token_of


Viewer = Annotated[Token, Depends(bearer(Role.VIEWER))]
Operator = Annotated[Token, Depends(bearer(Role.OPERATOR))]
Approver = Annotated[Token, Depends(bearer(Role.APPROVER))]
Sender = Annotated[Token, Depends(bearer(Role.SOURCE))]


def actor(token: Token) -> str:
    """Name the bearer for the audit."""
    return f"token:{token.id}"


def sees_personal_data(token: Token) -> bool:
    """Tell whether the bearer is shown personal data from outside the organisation."""
    return allows(token.role, Role.OPERATOR)


def _challenge(error: str) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer error="{error}"'}
