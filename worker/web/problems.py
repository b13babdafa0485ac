"""Errors as ``application/problem+json`` (RFC 9457): each tells in one sentence what is wrong and where."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as FrameworkError
from starlette.requests import ClientDisconnect

from worker.execution.verbs import NoSuchEvent, NoSuchHold, NoSuchJob, NotAllowedNow
from worker.store.database import DatabaseFailure

_log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 10
"""What a sender is asked to wait where the database cannot commit."""

_FRAMEWORK_SENTENCES: Mapping[int, str] = {
    404: "there is nothing at this path",
    405: "this path does not accept this method",
}


class Problem(HTTPException):
    """The request cannot be answered as asked; ``detail`` says why. ``more`` is added to the body."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.more = dict(more or {})


def install(app: FastAPI) -> None:
    """Have every error of this application answered as a problem, the framework's own included."""
    app.add_exception_handler(FrameworkError, _framework_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(DatabaseFailure, _database_failure)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _defect)


@contextmanager
def verb_problems() -> Iterator[None]:
    """Turn an operator's act that was refused into Problem 404 or 409."""
    try:
        yield
    except (NoSuchJob, NoSuchHold, NoSuchEvent) as error:
        raise Problem(404, str(error)) from error
    except NotAllowedNow as error:
        raise Problem(409, str(error)) from error


async def _framework_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, FrameworkError)
    if isinstance(error, Problem):
        return _answer(error.status_code, str(error.detail), error.headers, error.more)
    detail = _FRAMEWORK_SENTENCES.get(error.status_code, str(error.detail))
    return _answer(error.status_code, detail, error.headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
    return _answer(422, "; ".join(problems), more={"problems": problems})


async def _database_failure(_: Request, error: Exception) -> Response:
    # The class alone: a driver's message may quote a row.
    cause = error.__cause__
    _log.error("the database failed", error=type(error).__name__, cause=type(cause).__name__ if cause else None)
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return _answer(503, "the database cannot be used now; nothing was changed, send the request again", headers)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it: the sender hung up before the end of the body


async def _defect(_: Request, __: Exception) -> Response:
    return _answer(500, "a defect of ours; the log has the details")


def _answer(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> Response:
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(content | dict(more or {}), status, headers, MEDIA_TYPE)
