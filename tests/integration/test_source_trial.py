"""`sources test` over the real server: what it says works, what it says is broken, and that nobody can abuse it."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.shell import Ran, Shell
from tests.integration.test_web_server import Office, served
from worker.sources import BadSignature, Delivery, HookSource, load_sources
from worker.sources.signature import sign
from worker.sources.trial import HEADER, NoTrial, body_for, read_trial, send_trial
from worker.store.tables import Base
from worker.web.bodies import LARGEST

SECRET, OTHER = (base64.b64encode(bytes([number]) * 32).decode() for number in (5, 6))
SOURCES = """
[sources.hr]
kind = "standard-webhooks"
secret_env = "KEY"

[sources.svix]
kind = "svix"
secret_env = ["OLD", "KEY"]

[sources.finch]
kind = "finch"
secret_env = "KEY"
[sources.finch.map]
type = "event_type"
[sources.finch.map.types]
"individual.updated" = "person.updated"
[sources.finch.map.facts]
title = "data.title"

[sources.git]
kind = "github"
secret_env = "KEY"

[sources.vendor]
kind = "hmac"
secret_env = "KEY"
[sources.vendor.signature]
header = "X-Signature"
signed = "{timestamp}.{body}"
timestamp_header = "X-Time"
timestamp_unit = "ms"
encoding = "base64url"
algorithm = "sha512"
[sources.vendor.map]
items = "employees[]"
id = "uuid"
subject = "person.id"
time = "at"
type = "$.kind"
[sources.vendor.map.types]
"employee.left" = "person.left"
"employee.changed" = "person.updated"
[sources.vendor.map.facts]
department = "person.team"
hireDate = "at"
groups = "teams[].name"

[sources.folder]
kind = "folder"
path = "drop"
[sources.folder.columns]
Nr = "subject"
Vorname = "givenName"

[sources.clever]
kind = "hmac"
secret_env = "KEY"
[sources.clever.signature]
header = "X-Signature"
[sources.clever.map]
subject = "join('-', [company, id])"
[sources.clever.map.facts]
title = "job"
"""
NAMES = ("finch", "git", "hr", "svix", "vendor")


@pytest.fixture
def office(migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A served deployment with a source of each kind."""
    monkeypatch.setenv("KEY", SECRET)
    monkeypatch.setenv("OLD", OTHER)
    with served(migrated_url, tmp_path, sources=SOURCES) as one:
        yield one


@pytest.fixture
def shell(office: Office, migrated_url: str, tmp_path: Path) -> Shell:
    """A shell on the same database, with the same sources."""
    return Shell(tmp_path, {"MAILROSTER_DATABASE_URL": migrated_url})


def rows(office: Office) -> int:
    """Return how many rows there are in all tables."""
    return sum(office.count(table.name) for table in Base.metadata.sorted_tables)


def tried(shell: Shell, office: Office, name: str, *more: str, **variables: str) -> Ran:
    """Try a source at the office."""
    return shell.run("sources", "test", name, "--url", office.url, "--json", *more, **variables)


def said(ran: Ran) -> dict[str, tuple[bool, str]]:
    """Return what each check said."""
    return {each["check"]: (each["ok"], each["said"]) for each in ran.document["checks"]}


@pytest.mark.parametrize("name", NAMES)
def test_a_source_that_works_is_said_to_work_and_nothing_stays(office: Office, shell: Shell, name: str) -> None:
    """Configuration, secret, server, signature, reading and database, each in a sentence; no table has a row more."""
    before = rows(office)
    ran = tried(shell, office, name)

    assert ran.code == 0, ran.out + ran.err
    assert list(said(ran)) == ["configuration", "secret", "server", "signature", "reading", "database"]
    assert "person.updated of mailroster-test with " in said(ran)["reading"][1]
    office.deployment.tallies.flush()
    assert rows(office) == before


