"""Identities: further names of a mailbox, some with a password of their own."""

import httpx
import pytest

from tests.conformance.bodies import BAD_REQUEST, PASSWORD, Body, fresh, identity, mailbox

FLAGS = ["may_send", "may_receive", "may_access_imap", "may_access_pop3", "may_access_managesieve"]
FOOTERS = ["footer_active", "footer_plain_body", "footer_html_body"]


@pytest.fixture
def identities(api: httpx.Client) -> str:
    """The path of the identities of a new mailbox."""
    answer = api.post("mailboxes", json=mailbox())
    assert answer.status_code == 200, answer.text
    return f"mailboxes/{answer.json()['local_part']}/identities"


@pytest.fixture
def king(api: httpx.Client, identities: str) -> Body:
    """An identity of that mailbox."""
    answer = api.post(identities, json=identity())
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_create_answers_200_with_the_identity_and_its_defaults(api: httpx.Client, identities: str, domain: str) -> None:
    """Neither password nor password_use is needed (migadu-behaviour.md 1.4; defaults: 5, identities)."""
    body = identity()
    answer = api.post(identities, json=body)

    assert answer.status_code == 200
    assert {
        "local_part": body["local_part"],
        "domain_name": domain,
        "address": f"{body['local_part']}@{domain}",
        "name": "Ada King",
        "may_send": True,
        "may_receive": True,
        "may_access_imap": True,
        "may_access_pop3": True,
        "may_access_managesieve": False,
    }.items() <= answer.json().items()
    assert answer.json().get("password_use", "none") == "none"


def test_identity_has_the_keys_of_the_table(api: httpx.Client, identities: str) -> None:
    """Footers and password_use may be there or not; nothing else is (migadu-behaviour.md 1.4; 5, identities)."""
    shown = api.post(identities, json=identity()).json()

    required = {"local_part", "domain_name", "address", "name", *FLAGS}
    assert required <= set(shown) <= required | {*FOOTERS, "password_use"}


def test_list_show_update_and_delete_answer_the_identity(api: httpx.Client, identities: str, king: Body) -> None:
    """Each verb is 200 with the object, the list under `identities` (migadu-behaviour.md 1.2, 2.1, 2.2)."""
    path = f"{identities}/{king['local_part']}"

    listed, shown, updated = api.get(identities), api.get(path), api.put(path, json={"name": "Countess"})
    deleted = api.delete(path)

    assert [answer.status_code for answer in (listed, shown, updated, deleted)] == [200] * 4
    assert listed.json() == {"identities": [king]}
    assert shown.json() == king
    assert updated.json() == {**king, "name": "Countess"} == deleted.json()
    assert api.get(identities).json() == {"identities": []}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_missing_identity_is_404(api: httpx.Client, identities: str, king: Body, method: str) -> None:
    """What is not there, or no longer, is 404 (migadu-behaviour.md 2.4)."""
    path = f"{identities}/{king['local_part']}"
    api.delete(path)

    assert api.request(method, path, json={"name": "Nobody"}).status_code == 404


@pytest.mark.parametrize(
    ("method", "rest"), [("GET", ""), ("POST", ""), ("GET", "/king"), ("PUT", "/king"), ("DELETE", "/king")]
)
def test_identities_of_a_missing_mailbox_are_404(api: httpx.Client, method: str, rest: str) -> None:
    """Without the mailbox every verb is 404 (migadu-behaviour.md 5, identities)."""
    answer = api.request(method, f"mailboxes/{fresh('nobody')}/identities{rest}", json=identity())

    assert answer.status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_identity_belongs_to_one_mailbox(api: httpx.Client, king: Body, method: str) -> None:
    """Below another mailbox it is not to be found (migadu-behaviour.md 1.1, paths; 2.4)."""
    other = api.post("mailboxes", json=mailbox()).json()["local_part"]

    answer = api.request(method, f"mailboxes/{other}/identities/{king['local_part']}", json={"name": "Eve"})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "flaw",
    [
        {"name": ""},
        {"name": None},
        {"local_part": ""},
        {"local_part": "-@-"},
        {"local_part": "a b"},
        {"password_use": "custom"},
        {"password_use": "custom", "password": ""},
    ],
    ids=str,
)
def test_create_refuses(api: httpx.Client, identities: str, flaw: Body) -> None:
    """No name, no valid local part, `custom` without a password are 400 (migadu-behaviour.md 1.4; 5, identities)."""
    answer = api.post(identities, json=identity(**flaw))

    assert (answer.status_code, answer.json()) == BAD_REQUEST
    assert api.get(identities).json() == {"identities": []}


@pytest.mark.parametrize("missing", ["name", "local_part"])
def test_create_requires(api: httpx.Client, identities: str, missing: str) -> None:
    """Name and local part must be there (migadu-behaviour.md 1.4; 5, identities)."""
    body = identity()
    del body[missing]
    answer = api.post(identities, json=body)

    assert (answer.status_code, answer.json()) == BAD_REQUEST


