"""Sources on a bus looked after: whether somebody consumes, what is at the broker, and messages replayed."""

import json
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


def said(shell: Shell, *options: str, **variables: str) -> dict[str, tuple[bool, str]]:
    """Return what each check of the source said."""
    document = shell.run("sources", "test", "payroll", "--json", *options, **variables).document
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
    after = said(shell)
    assert after["exchange"] == (True, f"{exchange} is there")
    assert after["queue"] == (
        False,
        f"{queue} holds 0 messages, and has 0 consumers: start `mailroster bus` or `up`",
    )
    assert "reading" not in after

    away = said(shell, MAILROSTER_BROKER_URL="amqp://guest:guest@127.0.0.1:9//")
    assert list(away) == ["configuration", "broker"]
    assert away["broker"] == (False, "ConnectionRefusedError: Connection refused")


def test_a_trial_goes_through_the_running_consumer_and_leaves_nothing(place: Place, shell: Shell) -> None:
    """What it read is told, in front of and behind others' messages; others who listen at the exchange hear nothing."""
    (shell.directory / "theirs.json").write_text(json.dumps([told(7), told(8, type="person.left")]))
    (shell.directory / "bad.json").write_text(json.dumps(told(9, type="person.vanished")))
    with place.consumed(), place.broker.channel() as channel:
        theirs = channel.queue_declare(exclusive=True).queue
        channel.queue_bind(theirs, place.source.exchange, "#")
        ours = said(shell)
        assert ours["reading"] == (True, "person.updated of mailroster-test with title")
        assert ours["database"] == (True, "took what was read, and nothing of it was kept")
        place.send(*map(told, range(5)))
        of_theirs = said(shell, "--body", "theirs.json")
        assert of_theirs["reading"] == (
            True,
            "person.joined of E7 with familyName, givenName; person.left of E8 with familyName, givenName",
        )
        ran = shell.run("sources", "test", "payroll", "--body", "bad.json")
        assert ran.code == 1
        assert "broken: reading: The event is refused: type: " in ran.out
        wait_until(lambda: len(place.rows()) == 5)
        assert channel.queue_declare(theirs, passive=True).message_count == 5

    assert {row.ce_id for row in place.rows()} == {f"evt-{number}" for number in range(5)}
    assert (place.waiting(), place.dead_count()) == (0, 0)
    shown = shell.run("sources", "show", "payroll", "--json").document
    assert shown["deliveriesKept"] == 5


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
