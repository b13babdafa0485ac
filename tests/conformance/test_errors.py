"""How a host says no, and what every answer has in common."""

import httpx
import pytest

from tests.conformance.bodies import BAD_REQUEST, alias, fresh, identity, mailbox, rewrite
from tests.conformance.target import Target

UNAUTHORISED = (401, {"error": "The token is invalid or expired."})
PATHS = [
    ("GET", "domains"),
    ("POST", "domains"),
    ("GET", "domains/{domain}"),
    ("PATCH", "domains/{domain}"),
    ("GET", "domains/{domain}/mailboxes"),
    ("POST", "domains/{domain}/mailboxes"),
    ("PUT", "domains/{domain}/mailboxes/nobody"),
    ("DELETE", "domains/{domain}/aliases/nobody"),
    ("GET", "domains/{domain}/rewrites"),
    ("GET", "domains/{domain}/records"),
    ("GET", "domains/unknown.example/mailboxes"),
    ("GET", "no/such/path"),
]
UNREADABLE = ["Basic", "Basic ???", "Basic bm8=", "Basic \xe9", "Bearer sandbox-key"]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_missing_credentials_are_401_first_of_all(target: Target, domain: str, method: str, path: str) -> None:
    """Before any 404 or 400 stands the 401 (migadu-behaviour.md 2.7; 5, common)."""
    with target.client() as client:
        answer = client.request(method, path.format(domain=domain), auth=None, content=b"{")

    assert (answer.status_code, answer.json()) == UNAUTHORISED
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("header", UNREADABLE)
def test_unreadable_credentials_are_401(target: Target, header: str) -> None:
    """What is no e-mail and key is 401 as well (migadu-behaviour.md 2.7)."""
    with target.client() as client:
        answer = client.get("domains", auth=None, headers={"authorization": header.encode("latin-1")})

    assert (answer.status_code, answer.json()) == UNAUTHORISED


@pytest.mark.parametrize("wrong", ["user", "key"])
def test_wrong_credentials_are_401(target: Target, wrong: str) -> None:
    """The key must be right, and the user its owner (migadu-behaviour.md 2.7)."""
    user = f"{fresh('somebody')}@example.org" if wrong == "user" else target.user
    key = fresh("key") if wrong == "key" else target.key
    with target.client() as client:
        answer = client.get("domains", auth=(user, key))

    assert (answer.status_code, answer.json()) == UNAUTHORISED


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "mailboxes"),
        ("GET", "aliases"),
        ("GET", "rewrites"),
        ("GET", "mailboxes/nobody"),
        ("POST", "mailboxes"),
        ("PUT", "aliases/nobody"),
        ("DELETE", "rewrites/nobody"),
        ("GET", "no-such-kind"),
    ],
)
def test_every_answer_is_json(api: httpx.Client, method: str, path: str) -> None:
    """Whether yes or no, the type is application/json; an error is one text (migadu-api.txt, API Requests; 2.6)."""
    answer = api.request(method, path, json={} if method in ("POST", "PUT") else None)

    assert answer.headers["content-type"].startswith("application/json")
    assert answer.status_code == 200 or isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("path", ["no/such/path", "domains/{domain}/no-such-kind", "domains/{domain}/forwardings"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_unknown_path_is_404(account: httpx.Client, domain: str, method: str, path: str) -> None:
    """What is not in the map of endpoints is not there; forwardings are below a mailbox (migadu-behaviour.md 1.1)."""
    answer = account.request(method, path.format(domain=domain), json={})

    assert (answer.status_code, list(answer.json())) == (404, ["error"])


@pytest.mark.parametrize("kind", ["mailboxes", "aliases", "rewrites"])
@pytest.mark.parametrize(
    ("method", "rest"), [("PUT", ""), ("DELETE", ""), ("PATCH", ""), ("POST", "/x"), ("PATCH", "/x")]
)
def test_verb_that_a_path_does_not_have_is_no_success(api: httpx.Client, kind: str, method: str, rest: str) -> None:
    """Each path has the verbs of the map and no others (migadu-behaviour.md 1.1); the answer's status is not known."""
    before = api.get(kind).json()
    answer = api.request(method, f"{kind}{rest}", json={})

    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"].startswith("application/json")
    assert api.get(kind).json() == before


@pytest.mark.parametrize(
    "type_", ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8"]
)
def test_content_type_may_carry_a_charset(api: httpx.Client, type_: str) -> None:
    """With or without a charset the body is read (migadu-behaviour.md 2.21)."""
    body = mailbox(name="Ada Lovelace née Byron")
    sent = httpx.Request("POST", "http://x", json=body).read()
    answer = api.post("mailboxes", content=sent, headers={"content-type": type_})

    assert (answer.status_code, answer.json()["name"]) == (200, body["name"])


@pytest.mark.parametrize("type_", ["application/json", "application/json; charset=utf-8"])
def test_get_and_delete_may_have_a_content_type_without_a_body(api: httpx.Client, type_: str) -> None:
    """The header alone does no harm (migadu-behaviour.md 2.21)."""
    path = f"aliases/{api.post('aliases', json=alias()).json()['local_part']}"
    answers = [api.request(method, path, headers={"content-type": type_}) for method in ("GET", "DELETE")]

    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'"text"', b"null", b"7", b"\xff", b'{"name":NaN}', b'{"name":"\\ud800"}', b"[" * 9999],
    ids=range(10),
)
@pytest.mark.parametrize("kind", ["mailboxes", "aliases", "rewrites"])
def test_body_must_be_an_object(api: httpx.Client, kind: str, raw: bytes) -> None:
    """What is no JSON object is a bad request (migadu-api.txt, API Requests; migadu-behaviour.md 5)."""
    answer = api.post(kind, content=raw, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()) == BAD_REQUEST


