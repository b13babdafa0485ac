"""`sources test` of a source that is asked for records: one question, what its answer proves, and nothing stays."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.office import MONDAY
from tests.integration.shell import Ran, Shell
from tests.integration.test_migadu_hostile import certificate
from tests.integration.test_source_trial import rows, said, tried
from tests.integration.test_web_server import Office, served
from tests.vendor import KEY, Vendor, answering, vending
from worker.sources import HookSource, load_sources
from worker.sources.hydration import Hydration
from worker.sources.hydration_trial import try_hydration
from worker.sources.trial import SUBJECT
from worker.wire import ThreadClients

SOURCES = """
[sources.hr]
kind = "hmac"
secret_env = "SECRET"
creates = true
[sources.hr.signature]
header = "X-Signature"
[sources.hr.map]
subject = "employee"
[sources.hr.map.facts]
givenName = "first"
hireDate = "start"
[sources.hr.hydrate]
url = "URL"
record = "data"
headers = { Authorization = "AUTHORIZATION" }
"""
PROVED = (
    "that it can be reached and refuses no credentials, and not that the address is the right one: --body FILE with a "
    "delivery about somebody who is there tries record and map, too"
)
ADA = {"first": "Ada", "start": "2026-03-01", "mail": "ada@private.example"}


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor that knows one person."""
    with vending() as one:
        one.records["E1"] = ADA
        yield one