@pytest.mark.parametrize("flaw", [{"password_use": "own"}, {"password": "short"}], ids=str)
@pytest.mark.usefixtures("sandbox")
def test_sandbox_refuses_what_no_identity_can_be(api: httpx.Client, identities: str, flaw: Body) -> None:
    """The facts do not say what becomes of another word or a short password; the sandbox refuses, as with mailboxes."""
    answer = api.post(identities, json=identity(**flaw))

    assert (answer.status_code, answer.json()) == BAD_REQUEST


@pytest.mark.parametrize(
    "use", [{"password_use": "none"}, {"password_use": "mailbox"}, {"password_use": "custom", "password": PASSWORD}]
)
def test_password_use_is_one_of_three(api: httpx.Client, identities: str, use: Body) -> None:
    """none, mailbox and custom are taken; it may be shown (migadu-behaviour.md 1.4)."""
    answer = api.post(identities, json=identity(**use))

    assert answer.status_code == 200
    assert answer.json().get("password_use", use["password_use"]) == use["password_use"]


def test_password_alone_is_taken_and_never_shown(api: httpx.Client, identities: str) -> None:
    """The official example sends one without password_use; no answer holds it (migadu-api.txt, Identities; 1.3)."""
    body = identity(password=PASSWORD)
    path = f"{identities}/{body['local_part']}"
    answers = [api.post(identities, json=body), api.put(path, json={"password": PASSWORD + "2"}), api.get(identities)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert not any(PASSWORD in answer.text or '"password"' in answer.text for answer in answers)


def test_identity_becomes_custom_only_with_a_password(api: httpx.Client, identities: str, king: Body) -> None:
    """`custom` needs a password on update too, once (migadu-behaviour.md 1.4; 5, identities)."""
    path = f"{identities}/{king['local_part']}"
    answers = [
        api.put(path, json=change)
        for change in (
            {"password_use": "custom"},
            {"password_use": "custom", "password": PASSWORD},
            {"password_use": "custom"},
        )
    ]

    assert [answer.status_code for answer in answers] == [400, 200, 200]
    assert answers[1].json().get("password_use", "custom") == "custom"


@pytest.mark.parametrize("change", [{flag: flag == "may_access_managesieve"} for flag in FLAGS], ids=str)
def test_update_changes_what_it_names_and_nothing_else(
    api: httpx.Client, identities: str, king: Body, change: Body
) -> None:
    """PUT is partial, and flags are independent (migadu-behaviour.md 2.17; 3, may_*)."""
    answer = api.put(f"{identities}/{king['local_part']}", json=change)

    assert (answer.status_code, answer.json()) == (200, {**king, **change})


@pytest.mark.parametrize(
    "change", [{"footer_active": True}, {"footer_plain_body": "Ada"}, {"footer_html_body": "<p>Ada</p>"}], ids=str
)
def test_footers_are_taken_or_ignored(api: httpx.Client, identities: str, king: Body, change: Body) -> None:
    """The official text has footers, a later client says they are gone (migadu-behaviour.md 1.4): both are 200."""
    answer = api.put(f"{identities}/{king['local_part']}", json=change)

    assert answer.status_code == 200
    assert answer.json() in (king, {**king, **change})


@pytest.mark.parametrize(
    "attempt",
    [{"local_part": "eve"}, {"address": "eve@evil.example"}, {"domain_name": "evil.example"}, {"no_such_field": 1}],
    ids=str,
)
def test_update_ignores_what_cannot_be_written(api: httpx.Client, identities: str, king: Body, attempt: Body) -> None:
    """Read-only and unknown keys are 200 and change nothing (migadu-api.txt, Identities; migadu-behaviour.md 2.16)."""
    answer = api.put(f"{identities}/{king['local_part']}", json=attempt)

    assert (answer.status_code, answer.json()) == (200, king)


def test_update_without_a_name_to_show_is_400(api: httpx.Client, identities: str, king: Body) -> None:
    """An empty name is 400 on update, too, and changes nothing (migadu-behaviour.md 5, identities)."""
    answer = api.put(f"{identities}/{king['local_part']}", json={"name": "", "may_send": False})

    assert (answer.status_code, answer.json()) == BAD_REQUEST
    assert api.get(identities).json() == {"identities": [king]}


def test_local_parts_are_lower_case(api: httpx.Client, identities: str) -> None:
    """An identity is made and found in lower case (migadu-behaviour.md 2.20)."""
    local_part = fresh("King")
    created = api.post(identities, json=identity(local_part=local_part)).json()

    assert created["local_part"] == local_part.lower()
    assert api.get(f"{identities}/{local_part.upper()}").json() == created
