"""What every test may ask for: the real servers, databases of its own, and how thoroughly Hypothesis searches."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import AMQP, POSTGRES, REDIS, Server, ServerMissing, fresh_database, is_named, usable_url
from worker.sandbox import RunningSandbox
from worker.store import schema

IN_CI = bool(os.environ.get("CI"))
MARKS = {"postgres_url": "postgres", "amqp_url": "amqp", "own_rabbit": "amqp", "redis_url": "redis"}

# No deadlines and no complaint about slowness: a busy machine is not a fault of the code. CI tries the same examples at
# every run, so that what turns it red is what was changed; everybody else's runs look at new ones each time, with
# --hypothesis-profile=thorough at many.
SEARCH: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": (HealthCheck.too_slow,),
    "print_blob": True,
}
settings.register_profile("dev", max_examples=50, **SEARCH)
settings.register_profile("ci", max_examples=100, derandomize=True, **SEARCH)
settings.register_profile("thorough", max_examples=2000, **SEARCH)
settings.load_profile("ci" if IN_CI else "dev")


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The URL of a PostgreSQL server (SQLAlchemy's form, database `postgres`) on which databases may be created."""
    return _url_or_skip(POSTGRES)


@pytest.fixture
def postgres_database_url(postgres_url: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database (SQLAlchemy's form) that is dropped after the test."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """The URL of a RabbitMQ, at its default virtual host: tests give their queues and exchanges names of their own."""
    return _url_or_skip(AMQP)


@pytest.fixture(scope="session")
def redis_url() -> str:
    """The URL of a Redis database that is not emptied: tests give their keys and queues names of their own."""
    return _url_or_skip(REDIS)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database at the head of the migrations, to be copied."""
    template = tmp_path_factory.mktemp("template") / "mailroster.db"
    schema.upgrade(f"sqlite:///{template}")
    return template


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    """One sandbox for the tests of this file."""
    with RunningSandbox() as running:
        yield running


def pytest_configure() -> None:
    """Let processes that tests start hear SIGINT: whoever is started in the background of a script is deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of suites that have a conftest of their own: options are read before those are."""
    parser.addoption("--migadu-url", help="run tests/conformance against the API at this URL (with /v1), not a sandbox")
    parser.addoption("--migadu-domain", help="the empty domain there in which tests may make and delete objects")
    parser.addoption(
        "--crash-points",
        default="3",
        help="how many points or seeds tests/crashes tries each time (a third with processes), or `all`",
    )
    parser.addoption("--retold", default="4", help="how many stories are heard late end to end each time, or `all`")
    parser.addoption("--retold-seed", type=int, default=1, help="which stories are heard, and how late; -1: by chance")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the servers it asks for, so that `-m "not amqp"` leaves them out."""
    for item in items:
        for fixture, mark in MARKS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)


def _url_or_skip(server: Server) -> str:
    """Return the server's URL; without it skip, but fail in CI and where the server was named."""
    try:
        return usable_url(server)
    except ServerMissing as missing:
        why = str(missing)
    if IN_CI or is_named(server):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
