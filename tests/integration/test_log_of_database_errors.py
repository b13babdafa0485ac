"""Errors of a real database in the log: which and where, and nothing of the row they are about."""

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog
from celery import Celery
from sqlalchemy import text

from worker.log import configure_logging
from worker.store.database import Database, DatabaseFailure

PERSONAL = "ada.lovelace@home.example"
HOLD = (
    "insert into addresses (address, domain, role, provenance, held_from)"
    " values (:address, 'home.example', 'primary', 'created', '2026-03-02 09:00:00')"
)
QUOTED = f"insert into nowhere values ('{PERSONAL}')"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture(params=[io.StringIO, Terminal])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is logged in this test, as JSON and as on a terminal."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = request.param()
    configure_logging(stream)
    yield stream
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def fail(database: Database, statement: str) -> None:
    """Run a statement twice that cannot be run twice, or not at all."""
    with database.write() as session:
        for _ in range(2):
            session.execute(text(statement), {"address": PERSONAL} if ":address" in statement else {})


def failure(database: Database, statement: str) -> Exception:
    """Return the error that the statement raises, which repeats the address on at least one engine."""
    with pytest.raises(DatabaseFailure) as caught:
        fail(database, statement)
    return caught.value


def by_structlog(error: Exception) -> None:
    """Hand the error over."""
    structlog.get_logger("worker.test").error("it failed", exc_info=error)


def while_handled(error: Exception) -> None:
    """Log what is being handled, as at the rims."""
    try:
        throw(error)
    except type(error):
        structlog.get_logger("worker.test").exception("it failed")


def as_a_cause(error: Exception) -> None:
    """Log an error that was raised upon it and repeats it."""
    raised = RuntimeError(f"it failed: {error}")
    raised.__cause__ = error
    structlog.get_logger("worker.test").error("it failed", exc_info=raised)


def in_a_group(error: Exception) -> None:
    """Log as uvicorn does of an application with tasks."""
    raised = ExceptionGroup("several", [ValueError("one"), error])
    logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=raised)


def by_a_library(error: Exception) -> None:
    """Log with the error in the sentence too."""
    logging.getLogger("celery.app.trace").error("Task raised: %r", error, exc_info=error)


def as_a_value(error: Exception) -> None:
    """Log with the error as a value too."""
    structlog.get_logger("worker.test").error("it failed", why=error, exc_info=error)


def throw(error: Exception) -> None:
    """Raise it."""
    raise error


@pytest.mark.parametrize("tell", [by_structlog, while_handled, as_a_cause, in_a_group, by_a_library, as_a_value])
@pytest.mark.parametrize("statement", [HOLD, QUOTED], ids=["duplicate", "quoted"])
def test_database_error_tells_nothing_of_its_row(
    database: Database, log: io.StringIO, statement: str, tell: Callable[[Exception], None]
) -> None:
    """Whoever logs it in whatever way: class, code and frames are told, no message and no value."""
    error = failure(database, statement)

    tell(error)

    assert PERSONAL not in log.getvalue()
    assert "home.example" not in log.getvalue()
    assert "test_log_of_database_errors.py" in log.getvalue()
    assert f"sqlalchemy.exc.{type(error).__name__}" in log.getvalue()
    code = {("sqlite", HOLD): "SQLITE_CONSTRAINT_UNIQUE", ("postgresql", HOLD): "23505"}
    assert code.get((database.engine.dialect.name, statement), "") in log.getvalue()


@pytest.mark.parametrize("statement", [HOLD, QUOTED], ids=["duplicate", "quoted"])
def test_failed_task_tells_nothing_of_its_row(database: Database, log: io.StringIO, statement: str) -> None:
    """Celery's own line about a task that raised an error of the database holds where, and nothing else."""
    app = Celery("log", set_as_current=False)
    app.conf.task_ignore_result = True
    task = app.task(fail, name="fail")

    task.apply(args=[database, statement])

    assert "an error of the database" in log.getvalue()
    assert "sqlalchemy.exc." in log.getvalue()
    assert PERSONAL not in log.getvalue()


def test_other_errors_are_told_in_full(log: io.StringIO) -> None:
    """What no database raised keeps its message."""
    while_handled(ValueError("a policy needs a domain"))

    shown = log.getvalue() if isinstance(log, Terminal) else json.loads(log.getvalue())["exception"]
    assert "ValueError: a policy needs a domain" in shown
