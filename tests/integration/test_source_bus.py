"""Sources on a bus looked after: whether somebody consumes, what is at the broker, and messages replayed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.end_to_end.installation import wait_until
from tests.integration.bus_place import Place, placed, told
from tests.integration.shell import Shell

on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
KEY = Fernet.generate_key().decode()


@pytest.fixture
def place(migrated_url: str, amqp_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A source on a bus that nobody consumes yet, in a deployment that keeps what comes."""
    with placed(tmp_path, database_url=migrated_url, amqp_url=amqp_url, raw_key=KEY) as one:
        yield one


@pytest.fixture
def shell(place: Place, migrated_url: str, amqp_url: str, tmp_path: Path) -> Shell:
    """A shell beside it."""
    variables = {"DATABASE_URL": migrated_url, "BROKER_URL": amqp_url, "RAW_KEY": KEY}
    return Shell(tmp_path, {f"MAILROSTER_{name}": value for name, value in variables.items()})


def said(shell: Shell, **variables: str) -> dict[str, tuple[bool, str]]:
    """Return what each check of the source said."""
    document = shell.run("sources", "test", "payroll", "--json", **variables).document
    return {each["check"]: (each["ok"], each["said"]) for each in document["checks"]}


@on_sqlite
def test_a_trial_looks_at_the_broker_and_declares_nothing(place: Place, shell: Shell) -> None:
    """Before anybody consumed there is nothing; then the queue is there with what it holds; a broker may be away."""
    exchange, queue = place.source.exchange, place.source.queue_name
    for _ in range(2):
        before = said(shell)
        assert before["broker"] == (True, "it answers, and lets us in")
        assert before["exchange"][1].startswith(f"there is no {exchange} to publish to")
        assert before["queue"][1].startswith(f"there is no {queue}, so what is published now is lost")
    with place.consumed():
        assert said(shell)["queue"] == (True, f"{queue} holds 0 messages, and has 1 consumer")
    assert said(shell)["exchange"] == (True, f"{exchange} is there")

    away = said(shell, MAILROSTER_BROKER_URL="amqp://guest:guest@127.0.0.1:9//")
    assert list(away) == ["configuration", "broker"]
    assert away["broker"] == (False, "ConnectionRefusedError: Connection refused")


@on_sqlite
def test_a_queue_that_nobody_consumes_is_an_alarm(place: Place, shell: Shell) -> None:
    """As long as no process says that it is connected to the broker."""
    listed = shell.run("sources", "list", "--json")
    assert listed.code == 3
    assert [each["kind"] for each in listed.document["sources"][0]["alarms"]] == ["stopped"]

    with place.consumed():
        assert shell.run("sources", "list").code == 0


def test_messages_are_kept_and_replayed(place: Place, shell: Shell) -> None:
    """In every mode, also what was refused; a repetition is not kept."""
    attributes = {f"ce-{name}": value for name, value in told(2).items() if name != "data"}
    with place.consumed():
        place.send(told(1), told(1), content_type="application/cloudevents+json")
        place.send(told(2)["data"], headers=attributes, content_type="application/json")
        place.send(told(3, type="person.vanished"), b"{")
        wait_until(lambda: len(place.rows()) == 4)

    ran = shell.run("sources", "replay", "payroll", "--json")
    assert ran.code == 3
    assert {name: number for name, number in ran.document["counts"].items() if number} == {"same": 2, "refused": 1}
    assert ran.document["deliveries"] == 3
