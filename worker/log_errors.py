"""Errors of the database as logs may hold them: which and where, never what the driver says of the row.

PostgreSQL quotes values ("Key (address)=(...) already exists"), SQLAlchemy quotes statements.
"""

import traceback
from collections.abc import Iterator

_DRIVERS = {"sqlalchemy", "psycopg", "psycopg_pool", "sqlite3"}


def of_database(error: BaseException) -> bool:
    """Tell whether an error of the database, or of its driver, is among an error, its causes and its parts."""
    return any(_is_of_driver(each) for each in _chain(error))


def without_messages(error: BaseException) -> str:
    """Return an error and its causes, the first cause first: frames, class and SQLSTATE.

    No message of the whole chain is told, because whoever raises upon an error may repeat it.
    """
    told = []
    for each in reversed(list(_chain(error))):
        frames = "".join(traceback.format_tb(each.__traceback__))
        told.append(f"Traceback (most recent call last):\n{frames}{_named(each)}")
    return "\n\n".join(told)


def _chain(error: BaseException) -> Iterator[BaseException]:
    unseen, seen = [error], set[int]()
    while unseen:
        each = unseen.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        parts = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        # Also the context that `from None` suppresses: the error may still have been made of it.
        unseen += [part for part in (*parts, each.__context__, each.__cause__) if part is not None]


def _is_of_driver(error: BaseException) -> bool:
    return any(each.__module__.partition(".")[0] in _DRIVERS for each in type(error).__mro__)


def _named(error: BaseException) -> str:
    kind = type(error)
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    return f"{kind.__module__}.{kind.__qualname__}{f' ({code})' if code else ''}"
