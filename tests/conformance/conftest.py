"""The host under test, clients of it that clean up, and what is left out where the host is not a sandbox of ours."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.made import Made
from tests.conformance.target import Target, Unusable, foreign_target
from worker.sandbox import RunningSandbox

HERE = Path(__file__).parent
SANDBOX_ONLY = "needs the control of a sandbox of its own, or leaves behind what cannot be deleted"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", f"sandbox_only: {SANDBOX_ONLY}; left out with --migadu-url")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test that asks for the sandbox itself, and leave it out where another host is named."""
    for item in items:
        if HERE in item.path.parents and "sandbox" in getattr(item, "fixturenames", ()):
            item.add_marker("sandbox_only")
            if config.getoption("--migadu-url"):
                item.add_marker(pytest.mark.skip(reason=SANDBOX_ONLY))


@pytest.fixture(scope="session")
def foreign(pytestconfig: pytest.Config) -> Target | None:
    """The host named by --migadu-url, its domain seen to be empty; None without that option."""
    url = pytestconfig.getoption("--migadu-url")
    if not url:
        return None
    try:
        return foreign_target(url, pytestconfig.getoption("--migadu-domain"), os.environ)
    except Unusable as why:
        pytest.exit(str(why), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    """A sandbox for the tests of this file."""
    with RunningSandbox() as running:
        yield running


@pytest.fixture(scope="module")
def target(foreign: Target | None, request: pytest.FixtureRequest) -> Target:
    """The host under test: the one that was named, else this file's sandbox."""
    if foreign:
        return foreign
    sandbox: RunningSandbox = request.getfixturevalue("sandbox")
    return Target(sandbox.api_url, "example.org", "admin@example.org", "sandbox-key")


@pytest.fixture
def made(target: Target) -> Iterator[Made]:
    """What this test has made; it is deleted after the test."""
    made = Made()
    yield made
    with target.client() as client:
        made.delete_all(client)


@pytest.fixture
def account(target: Target, made: Made) -> Iterator[httpx.Client]:
    """A client of the whole API: its paths begin with `domains`."""
    with target.client(note=made.note) as client:
        yield client


@pytest.fixture
def api(target: Target, made: Made) -> Iterator[httpx.Client]:
    """A client of the disposable domain: its paths begin with `mailboxes`, `aliases` or `rewrites`."""
    with target.client(f"/domains/{target.domain}", note=made.note) as client:
        yield client


@pytest.fixture
def control(sandbox: RunningSandbox) -> Iterator[httpx.Client]:
    """A client of the sandbox's control; whatever is done through it is undone after the test."""
    with httpx.Client(base_url=f"{sandbox.url}/_sandbox") as client:
        yield client
        client.post("reset").raise_for_status()


@pytest.fixture
def domain(target: Target) -> str:
    """The name of the disposable domain."""
    return target.domain
