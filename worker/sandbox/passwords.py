"""The rules of credentials. A password is looked at and forgotten: nothing here stores or returns one."""

from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Fields

SHORTEST = 6
"""Characters a password must have (`migadu-behaviour.md` 1.3)."""


def carries_password(body: Fields) -> bool:
    """Tell whether the body sets a password; an empty one sets none (`migadu-behaviour.md` 2.17).

    Raises BadRequest if it is too short or no text.
    """
    password = body.get("password")
    if password in (None, ""):
        return False
    if not isinstance(password, str) or len(password) < SHORTEST:
        raise BadRequest(f"the password is not a text of at least {SHORTEST} characters")
    return True


def require_credential(body: Fields) -> None:
    """Raise BadRequest unless a new mailbox comes with a password, or with an invitation and where to send it.

    An invitation takes no password (`migadu-api.txt`, Mailboxes/CREATE; `migadu-behaviour.md` 1.3, password_method).
    """
    has_password = carries_password(body)
    match body.get("password_method"):
        case None | "" | "password" if not has_password:
            raise BadRequest("the password is missing")
        case None | "" | "password":
            return
        case "invitation" if has_password:
            raise BadRequest("an invitation takes no password")
        case "invitation":
            _require_recovery_address(body)
        case _:
            raise BadRequest("password_method is none of password, invitation")


def _require_recovery_address(body: Fields) -> None:
    given = body.get("password_recovery_email")
    if not isinstance(given, str) or not all(given.strip().rpartition("@")):
        raise BadRequest("password_recovery_email is missing or no address, and the invitation needs it")
