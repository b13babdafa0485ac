"""Hooks that only say who changed, over HTTP: what is asked for then, and each way in which a delivery may be wrong."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.hook_senders import ENVIRONMENT, FOREIGN, NEW, OLD, SENDERS, Sender
from tests.integration.test_web_server import Office, on_sqlite, problem, served
from tests.vendor import KEY, Vendor, vending
from worker.intake import apply_next
from worker.intake.hydrate import hydrate_next
from worker.store import people

THIN = """
[sources.x.map]
subject = "employee"
time = "at"
type = "event"
types = { changed = "", gone = "person.left" }
[sources.x.map.facts]
givenName = "first"
familyName = "last"
department = "team"
lastWorkingDay = "end"
[sources.x.hydrate]
url = "URL"
record = "data"
headers = { Authorization = { prefix = "Bearer ", file = "vendor.key" } }
"""
ADA = {"first": "Ada", "last": "Lovelace", "team": "R&D"}
each_kind = pytest.mark.parametrize("kind", ["standard-webhooks", "svix", "finch", "github", "hmac"])


@dataclass
class Thin:
    """A served deployment with the one thin source `x`, its sender and its vendor."""

    office: Office
    sender: Sender
    vendor: Vendor

    def deliver(self, content: bytes | None = None, *, at: timedelta = timedelta(), **more: Any) -> httpx.Response:
        """Say that somebody changed; ``content`` goes instead of the body that was signed."""
        told = {"employee": "E1", "event": "changed", "at": "2026-11-20T09:00:00Z"} | more.pop("told", {})
        body = json.dumps(told).encode()
        headers = self.sender.headers(body, self.office.deployment.clock.now() + at, **more)
        return self.office.http.post("/hooks/x", content=body if content is None else content, headers=headers)

    def hydrate(self) -> int:
        """Ask for what is due, apply what comes, and return how many records were asked for."""
        asked = len(self.vendor.asked)
        while hydrate_next(self.office.deployment.intake):
            pass
        while apply_next(self.office.deployment.intake):
            pass
        return len(self.vendor.asked) - asked

    def known(self, name: str) -> str | None:
        """Return a fact that the source states of E1."""
        with self.office.deployment.database.read() as session:
            record = people.load_record(session, "x", "E1")
        return people.stated_text(record[0], name) if record else None


@pytest.fixture
def thin(migrated_url: str, tmp_path: Path, kind: str) -> Iterator[Thin]:
    """The place."""
    sender = SENDERS[kind]
    for name, key in ENVIRONMENT.items():
        (tmp_path / name).write_text(key)
    (tmp_path / "vendor.key").write_text(KEY.removeprefix("Bearer "))
    keys = sender.sources.partition("[sources.x.map]")[0]
    with vending() as vendor, served(migrated_url, tmp_path, sources=keys + THIN.replace("URL", vendor.url)) as office:
        office.deployment.activate_policy()
        vendor.records["E1"] = ADA
        yield Thin(office, sender, vendor)


@each_kind
def test_whoever_changed_is_asked_for(thin: Thin) -> None:
    """202 with the hint, once it is committed; the record is the event, with nothing of what the body states."""
    answer = thin.deliver(told={"first": "Mallory"})
    assert (answer.status_code, answer.json()["events"]) == (202, [])
    assert [each["duplicate"] for each in answer.json()["hints"]] == [False]
    assert thin.office.bell.hydrations == 1
    assert thin.hydrate() == 1
    assert (thin.known("givenName"), thin.known("department")) == ("Ada", "R&D")


@on_sqlite
@each_kind
def test_only_the_sources_secrets_are_believed(thin: Thin) -> None:
    """Both during a rotation; nobody is asked for because a stranger says so."""
    problem(thin.deliver(secret=FOREIGN), 401)
    assert thin.office.count("hints") == 0
    assert thin.deliver(secret=OLD).status_code == 202
    assert thin.deliver(secret=NEW, message_id="msg-2").status_code == 202


@on_sqlite
@each_kind
@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_recorded_delivery_is_refused_where_a_time_is_signed(thin: Thin, minutes: int) -> None:
    """Where none is, it asks for a record that is as it is, which harms nobody."""
    answer = thin.deliver(at=timedelta(minutes=minutes))
    if thin.sender.signs_time:
        problem(answer, 401)
    else:
        assert answer.status_code == 202
    assert thin.office.count("hints") == (0 if thin.sender.signs_time else 1)


@on_sqlite
@each_kind
@pytest.mark.parametrize(
    "content",
    [
        b'{"employee": "E1", "event": "chan',
        b'{"employee":"E1","event":"changed","at":"2026-11-20T09:00:00Z"}',
        b"",
    ],
    ids=["truncated", "encoded anew", "empty"],
)
def test_another_body_than_was_signed_is_refused(thin: Thin, content: bytes) -> None:
    """The signature is over the bytes."""
    problem(thin.deliver(content), 401)
    assert thin.office.count("hints") == 0


@on_sqlite
@each_kind
def test_a_delivery_that_comes_again_asks_nobody_again(thin: Thin) -> None:
    """Before the record was asked for, and after; signed anew, as retries are."""
    thin.deliver()
    again = thin.deliver(at=timedelta(minutes=1))
    assert [each["duplicate"] for each in again.json()["hints"]] == [True]
    assert thin.hydrate() == 1
    thin.deliver(at=timedelta(minutes=2))
    assert thin.hydrate() == 0


@on_sqlite
@each_kind
def test_the_same_id_with_another_body_asks_for_whomever_it_names(thin: Thin) -> None:
    """A hint holds nothing that could be wrong: the vendor's record says what is."""
    thin.vendor.records["E2"] = ADA | {"first": "Grace"}
    thin.deliver()
    thin.deliver(told={"employee": "E2"})
    assert thin.hydrate() == 2


@on_sqlite
@each_kind
def test_two_deliveries_out_of_order_end_with_the_record(thin: Thin) -> None:
    """An older word that comes late has the record asked for, which is as it is now."""
    thin.vendor.records["E1"] = ADA | {"team": "Sales"}
    thin.deliver(told={"at": "2026-11-20T12:00:00Z"}, message_id="msg-2")
    assert thin.hydrate() == 1
    thin.deliver(told={"at": "2026-11-20T11:00:00Z"}, message_id="msg-1")
    thin.hydrate()
    assert thin.known("department") == "Sales"


@on_sqlite
@each_kind
def test_a_hook_of_hints_agrees_to_no_cloud_events(thin: Thin) -> None:
    """The handshake is for canonical events, which it does not take."""
    asked = {"WebHook-Request-Origin": "hr.example.com"}
    assert problem(thin.office.http.options("/hooks/x", headers=asked), 405)
