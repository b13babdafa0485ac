"""What a whole run of the demo does not show: its sample's addresses, work that never ends, and an unhappy verdict."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from worker.cli.demo.cases import cases_of
from worker.cli.demo.delivering import Answer
from worker.cli.demo.findings import Findings
from worker.cli.demo.mail_host import MailHost
from worker.cli.demo.settling import settle
from worker.cli.demo.verdict import exit_code, problems_of, sentence
from worker.cli.demo.week import Delivery, sample_week
from worker.deployment import Deployment
from worker.events import parse_event
from worker.intake import accept
from worker.settings import Settings
from worker.store.schema import upgrade

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RESERVED = re.compile(r"[^@]+@([a-z0-9-]+\.)*(example|example\.(org|com|net))")
NOTHING = Findings(
    answers=(), settled=True, jobs=(), events={}, strays=False, people=(), mail_host=MailHost({}, {}, (), None)
)


@pytest.fixture
def idle_deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment on an empty database, with no worker."""
    url = SecretStr(f"sqlite:///{tmp_path / 'mailroster.db'}")
    upgrade(url.get_secret_value())
    with closing(Deployment(Settings(database_url=url, sources=tmp_path / "none.toml"))) as deployment:
        yield deployment


def test_sample_week_is_valid_and_never_ahead_of_its_clock() -> None:
    """Every event of the sample parses without a warning, so none claims to come from the future."""
    events = [parse_event(json.loads(delivery.body), now=NOW) for delivery in sample_week(NOW)]

    assert all(event.time <= NOW for event in events)
    assert [event.warnings for event in events if event.warnings] == []


def test_sample_week_writes_to_nobody_real() -> None:
    """Every mail address in the sample belongs to a domain that is reserved for examples (RFC 2606)."""
    told = [json.loads(delivery.body)["data"].get("personalEmail") for delivery in sample_week(NOW)]
    addresses = [address for address in told if address]

    assert len(addresses) >= 25
    assert [address for address in addresses if not RESERVED.fullmatch(address)] == []


def test_sample_week_fills_in_dates_from_its_clock() -> None:
    """Dates count from the day on which the demo is run, across the ends of months too."""
    by_name = {delivery.name: json.loads(delivery.body)["data"] for delivery in sample_week(NOW)}

    assert by_name["hr-026"]["hireDate"] == "2026-03-10"
    assert by_name["hr-031"]["hireDate"] == "2026-02-24"
    assert "{" not in json.dumps([list(data.values()) for data in by_name.values()])


def test_settling_gives_up_when_nothing_moves(idle_deployment: Deployment) -> None:
    """Without a worker an accepted event stays, and waiting for it ends by itself."""
    accept(idle_deployment.intake, "api", [json.loads(sample_week(NOW)[0].body)])

    assert settle(idle_deployment, lambda _: None, patience_s=0.2) is False


def test_settling_ends_at_once_where_nothing_is_left(idle_deployment: Deployment) -> None:
    """An empty deployment has settled."""
    assert settle(idle_deployment, lambda _: None, patience_s=0) is True


def test_cases_are_checked_and_not_only_told() -> None:
    """Where the mail host holds nothing and nothing was answered, no case that needs something passes."""
    held = {case.name for case in cases_of(NOTHING) if case.held}

    assert held == {"left-before-joined"}


def test_verdict_names_a_forged_delivery_that_was_taken() -> None:
    """A forged delivery that is answered 202 is a failure with a sentence of its own."""
    forged = Delivery("hr-034", b"{}", forged=True)

    problems = problems_of(replace(NOTHING, answers=[Answer(forged, 202, event_id=1)]), ())

    assert exit_code(problems) == 1
    assert "the forged delivery hr-034 was answered 202 instead of 401" in sentence(problems)


def test_verdict_tells_jobs_that_a_person_must_see_from_those_that_failed() -> None:
    """A parked job asks for a person (3); one that still waits is a failure (1); together they ask for a person."""
    waiting = {"id": "1", "subject": {"kind": "shared", "key": "a@example.org"}, "person": None, "reason": "r"}
    parked, waits = waiting | {"state": "parked"}, waiting | {"state": "waiting"}

    codes = [exit_code(problems_of(replace(NOTHING, jobs=jobs), ())) for jobs in ([parked], [waits], [parked, waits])]

    assert codes == [3, 1, 3]
    assert "job 1 (a@example.org) is parked: r" in sentence(problems_of(replace(NOTHING, jobs=[parked]), ()))


def test_verdict_is_a_failure_where_work_did_not_settle() -> None:
    """Work that never settled is told as such."""
    problems = problems_of(replace(NOTHING, settled=False), ())

    assert exit_code(problems) == 1
    assert "still under way" in sentence(problems)


def test_verdict_shortens_what_would_be_endless() -> None:
    """Of many problems the first three are told and the rest counted."""
    refused = [Answer(Delivery(f"line {number}", b"{}"), 400, why="bad") for number in range(10)]

    told = sentence(problems_of(replace(NOTHING, answers=refused), ()))

    assert told.count("was refused") == 3
    assert told.endswith("and 7 more")