def test_the_reading_names_what_the_map_finds(office: Office, shell: Shell) -> None:
    """Facts that a made body can hold are named; with the sender's own example, all of them are."""
    assert said(tried(shell, office, "vendor"))["reading"][1] == (
        "person.updated of mailroster-test with department, hireDate"
    )
    item = {"uuid": "1", "person": {"id": 7, "team": "X"}, "at": "2026-01-01T00:00:00Z", "teams": [{"name": "a"}]}
    shell.write("example.json", json.dumps({"kind": "employee.left", "employees": [item]}))
    assert said(tried(shell, office, "vendor", "--body", "example.json"))["reading"][1] == (
        "person.left of 7 with department, groups, hireDate"
    )
    assert office.count("events") == 0


def test_a_map_that_is_too_clever_asks_for_an_example(office: Office, shell: Shell) -> None:
    """Where no body can be made for an expression, the sentence says what would do; with it, it does."""
    ran = tried(shell, office, "clever")
    assert ran.code == 1
    assert said(ran)["delivery"] == (
        False,
        "no body can be made for join('-', [company, id]): give an example of the sender's with --body FILE",
    )
    shell.write("example.json", json.dumps({"company": "c", "id": "1", "job": "Clerk"}))
    assert tried(shell, office, "clever", "--body", "example.json").code == 0


def test_a_folder_is_looked_at_and_a_file_read_without_an_import(office: Office, shell: Shell, tmp_path: Path) -> None:
    """Whether it is there and ours; a file of the sender's tells which columns resolve, or the first faults."""
    before = rows(office)
    assert (
        "--url says where deliveries are posted, and to folder"
        in shell.run("sources", "test", "folder", "--url", office.url).err
    )
    ran = shell.run("sources", "test", "folder", "--json")
    assert (ran.code, said(ran)["folder"][0]) == (1, False)

    (tmp_path / "drop").mkdir()
    ran = shell.run("sources", "test", "folder", "--json")
    assert ran.code == 0
    assert said(ran)["reading"] == (True, "a file of our own lists 1 person, of whom it states familyName, givenName")
    assert said(ran)["database"] == (True, "took an event of the source, and nothing of it was kept")
    assert list((tmp_path / "drop").iterdir()) == []
    shell.write("good.csv", "Nr;Vorname;hireDate\n1;Ada;2026-01-01\n2;Grace;\n")
    ran = shell.run("sources", "test", "folder", "--body", "good.csv", "--json")
    assert ran.code == 0
    assert said(ran)["reading"] == (True, "2 people, of whom it states givenName, hireDate")
    shell.write("bad.csv", "Nr;Vorname;hireDate\n1;Ada;first of May\n")
    ran = shell.run("sources", "test", "folder", "--body", "bad.csv", "--json")
    assert ran.code == 1
    assert "line 2, column hireDate" in ran.document["checks"][2]["said"]
    assert rows(office) == before


def test_a_body_that_cannot_be_read_is_told_and_not_kept(office: Office, shell: Shell) -> None:
    """What the map lacks, what is passed over, and what is too large; none of it is in the inbox."""
    before = rows(office)
    for told, why in (
        ({"kind": "employee.left"}, "map.items: the body has nothing at employees[]"),
        ({"kind": "payroll.run", "employees": [{"uuid": "1"}]}, "nothing was read: the map passed over 1 item"),
    ):
        shell.write("example.json", json.dumps(told))
        ran = tried(shell, office, "vendor", "--body", "example.json")

        assert (ran.code, said(ran)["reading"]) == (1, (False, why))
    shell.write("example.json", " " * (LARGEST + 1))
    ran = tried(shell, office, "vendor", "--body", "example.json")
    assert (ran.code, said(ran)["delivery"]) == (1, (False, "the body is larger than 1,048,576 bytes"))
    assert rows(office) == before


