"""Databases for integration tests: each test that asks runs on both engines.

`database_url` is empty; `database` is migrated, as a copy of one that was migrated once; `office` is a whole deployment
on it, without processes.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.integration.office import Office
from tests.servers import fresh_database
from worker.sandbox import RunningSandbox
from worker.store import schema
from worker.store.database import Database

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that this run of the test is on: `sqlite` or `postgresql`."""
    return request.param


@pytest.fixture
def database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if engine == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return request.getfixturevalue("postgres_database_url")


@pytest.fixture
def migrated_url(engine: str, request: pytest.FixtureRequest) -> str:
    """The URL of a database of this test's own, at the head of the migrations."""
    return request.getfixturevalue(f"_migrated_{engine}_url")


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    """A database at the head of the migrations."""
    with closing(Database(migrated_url)) as opened:
        yield opened


@pytest.fixture
def _migrated_sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'mailroster.db')}"


@pytest.fixture(scope="session")
def postgresql_template(postgres_url: str) -> Iterator[str]:
    """The name of a PostgreSQL database at the head of the migrations, to be copied."""
    with fresh_database(postgres_url) as url:
        schema.upgrade(url)
        yield str(make_url(url).database)


@pytest.fixture
def _migrated_postgresql_url(postgres_url: str, postgresql_template: str) -> Iterator[str]:
    with fresh_database(postgres_url, template=postgresql_template) as url:
        yield url


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """A deployment with a policy and nobody in it."""
    with closing(Office(database, sandbox)) as opened:
        yield opened
