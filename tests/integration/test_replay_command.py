"""`sources replay` beside a served deployment: deliveries over HTTP, a map that is mended, and both ways in."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from tests.integration.shell import Shell
from tests.integration.test_web_server import CountingBell, joined
from worker.deployment import Deployment
from worker.intake import apply_next
from worker.intake.sealing import Channel
from worker.settings import Settings
from worker.sources import HookSource
from worker.sources.signature import sign
from worker.store import deliveries
from worker.store.tokens import Role, create_token
from worker.web.app import create_app
from worker.web.server import RunningServer

KEY = SecretStr("a secret of the vendor")
RAW_KEY = Fernet.generate_key().decode()
SOURCES = """
[sources.vendor]
kind = "hmac"
secret_env = "VENDOR"
creates = true
[sources.vendor.signature]
header = "X-Signature"
signed = "{timestamp}.{body}"
timestamp_header = "X-Time"
id_header = "X-Id"
[sources.vendor.map]
subject = "person"
type = "event"
[sources.vendor.map.types]
hired = "person.joined"
[sources.vendor.map.facts]
givenName = "name"
department = "site"
"""
MENDED = SOURCES.replace('department = "site"', 'department = "team"\nlocation = "site"').replace(
    'hired = "person.joined"', 'hired = "person.joined"\nmoved = "person.updated"'
)


class Vendor:
    """A vendor that delivers to a served deployment which keeps what comes, and a shell beside it."""

    def __init__(self, deployment: Deployment, http: httpx.Client, shell: Shell) -> None:
        self.deployment, self.http, self.shell = deployment, http, shell

    def deliver(self, name: str, told: dict[str, Any]) -> httpx.Response:
        """Deliver a body under an id."""
        source = self.deployment.sources.get("vendor")
        assert isinstance(source, HookSource)
        body = json.dumps(told).encode()
        headers = sign(source.preset, body, KEY, self.deployment.clock.now(), name)
        return self.http.post("/hooks/vendor", content=body, headers={"content-type": "application/json"} | headers)

    def replay(self, *more: str, name: str = "vendor", code: int = 0) -> dict[str, int]:
        """Replay, and return the counts that are not 0."""
        ran = self.shell.run("sources", "replay", name, "--json", *more)
        assert ran.code == code, ran.out + ran.err
        return {outcome: number for outcome, number in ran.document["counts"].items() if number}

    def facts(self) -> dict[str, Any]:
        """Return what is known of the one person."""
        while apply_next(self.deployment.intake):
            pass
        (person,) = self.shell.run("people", "list", "--json").document["people"]
        shown = self.shell.run("people", "show", person["id"], "--json").document["facts"]
        return {name: fact["value"] for name, fact in shown.items()}


@pytest.fixture
def vendor(migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    """A vendor and a deployment with a key for deliveries."""
    monkeypatch.setenv("VENDOR", KEY.get_secret_value())
    (tmp_path / "sources.toml").write_text(SOURCES)
    settings = Settings(
        database_url=SecretStr(migrated_url), sources=tmp_path / "sources.toml", raw_key=SecretStr(RAW_KEY)
    )
    shell = Shell(tmp_path, {"MAILROSTER_DATABASE_URL": migrated_url, "MAILROSTER_RAW_KEY": RAW_KEY})
    with (
        closing(Deployment(settings, CountingBell())) as deployment,
        RunningServer(create_app(deployment)) as running,
        httpx.Client(base_url=running.url, timeout=30) as http,
    ):
        yield Vendor(deployment, http, shell)


def test_what_a_mended_map_reads_otherwise_takes_effect(vendor: Vendor) -> None:
    """A wrong fact goes, a missing one comes, what was passed over is heard, and a second replay changes nothing."""
    hired = {"event": "hired", "person": "7", "name": "Ada", "site": "Berlin", "team": "Support"}
    assert vendor.deliver("a", hired).status_code == 202
    assert vendor.deliver("b", {"event": "moved", "person": "7", "site": "Paris"}).json()["events"] == []
    assert vendor.facts() == {"givenName": "Ada", "department": "Berlin"}
    assert vendor.replay() == {"same": 1}

    vendor.shell.write("sources.toml", MENDED)
    assert vendor.replay("--dry-run") == {"changed": 1, "accepted": 1}
    assert vendor.facts() == {"givenName": "Ada", "department": "Berlin"}
    assert vendor.replay() == {"changed": 1, "accepted": 1}
    assert vendor.facts() == {"givenName": "Ada", "department": "Support", "location": "Paris"}
    assert vendor.replay() == {"same": 2}
    assert vendor.deliver("a", hired).json()["events"][0]["duplicate"]


def test_another_body_under_a_known_id_is_kept_shown_and_never_applied(vendor: Vendor) -> None:
    """By the hook as by a replay; `sources show` counts it as rejected and says why."""
    vendor.deliver("a", {"event": "hired", "person": "7", "name": "Ada"})
    (receipt,) = vendor.deliver("a", {"event": "hired", "person": "7", "name": "Eve"}).json()["events"]
    assert receipt["conflict"]
    assert vendor.replay() == {"same": 1, "conflict": 1}

    assert vendor.facts() == {"givenName": "Ada"}
    shown = vendor.shell.run("sources", "show", "vendor", "--json").document
    assert (shown["day"]["rejected"], shown["deliveriesKept"]) == (1, 2)
    assert "another body came before" in shown["lastFailure"]["said"]


def test_what_is_refused_is_kept_with_its_body_and_replayed(vendor: Vendor) -> None:
    """A body that lacks what the map needs is refused now and later; exit code 3 says that it needs a person."""
    assert vendor.deliver("a", {"event": "hired", "name": "Ada"}).status_code == 400
    assert vendor.replay(code=3) == {"refused": 1}

    vendor.shell.write("sources.toml", SOURCES.replace('subject = "person"', "subject = \"person || 'nobody'\""))
    assert vendor.replay() == {"accepted": 1}


def test_events_of_a_token_are_replayed_as_they_came(vendor: Vendor) -> None:
    """Also in binary mode, where a part of the event is in headers; credentials are not kept."""
    with vendor.deployment.database.write() as session:
        token = create_token(session, Role.SOURCE, "partner", vendor.deployment.clock.now())
    event = joined()
    headers = {f"ce-{name}": str(value) for name, value in event.items() if name != "data"}
    sent = {"authorization": f"Bearer {token}", "content-type": "application/json"} | headers
    answer = vendor.http.post("/api/v1/events", json=event["data"], headers=sent)
    assert answer.status_code == 202, answer.text

    assert vendor.replay(name="partner") == {"same": 1}
    with vendor.deployment.database.read() as session:
        row = deliveries.get(session, 1)
    assert row is not None
    assert vendor.deployment.sealer is not None
    assert "authorization" not in vendor.deployment.sealer.open(Channel(row.channel), row.sealed).headers


def test_a_source_that_is_not_there_or_a_time_that_is_none_is_told(vendor: Vendor) -> None:
    """In one sentence each."""
    vendor.deliver("a", {"event": "hired", "person": "7", "name": "Ada"})
    assert vendor.replay("--until", "2020-01-01") == {}
    assert vendor.replay("--since", "2020-01-01T00:00") == {"same": 1}
    assert vendor.shell.run("sources", "replay", "vendor", "--since", "yesterday").code == 2
    ran = vendor.shell.run("sources", "replay", "vendor", "--delivery", "77")
    assert (ran.code, ran.err.strip()) == (1, "mailroster: there is no delivery 77 of vendor, or not any more")
    ran = vendor.shell.run("sources", "replay", "nobody")
    assert (ran.code, "there is no source 'nobody'" in ran.err) == (1, True)