@pytest.fixture
def office(migrated_url: str, tmp_path: Path, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A served deployment with a source whose records are asked for."""
    monkeypatch.setenv("SECRET", "s")
    with served(migrated_url, tmp_path, sources=_sources(vendor.url)) as one:
        yield one


@pytest.fixture
def shell(office: Office, migrated_url: str, tmp_path: Path) -> Shell:
    """A shell on the same database, with the same sources, and an example of a delivery about the person."""
    shell = Shell(tmp_path, {"MAILROSTER_DATABASE_URL": migrated_url})
    shell.write("ada.json", json.dumps({"employee": "E1"}))
    return shell


def _sources(url: str, authorization: str = KEY) -> str:
    return SOURCES.replace("URL", url).replace("AUTHORIZATION", authorization)


def _tell_nothing(ran: Ran) -> bool:
    return not any(each in ran.out + ran.err for each in (KEY, KEY.removeprefix("Bearer "), "Ada", "private"))


def test_nobody_is_asked_for_and_the_answer_says_what_it_proves(office: Office, shell: Shell, vendor: Vendor) -> None:
    """A 404 of a key that nobody has proves that the vendor is there and lets us in; one question, and no row more."""
    before = rows(office)
    ran = tried(shell, office, "hr")

    assert ran.code == 0, ran.out + ran.err
    assert said(ran)["hydrate"] == (True, f"it answered 404 to a key that nobody has, which proves {PROVED}")
    assert vendor.asked == [f"/people/{SUBJECT}"]
    office.deployment.tallies.flush()
    assert rows(office) == before
    assert _tell_nothing(ran)


def test_the_person_of_an_example_is_asked_for_and_the_facts_are_named(office: Office, shell: Shell) -> None:
    """With a delivery about somebody, the shape of their record is tried, also the map; values are not shown."""
    before = rows(office)
    ran = tried(shell, office, "hr", "--body", "ada.json")

    assert ran.code == 0, ran.out + ran.err
    assert said(ran)["hydrate"] == (True, "the record of E1 states givenName, hireDate")
    assert rows(office) == before
    assert _tell_nothing(ran)


def test_credentials_that_are_refused_are_told_and_not_shown(office: Office, shell: Shell, vendor: Vendor) -> None:
    """Also where the server is not there: the vendor is asked all the same."""
    shell.write("sources.toml", _sources(vendor.url, "Bearer of-another-vendor"))
    ran = shell.run("sources", "test", "hr", "--url", "http://127.0.0.1:9", "--json")

    assert (ran.code, said(ran)["server"][0]) == (1, False)
    assert said(ran)["hydrate"] == (
        False,
        "it answered 401: it does not accept our credentials, or they may not read there",
    )
    assert "of-another-vendor" not in ran.out + ran.err


def _tried(url: str, subject: str = SUBJECT, *, deadline_s: float = 15.0) -> tuple[bool, str]:
    """Ask a vendor for somebody, or for nobody."""
    source = load_sources(_sources(url), {"SECRET": "s"}).get("hr")
    assert isinstance(source, HookSource)
    with ThreadClients(deadline_s=deadline_s) as clients:
        verdict = try_hydration(Hydration({"hr": source}, clients=clients), source, subject, MONDAY)
    return verdict.ok, verdict.said


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"start": "first of May", "first": "Ada"}, "the record of E1 cannot be used: data.hireDate: "),
        ({"start": "2026-03-01"}, "the record of E1 cannot be used: data: a person who joins needs a name"),
        ({"first": {"of": "Ada"}}, "the record of E1 cannot be used: data.givenName: "),
        ({"name": "Ada"}, "the map finds no fact in the record of E1"),
    ],
)
def test_a_record_that_does_not_fit_is_told_without_its_values(
    vendor: Vendor, record: dict[str, Any], why: str
) -> None:
    """Each fault by its attribute."""
    vendor.records["E1"] = record
    ok, told = _tried(vendor.url, "E1")

    assert (ok, told[: len(why)]) == (False, why)
    assert not any(value in told for value in ("Ada", "first of May"))


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [
        (429, {}, "it answered 429: it wants to be asked less often"),
        (503, {}, "it answered 503"),
        (400, {}, "it answered 400; it was asked for a key that nobody has: --body FILE"),
        (301, {}, "it answered 301, which leads elsewhere and is not followed: put the final address"),
        (200, b"<html>", "its answer cannot be read: "),
        (200, {"data": []}, "its answer holds no object at hydrate.record; it was asked for"),
        (200, {"data": ADA}, "it has a record with givenName, hireDate of a key that nobody has: is {subject} where"),
    ],
)
def test_what_else_is_wrong_at_the_other_end_is_told(vendor: Vendor, status: int, answer: Any, why: str) -> None:
    """In a sentence each, after one question, without a value of the answer."""
    vendor.always = answering(status, answer)
    ok, told = _tried(vendor.url)

    assert (ok, told[: len(why)]) == (False, why)
    assert "Ada" not in told
    assert len(vendor.asked) == 1


def test_an_empty_record_of_nobody_is_no_fault(vendor: Vendor) -> None:
    """Some vendors answer so instead of 404."""
    vendor.always = answering(200, {"data": {}})

    assert _tried(vendor.url)[0]


def test_a_vendor_that_is_not_reached_is_told_apart(vendor: Vendor, tmp_path: Path) -> None:
    """Nobody there, no TLS there, a certificate that nobody vouches for, no answer in time."""
    assert _tried("http://127.0.0.1:9/{subject}") == (False, "it gave no whole answer (ConnectError)")
    no_tls = _tried(f"https://127.0.0.1:{vendor.port}/{{subject}}")
    assert (no_tls[0], no_tls[1][:30]) == (False, "it gave no whole answer (TLS: ")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert _tried(f"http://127.0.0.1:{port}/{{subject}}", deadline_s=0.3) == (
            False,
            "it gave no whole answer (ReadTimeout)",
        )
    context, _ = certificate(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            with suppress(OSError), closing(listening.accept()[0]) as connection:
                context.wrap_socket(connection, server_side=True).close()

        greeting = threading.Thread(target=greet)
        greeting.start()
        told = _tried(f"https://127.0.0.1:{listening.getsockname()[1]}/{{subject}}")
        greeting.join()
    assert told == (False, "it gave no whole answer (its certificate is not trusted: self-signed certificate)")
