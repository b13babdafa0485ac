"""The suite pointed at a host by `--migadu-url`, run as a process: it works there, refuses to harm, and cleans up."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.bodies import Body, alias, mailbox, rewrite
from tests.conformance.pace import CALLS, WINDOW_S, Pace
from tests.conformance.target import KEY, USER, Unusable, foreign_target, pace_for
from worker.sandbox import RunningSandbox

ROOT = Path(__file__).parents[2]
CREDENTIALS = ("me@example.org", "mine")
ENVIRONMENT = {USER: "me@example.org", KEY: "mine"}
ALIASES = "tests/conformance/test_aliases.py"
FAILING = """
from tests.conformance.bodies import alias, forwarding, identity, mailbox, rewrite

def test_fails(api):
    ada = api.post("mailboxes", json=mailbox()).json()["local_part"]
    for path, body in [
        (f"mailboxes/{ada}/identities", identity()),
        (f"mailboxes/{ada}/forwardings", forwarding()),
        ("aliases", alias()),
        ("rewrites", rewrite()),
    ]:
        assert api.post(path, json=body).status_code == 200
    assert api.put(f"rewrites/{body['name']}", json={"name": "renamed"}).status_code == 200
    assert False, "on purpose"
"""


@pytest.fixture
def host(sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    """A host that is not the suite's own and has other credentials; never the one that the suite is pointed at."""
    with RunningSandbox(user=CREDENTIALS[0], key=CREDENTIALS[1]) as running:
        yield running


def run(host: RunningSandbox, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest against the host as if it were anybody's."""
    options = [f"--migadu-url={host.api_url}", "--migadu-domain=example.org", "-p", "no:cacheprovider", "-q", "-rs"]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MAILROSTER_TEST_MIGADU")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, *options],
        cwd=ROOT,
        env={**inherited, USER: CREDENTIALS[0], **(environment or {KEY: CREDENTIALS[1]})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def state(host: RunningSandbox) -> Body:
    """What the host holds."""
    return httpx.get(f"{host.url}/_sandbox/state").json()


def methods(host: RunningSandbox) -> list[str]:
    """The methods of the calls that the host has had."""
    return [call["method"] for call in httpx.get(f"{host.url}/_sandbox/calls").json()["calls"]]


def create(host: RunningSandbox, kind: str, body: Body) -> None:
    """Have the host's domain hold something."""
    url = f"{host.api_url}/domains/example.org/{kind}"
    httpx.post(url, json=body, auth=CREDENTIALS).raise_for_status()


def test_suite_runs_against_the_host_it_is_given(host: RunningSandbox, tmp_path: Path) -> None:
    """Tests run there with a key from a file, those for a sandbox of ours are left out, and nothing is left behind."""
    before = state(host)
    (tmp_path / "key").write_text(f"{CREDENTIALS[1]}\n")
    done = run(host, ALIASES, **{f"{KEY}_FILE": str(tmp_path / "key")})

    assert done.returncode == pytest.ExitCode.OK, done.stdout
    assert "needs the control of a sandbox of its own" in done.stdout
    assert methods(host).count("POST") > 10
    assert state(host) == before


def test_domain_that_is_not_empty_is_refused(host: RunningSandbox) -> None:
    """One sentence, no test, and nothing is written."""
    create(host, "mailboxes", mailbox())
    before = state(host)
    done = run(host, ALIASES)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"example.org at {host.api_url} is not empty (mailboxes: 1, aliases: 0, rewrites: 0)" in done.stdout
    assert " passed" not in done.stdout
    assert " failed" not in done.stdout
    assert methods(host) == ["POST", "GET", "GET", "GET"]
    assert state(host) == before


@pytest.mark.parametrize(("kind", "make"), [("mailboxes", mailbox), ("aliases", alias), ("rewrites", rewrite)])
def test_any_kind_of_object_is_enough_to_refuse(host: RunningSandbox, kind: str, make: Callable[[], Body]) -> None:
    """Mailboxes, aliases and rewrites count."""
    create(host, kind, make())

    with pytest.raises(Unusable, match=rf"is not empty \(.*{kind}: 1"):
        foreign_target(host.api_url, "example.org", ENVIRONMENT)


@pytest.mark.parametrize(
    ("domain", "environment", "sentence"),
    [
        (None, ENVIRONMENT, "--migadu-url needs --migadu-domain"),
        ("example.org", {KEY: "mine"}, f"--migadu-url needs {USER}"),
        ("example.org", {USER: "me@example.org"}, f"--migadu-url needs {KEY}"),
        ("example.org", {**ENVIRONMENT, f"{KEY}_FILE": "no/such/file"}, f"{KEY}_FILE names cannot be read"),
        ("example.org", {**ENVIRONMENT, KEY: "wrong"}, "cannot be looked at: Client error '401"),
        ("unknown.example", ENVIRONMENT, "cannot be looked at: Client error '404"),
    ],
)
def test_host_that_cannot_be_used_is_explained(
    host: RunningSandbox, domain: str | None, environment: dict[str, str], sentence: str
) -> None:
    """Whatever is missing or wrong is said in one sentence."""
    with pytest.raises(Unusable, match=sentence):
        foreign_target(host.api_url, domain, environment)


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "no-url", "http://[broken"])
def test_host_that_does_not_answer_is_explained(url: str) -> None:
    """So is an address where nobody is, or that is none."""
    with pytest.raises(Unusable, match="cannot be"):
        foreign_target(url, "example.org", ENVIRONMENT)


def test_what_a_failing_test_made_is_deleted(host: RunningSandbox, tmp_path: Path) -> None:
    """Objects of every kind go, a renamed one too, although the test failed."""
    (tmp_path / "test_fails.py").write_text(FAILING)
    plugins = ["-p", "tests.conftest", "-p", "tests.conformance.conftest"]
    before = state(host)
    done = run(host, f"--rootdir={tmp_path}", *plugins, str(tmp_path / "test_fails.py"))

    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "on purpose" in done.stdout
    assert state(host) == before


def test_pace_stays_below_the_limit() -> None:
    """However often it is asked, no 60 calls pass in 120 s (migadu-behaviour.md 2.8), and none waits for nothing."""
    now = [0.0]
    pace = Pace(clock=lambda: now[0], sleep=lambda seconds: now.append(now.pop() + seconds))
    passed = [(pace(), now[0])[1] for _ in range(4 * CALLS)]

    assert all(later - earlier > 120 for earlier, later in zip(passed, passed[59:], strict=False))
    assert passed[-1] == 3 * WINDOW_S


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("url", "paced"), [("https://api.example/v1", True), ("http://127.0.0.1:8026/v1", False)])
def test_only_another_machine_is_paced(url: str, paced: bool) -> None:  # noqa: FBT001  a parameter of the table
    """A host on this machine is no service that others share."""
    assert isinstance(pace_for(url), Pace) is paced
