"""How we log: plain lines on a terminal, JSON lines elsewhere, always on standard error, never a secret.

Everything that logs through the standard library (celery, uvicorn, sqlalchemy, httpx) comes out the same way.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from worker.log_errors import of_database, without_messages

REDACTED = "(redacted)"

_SECRET_KEYS = {
    "password", "passwordrecoveryemail", "key", "migadukey", "secret", "secrets", "token", "authorization",
    "personalemail", "recovery", "body", "facts",
}  # fmt: skip
_TAKEN_OVER = (
    "celery",
    "kombu",
    "amqp",
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "sqlalchemy",
    "httpx",
    "httpcore",
)
_QUIET = (
    "httpx",
    "httpcore",
    "uvicorn.access",
    "celery.app.trace",
    "celery.worker.strategy",
    "sqlalchemy",
    "alembic",
    "kombu.connection",
)
"""HTTP's lines for each request carry addresses in paths; the others' say nothing for each bell, column or revision."""


_BODILY = "celery.worker.consumer.consumer"
"""Its sentences on messages it cannot use go on with the whole body, which may be a producer's event."""


def configure_logging(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Send all logs of this process to the stream (standard error), in the form that suits it. May be repeated.

    Start uvicorn with ``log_config=None`` and Celery with ``worker_hijack_root_logger=False``, or they undo this.
    """
    stream = stream or sys.stderr
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(stream))
    _take_over(handler, level)


def _without_body(record: logging.LogRecord) -> bool:
    if record.levelno >= logging.ERROR:
        record.msg, record.args = re.split(r"[\n\[]", record.getMessage(), maxsplit=1)[0].strip(), ()
    return True


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what stands under the name of a secret or of personal data, at any depth of mappings and lists."""
    return {name: _redacted(name, value) for name, value in event.items()}


def hide_database_messages(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace errors of the database by their classes and frames: what such an error says repeats rows of people.

    Where a library tells of one, its sentence goes too, because it quotes the error, as Celery's of a task does.
    """
    error = _error_of(event.get("exc_info"))
    if error is not None and of_database(error):
        del event["exc_info"]
        event["exception"] = without_messages(error)
        if "_record" in event:
            event["event"] = "an error of the database"
    return {name: _described(value) for name, value in event.items()}


def _error_of(exc_info: object) -> BaseException | None:
    match exc_info:
        case BaseException() as error:
            return error
        case (_, BaseException() as error, _):
            return error
        case None | False | ():
            return None
        case _:
            return sys.exception()


def _described(value: object) -> object:
    if isinstance(value, BaseException) and of_database(value):
        return type(value).__name__
    return value


def _redacted(name: object, value: object) -> object:
    if isinstance(name, str) and name.lower().replace("_", "").replace("-", "") in _SECRET_KEYS:
        return REDACTED
    if isinstance(value, Mapping):
        return {key: _redacted(key, held) for key, held in value.items()}
    if isinstance(value, list):
        return [_redacted(None, held) for held in value]
    if isinstance(value, tuple):  # stays one: exc_info is known by it
        return tuple(_redacted(None, held) for held in value)
    return value


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        hide_database_messages,
        redact,
    ]


def _formatter(stream: TextIO) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(stream)],
    )


def _rendering(stream: TextIO) -> list[Processor]:
    # Tracebacks are plain: structlog's richer ones print local variables, and those hold secrets.
    if stream.isatty():
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False, default=str)]


def _take_over(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger(_BODILY).addFilter(_without_body)
    for name in {*_TAKEN_OVER, *_QUIET}:
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
        library.setLevel(logging.WARNING if name in _QUIET else logging.NOTSET)
