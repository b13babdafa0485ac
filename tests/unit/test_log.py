"""Logs: JSON lines or plain ones, everybody's the same way, and never a secret."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from worker.log import REDACTED, configure_logging

SECRETS = ["password", "key", "secret", "token", "Authorization", "personal_email", "personalEmail", "body", "facts"]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    """The JSON lines written so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_logs_are_json_lines_where_nobody_looks() -> None:
    """Each line is one JSON object with time, level and what was bound to it."""
    stream = io.StringIO()
    configure_logging(stream)
    structlog.get_logger("worker.test").info("job done", job="j-1")
    (line,) = lines(stream)

    assert (line["event"], line["job"], line["level"], line["logger"]) == ("job done", "j-1", "info", "worker.test")
    assert str(line["timestamp"]).endswith("Z")


def test_logs_are_plain_lines_on_a_terminal() -> None:
    """A person reads words and no escape sequences."""
    stream = Terminal()
    configure_logging(stream)
    structlog.get_logger().warning("broker is down", retry_s=5)

    assert "broker is down" in stream.getvalue()
    assert "retry_s=5" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_what_stands_under_the_name_of_a_secret_is_not_logged(name: str, stream: type[io.StringIO]) -> None:
    """Neither at the top of an event nor within it, whoever logs it."""
    written = stream()
    configure_logging(written)
    structlog.get_logger().info("event", **{name: "hunter2"}, inner=[{name: "hunter2", "kept": "shown"}])
    logging.getLogger("celery").info("event", extra={name: "hunter2"})

    assert "hunter2" not in written.getvalue()
    assert written.getvalue().count(REDACTED) >= 2
    assert "shown" in written.getvalue()


def test_the_libraries_log_the_same_way() -> None:
    """Celery, uvicorn and SQLAlchemy lines come out as ours; request lines with addresses in them do not."""
    stream = io.StringIO()
    configure_logging(stream)
    for name in ("celery.worker", "uvicorn.error", "sqlalchemy.engine"):
        logging.getLogger(name).warning("from %s", name)
    for name in ("httpx", "httpcore.connection", "uvicorn.access"):
        logging.getLogger(name).info("GET /mailboxes/ada")

    assert [line["event"] for line in lines(stream)] == [
        "from celery.worker",
        "from uvicorn.error",
        "from sqlalchemy.engine",
    ]


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_tracebacks_do_not_show_local_variables(stream: type[io.StringIO]) -> None:
    """A traceback tells where, not with which values."""
    written = stream()
    configure_logging(written)
    password = "hunter" + str(2)
    try:
        [].remove(password)
    except ValueError:
        structlog.get_logger().exception("it failed", size=len(password))

    assert "ValueError" in written.getvalue()
    assert "hunter2" not in written.getvalue()


def test_a_library_may_log_an_error_it_no_longer_handles() -> None:
    """The traceback is that of the error it names, as Celery does after a task."""
    stream = io.StringIO()
    configure_logging(stream)
    error = KeyError("gone")
    logging.getLogger("celery").error("task failed", exc_info=(KeyError, error, None))

    assert "KeyError: 'gone'" in str(lines(stream)[0]["exception"])


def test_configuring_twice_logs_once() -> None:
    """Each command configures logging without asking whether somebody did."""
    first, second = io.StringIO(), io.StringIO()
    configure_logging(first)
    configure_logging(second)
    structlog.get_logger().info("once")

    assert (first.getvalue(), len(lines(second))) == ("", 1)


def test_a_message_that_cannot_be_used_is_told_without_its_body() -> None:
    """Celery quotes the whole body of an unknown task, which may be an event; only its first words are kept."""
    stream = io.StringIO()
    configure_logging(stream)
    told = "Received unregistered task of type %s.\nThe full contents of the message body was:\n%s"

    logging.getLogger("celery.worker.consumer.consumer").error(told, "mailroster.submit", "ada@home.example")

    (line,) = lines(stream)
    assert line["event"] == "Received unregistered task of type mailroster.submit."
    assert "ada@home" not in stream.getvalue()