@pytest.mark.parametrize(("kind", "make"), [("mailboxes", mailbox), ("aliases", alias), ("rewrites", rewrite)])
def test_duplicate_cannot_be_told_from_another_bad_request(api: httpx.Client, kind: str, make: object) -> None:
    """The 400 of a duplicate is the 400 of an empty body, to the byte (migadu-behaviour.md 2.5)."""
    body = make()
    api.post(kind, json=body)
    duplicate, bad = api.post(kind, json=body), api.post(kind, json={})

    assert (duplicate.status_code, duplicate.json()) == BAD_REQUEST
    assert (duplicate.status_code, duplicate.content) == (bad.status_code, bad.content)


def test_duplicate_identity_cannot_be_told_either(api: httpx.Client) -> None:
    """So it is with identities (migadu-behaviour.md 2.5)."""
    path = f"mailboxes/{api.post('mailboxes', json=mailbox()).json()['local_part']}/identities"
    body = identity()
    api.post(path, json=body)
    duplicate, bad = api.post(path, json=body), api.post(path, json={})

    assert (duplicate.status_code, duplicate.content) == (bad.status_code, bad.content)
    assert (duplicate.status_code, duplicate.json()) == BAD_REQUEST


def test_second_delete_is_404(api: httpx.Client) -> None:
    """What was deleted is 404 for GET and for a second DELETE (migadu-behaviour.md 2.3, 2.4)."""
    path = f"aliases/{api.post('aliases', json=alias()).json()['local_part']}"
    answers = [api.delete(path), api.get(path), api.delete(path)]

    assert [answer.status_code for answer in answers] == [200, 404, 404]


def test_lists_are_whole(api: httpx.Client) -> None:
    """There is no pagination: a list holds all there is (migadu-behaviour.md 1.2, 2.23)."""
    made = [api.post("aliases", json=alias()).json() for _ in range(12)]
    listed = api.get("aliases").json()["address_aliases"]

    assert all(alias in listed for alias in made)
