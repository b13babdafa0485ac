"""Every `curl` command of Migadu's official text, run as it stands there, gets the official text's answer."""

import os
import shutil
from pathlib import Path

import httpx
import pytest

from tests.conformance.bodies import Body, alias, identity, mailbox, rewrite
from tests.conformance.made import KEYS, Made
from tests.conformance.official_text import Command, commands, run, samples
from tests.conformance.target import Target

MAKE = {"mailboxes": mailbox, "identities": identity, "aliases": alias, "rewrites": rewrite}
LIST_KEYS = {"aliases": "address_aliases"}
NOT_ASKED = "the sample stands under requests that do not ask for it"
DIFFERENCES: dict[tuple[str, int], dict[str, tuple[tuple[object, ...], str]]] = {
    ("Mailboxes/CREATE", 1): {"is_internal": ((False, None), NOT_ASKED)},
    ("Mailboxes/CREATE", 2): {
        "is_internal": ((False, None), NOT_ASKED),
        "password_recovery_email": ((None, ""), NOT_ASKED),
    },
    ("Mailboxes/CREATE", 3): {"password_recovery_email": ((None, ""), NOT_ASKED)},
    ("Aliases/CREATE", 1): {"is_internal": ((False, None), NOT_ASKED)},
    ("Aliases/CREATE", 2): {"is_internal": ((True,), "clients read a boolean, not a text (migadu-behaviour.md 1.3)")},
}
"""Where the answer is another than the sample's, by command and field: what it may be, and why."""


def of(*verbs: str) -> pytest.MarkDecorator:
    """Run a test for each command with one of these verbs."""
    chosen = [command for command in commands() if command.verb in verbs]
    return pytest.mark.parametrize("command", chosen, ids=[f"{one.heading} {one.number}" for one in chosen])


@pytest.fixture
def curl(target: Target, made: Made, tmp_path: Path) -> object:
    """Run a command and return its answer; what it made is deleted after the test."""
    if shutil.which("curl") is None:
        missing = "curl is not installed: apt install curl (as root)."
        pytest.fail(missing, pytrace=False) if os.environ.get("CI") else pytest.skip(missing)

    def answer(command: Command) -> httpx.Response:
        answered = run(command, target, tmp_path)
        made.note(answered)
        return answered

    return answer


def prepare(api: httpx.Client, command: Command) -> Body:
    """Make what the command takes to be there, a mailbox before its identity, and return the last that was made."""
    parts, last = command.path.split("/"), {}
    if command.verb == "INDEX":
        parts.append("demo" if len(parts) == 1 else "example")
    for end in range(2, len(parts) + 1, 2):
        *collection, key = parts[:end]
        kind = collection[-1]
        answer = api.post("/".join(collection), json=MAKE[kind](**{KEYS[kind]: key}))
        assert answer.status_code == 200, answer.text
        last = answer.json()
    return last


def test_the_whole_text_is_here() -> None:
    """It has 24 commands, and a sample for each of the four kinds of object (migadu-api.txt)."""
    assert len(list(commands())) == 24
    assert set(samples("example.org")) == {f"{kind.title()}/CREATE" for kind in MAKE}


@of("CREATE")
def test_create_answers_the_sample(api: httpx.Client, curl: object, domain: str, command: Command) -> None:
    """Every key of the sample is in the answer, with its value, except as said above (migadu-api.txt, CREATE)."""
    prepare(api, command)
    answer = curl(command)

    shown, sample = answer.json(), samples(domain)[command.heading]
    differences = DIFFERENCES.get((command.heading, command.number), {})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "application/json")
    assert {key: shown[key] for key in sample if key not in differences} == {
        key: value for key, value in sample.items() if key not in differences
    }
    assert all(shown[key] in allowed for key, (allowed, _) in differences.items())


@of("INDEX")
def test_index_answers_the_list(api: httpx.Client, curl: object, command: Command) -> None:
    """What is there is in the list (migadu-api.txt, INDEX; its key: migadu-behaviour.md 1.2)."""
    existing = prepare(api, command)
    answer = curl(command)

    kind = command.path.rpartition("/")[2]
    assert answer.status_code == 200
    assert answer.json() == {LIST_KEYS.get(kind, kind): [existing]}


@of("SHOW")
def test_show_answers_the_object(api: httpx.Client, curl: object, command: Command) -> None:
    """What is there is shown as it was when it was made (migadu-api.txt, SHOW)."""
    existing = prepare(api, command)
    answer = curl(command)

    assert (answer.status_code, answer.json()) == (200, existing)


@of("UPDATE")
def test_update_answers_the_changed_object(api: httpx.Client, curl: object, domain: str, command: Command) -> None:
    """What was sent is there, on the own domain, and the rest as before (migadu-api.txt, UPDATE)."""
    existing = prepare(api, command)
    answer = curl(command)

    changed = dict(command.body)
    if "destinations" in changed:
        changed["destinations"] = [f"{sent.partition('@')[0]}@{domain}" for sent in changed["destinations"].split(",")]
    shown = answer.json()
    if "changed_at" in shown:
        changed["changed_at"] = shown["changed_at"]
    assert (answer.status_code, shown) == (200, {**existing, **changed})


@of("DELETE")
def test_delete_answers_the_object_and_deletes_it(api: httpx.Client, curl: object, command: Command) -> None:
    """The answer is the object that was there, which then is not (migadu-api.txt, DELETE; migadu-behaviour.md 2.2)."""
    existing = prepare(api, command)
    answer = curl(command)

    assert (answer.status_code, answer.json()) == (200, existing)
    assert api.get(command.path).status_code == 404