def test_a_server_with_another_secret_is_told_from_one_that_is_not_there(office: Office, shell: Shell) -> None:
    """Each names the mend; a secret that cannot be read is named before anything is sent."""
    ran = tried(shell, office, "hr", KEY=OTHER)
    assert (ran.code, said(ran)["signature"][0]) == (1, False)
    assert "another secret" in said(ran)["signature"][1]

    ran = shell.run("sources", "test", "hr", "--url", "http://127.0.0.1:9", "--json")
    assert ran.code == 1
    assert said(ran)["server"] == (
        False,
        "http://127.0.0.1:9 does not answer (ConnectError): start `mailroster serve`, or give --url",
    )
    missing = shell.run("sources", "test", "hr", KEY="")
    assert (missing.code, "KEY" in missing.err) == (1, True)
    assert "known are clever, finch, folder" in shell.run("sources", "test", "rh").err


def sent(office: Office, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, dict[str, str]]:
    """Make a trial and return what went over the wire."""
    source = office.deployment.sources.get(name)
    assert isinstance(source, HookSource)
    seen: list[httpx.Request] = []
    send = httpx.Client.send

    def record(self: httpx.Client, request: httpx.Request, **more: Any) -> httpx.Response:
        seen.append(request)
        return send(self, request, **more)

    monkeypatch.setattr(httpx.Client, "send", record)
    now = office.deployment.clock.now()
    assert send_trial(source, office.url, body_for(source, now), now).told["test"] is True
    monkeypatch.undo()
    return seen[0].content, {name: value for name, value in seen[0].headers.items() if name != "host"}


@pytest.mark.parametrize("name", NAMES)
def test_an_overheard_trial_is_no_delivery(office: Office, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent on without its header, or with another instant in it, it is refused: also where a body alone is signed."""
    body, headers = sent(office, name, monkeypatch)
    stamp = int(headers.pop(HEADER.lower()))
    monkeypatch.setenv("KEY", SECRET)

    for changed in ({}, {HEADER: str(stamp + 1)}, {HEADER: str(stamp - 3600)}, {HEADER: "²"}, {HEADER: ""}):
        raw = {name.encode(): value.encode() for name, value in (headers | changed).items()}
        answer = office.http.post(f"/hooks/{name}", content=body, headers=list(raw.items()))
        assert answer.status_code == 401, changed
    assert office.count("events") == 0


def test_a_true_delivery_cannot_be_made_a_trial(office: Office) -> None:
    """Whoever adds the header to what a source signed has it refused, which its sender sees, and never swallowed."""
    stamp = str(int(office.deployment.clock.now().timestamp()))
    event = {"specversion": "1.0", "id": "1", "source": "urn:x", "type": "person.updated", "subject": "E1",
             "time": "2026-01-01T00:00:00Z", "data": {}}  # fmt: skip
    source = office.deployment.sources.get("git")
    assert isinstance(source, HookSource)
    body = json.dumps(event).encode()
    signed = sign(source.preset, body, source.secrets[0], office.deployment.clock.now())
    headers = {"content-type": "application/json"} | signed

    assert office.http.post("/hooks/git", content=body, headers=headers | {HEADER: stamp}).status_code == 401
    assert office.http.post("/hooks/git", content=body, headers=headers).status_code == 202


def test_a_trial_of_another_time_is_refused(office: Office) -> None:
    """What was made six minutes ago is none any more."""
    source = office.deployment.sources.get("git")
    assert isinstance(source, HookSource)
    then = office.deployment.clock.now() - timedelta(minutes=6)
    answer = send_trial(source, office.url, body_for(source, then), then)

    assert (answer.status, answer.told["detail"]) == (401, "the trial is of another time")


def test_a_public_key_signs_nothing(office: Office) -> None:
    """A source whose secret is a public key says so, and its server takes no trial that was signed with that key."""
    text = '[sources.p]\nkind = "standard-webhooks"\nsecret_env = "PUBLIC"\n'
    public = "whpk_" + base64.b64encode(bytes([7]) * 32).decode()
    source = load_sources(text, {"PUBLIC": public}).get("p")
    assert isinstance(source, HookSource)
    now = office.deployment.clock.now()
    with pytest.raises(NoTrial, match="public key"):
        send_trial(source, office.url, b"{}", now)
    with pytest.raises(BadSignature, match="no secret that could sign"):
        read_trial(source, Delivery(b"{}", {}, now), str(int(now.timestamp())))
