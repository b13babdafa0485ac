"""The real servers that tests talk to: where each is looked for, and whether it answers.

`python -m tests.servers` prints a word for each that does not; the scripts in deploy/ read it.
"""

import getpass
import os
import random
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit
from uuid import uuid4

import amqp
import psycopg
import redis
from psycopg import sql

TIMEOUT_S = 5


class ServerMissing(Exception):
    """No such server answers; the message says which one and how to name one."""


@dataclass(frozen=True, slots=True)
class Server:
    """One kind of server: the variable that names it, else the addresses to try, and how to ask it."""

    name: str
    variable: str
    candidates: tuple[str, ...]
    ask: Callable[[str], None]
    """Returns if the server at this URL can be used, raises whatever its client raises if not."""


def usable_url(server: Server) -> str:
    """Return the URL of a server that answers: the one its variable names, else the first candidate.

    Raises:
        ServerMissing: None answers.
    """
    found = _answering(server)
    if found is None:
        raise ServerMissing(_sentence(server))
    return found


def is_named(server: Server) -> bool:
    """Whether its variable is set: a server that was named and does not answer is a fault, never a reason to skip."""
    return bool(os.environ.get(server.variable))


@contextmanager
def fresh_database(server_url: str, *, template: str = "template0") -> Iterator[str]:
    """Create a database of its own on a PostgreSQL server, yield its URL (SQLAlchemy's form) and drop it afterwards.

    With a template (the name of a database without connections) it starts as a copy of that one. It is UTF-8 whatever
    the server's default, which is plain ASCII where a machine has no locale.
    """
    name = f"mailroster_{uuid4().hex}"
    _administer(
        server_url,
        sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8' LOCALE 'C'").format(
            sql.Identifier(name), sql.Identifier(template)
        ),
    )
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        _administer(server_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def free_port() -> int:
    """Return a port of this machine's own that nothing has, below those that the kernel gives to who connects."""
    while True:
        port = random.randrange(12_000, 32_000)
        with suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            return port


@cache
def _answering(server: Server) -> str | None:
    named = os.environ.get(server.variable)
    return next((url for url in ((named,) if named else server.candidates) if _answers(server, url)), None)


def _answers(server: Server, url: str) -> bool:
    try:
        server.ask(url)
    except Exception:  # noqa: BLE001  each client has a family of errors of its own, and any of them means no
        return False
    return True


def _sentence(server: Server) -> str:
    if is_named(server):
        return f"{server.variable} is set, but no usable {server.name} answers there."
    return f"No usable {server.name} answers on its standard local port; set {server.variable}, or run deploy/test.sh."


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _administer(server_url: str, statement: sql.Composed) -> None:
    with psycopg.connect(_libpq(server_url), autocommit=True, connect_timeout=TIMEOUT_S) as connection:
        connection.execute(statement)


def _ask_postgres(url: str) -> None:
    with psycopg.connect(_libpq(url), connect_timeout=TIMEOUT_S) as connection:
        row = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if row != (True,):
        raise PermissionError("this role may not create databases")


def _ask_amqp(url: str) -> None:
    parts = urlsplit(url)
    connection = amqp.Connection(
        host=f"{parts.hostname}:{parts.port or 5672}",
        userid=parts.username or "guest",
        password=parts.password or "guest",
        virtual_host=parts.path.removeprefix("/") or "/",
        ssl=parts.scheme == "amqps",
        connect_timeout=TIMEOUT_S,
    )
    with connection:
        connection.connect()


def _ask_redis(url: str) -> None:
    with redis.Redis.from_url(url, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S) as client:
        client.ping()


POSTGRES = Server(
    name="PostgreSQL",
    variable="MAILROSTER_TEST_POSTGRES_URL",
    candidates=tuple(
        f"postgresql+psycopg://{who}@127.0.0.1:5432/postgres"
        for who in ("mailroster_test:mailroster_test", "postgres", "postgres:postgres", getpass.getuser())
    ),
    ask=_ask_postgres,
)
AMQP = Server(
    name="RabbitMQ",
    variable="MAILROSTER_TEST_AMQP_URL",
    candidates=("amqp://guest:guest@127.0.0.1:5672//",),
    ask=_ask_amqp,
)
REDIS = Server(
    name="Redis",
    variable="MAILROSTER_TEST_REDIS_URL",
    candidates=("redis://127.0.0.1:6379/15",),  # the last of its sixteen databases, where people rarely keep anything
    ask=_ask_redis,
)
BY_WORD = {"postgres": POSTGRES, "amqp": AMQP, "redis": REDIS}


def main() -> int:
    """Print the word of each server that does not answer; fail where one was named in vain."""
    for word, server in BY_WORD.items():
        try:
            usable_url(server)
        except ServerMissing as missing:
            if is_named(server):
                sys.stderr.write(f"{missing}\n")
                return 1
            sys.stdout.write(f"{word}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
