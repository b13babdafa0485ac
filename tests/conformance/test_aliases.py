"""Aliases: addresses whose mail goes to others on the same domain."""

import httpx
import pytest

from tests.conformance.bodies import BAD_REQUEST, FAR_AHEAD, LONG_AGO, Body, alias, fresh

NO_DESTINATIONS = ["", " , ", [], None, [""]]


@pytest.fixture
def team(api: httpx.Client) -> Body:
    """An alias as it was answered when it was made."""
    answer = api.post("aliases", json=alias())
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_create_answers_200_with_the_alias(api: httpx.Client, domain: str) -> None:
    """The answer has eight keys, real booleans and whole addresses (migadu-behaviour.md 1.6; 5, aliases)."""
    body = alias(is_internal="true")
    answer = api.post("aliases", json=body)

    shown = answer.json()
    assert answer.status_code == 200
    assert shown == {
        "local_part": body["local_part"],
        "domain_name": domain,
        "address": f"{body['local_part']}@{domain}",
        "destinations": [f"one@{domain}", f"two@{domain}"],
        "is_internal": True,
        "expireable": shown["expireable"],
        "expires_on": None,
        "remove_upon_expiry": shown["remove_upon_expiry"],
    }
    assert not shown["expireable"]
    assert not shown["remove_upon_expiry"]


def test_list_show_update_and_delete_answer_the_alias(api: httpx.Client, team: Body) -> None:
    """Each verb is 200 with the object, the list under `address_aliases` (migadu-behaviour.md 1.2, 2.1, 2.2)."""
    path = f"aliases/{team['local_part']}"

    listed, shown, updated = api.get("aliases"), api.get(path), api.put(path, json={"is_internal": True})
    deleted = api.delete(path)

    assert [answer.status_code for answer in (listed, shown, updated, deleted)] == [200] * 4
    assert list(listed.json()) == ["address_aliases"]
    assert team in listed.json()["address_aliases"]
    assert shown.json() == team
    assert updated.json() == {**team, "is_internal": True} == deleted.json()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_missing_alias_is_404(api: httpx.Client, team: Body, method: str) -> None:
    """What is not there, or no longer, is 404 (migadu-behaviour.md 2.4)."""
    path = f"aliases/{team['local_part']}"
    api.delete(path)

    assert api.request(method, path, json={"destinations": "one"}).status_code == 404


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("one@domain.tld,two@domain.tld", ["one", "two"]),
        (["one@domain.tld", "two@other.tld"], ["one", "two"]),
        ("one,two", ["one", "two"]),
        (["one", "two"], ["one", "two"]),
        (" one , two ", ["one", "two"]),
        (["one@{domain}"], ["one"]),
        (["one@ONE.tld", "one@two.tld"], ["one"]),
    ],
    ids=["csv-foreign", "array-foreign", "csv-bare", "array-bare", "spaces", "own", "same-after-rewriting"],
)
def test_destinations_end_on_the_own_domain(api: httpx.Client, domain: str, sent: object, shown: list[str]) -> None:
    """CSV or array; foreign domains are rewritten, bare local parts completed (migadu-behaviour.md 1.6; 5, aliases).

    That two which become one are shown once is our reading.
    """
    own = [part.format(domain=domain) for part in sent] if isinstance(sent, list) else sent
    answer = api.post("aliases", json=alias(destinations=own))

    assert (answer.status_code, answer.json()["destinations"]) == (200, [f"{part}@{domain}" for part in shown])


def test_destinations_are_lower_case(api: httpx.Client, domain: str) -> None:
    """Addresses are shown in lower case (migadu-behaviour.md 2.20)."""
    answer = api.post("aliases", json=alias(destinations=[f"One@{domain.upper()}"]))

    assert answer.json()["destinations"] == [f"one@{domain}"]


def test_update_replaces_the_destinations(api: httpx.Client, team: Body, domain: str) -> None:
    """PUT replaces the whole list and leaves the rest (migadu-behaviour.md 1.6, 2.17)."""
    answer = api.put(f"aliases/{team['local_part']}", json={"destinations": "three@domain.tld"})

    assert (answer.status_code, answer.json()) == (200, {**team, "destinations": [f"three@{domain}"]})


@pytest.mark.parametrize("nothing", NO_DESTINATIONS, ids=repr)
def test_alias_without_destinations_is_400(api: httpx.Client, nothing: object) -> None:
    """An alias must lead somewhere (migadu-behaviour.md 5, aliases)."""
    body = alias(destinations=nothing)
    answer = api.post("aliases", json=body)

    assert (answer.status_code, answer.json()) == BAD_REQUEST
    assert api.get(f"aliases/{body['local_part']}").status_code == 404


@pytest.mark.parametrize("nothing", NO_DESTINATIONS, ids=repr)
def test_update_cannot_empty_the_destinations(api: httpx.Client, team: Body, nothing: object) -> None:
    """Nor can it be made to lead nowhere later (migadu-behaviour.md 5, aliases); null counts as empty."""
    answer = api.put(f"aliases/{team['local_part']}", json={"destinations": nothing, "is_internal": True})

    assert (answer.status_code, answer.json()) == BAD_REQUEST
    assert api.get(f"aliases/{team['local_part']}").json() == team


@pytest.mark.parametrize("missing", ["local_part", "destinations"])
def test_create_requires(api: httpx.Client, missing: str) -> None:
    """Both fields must be there (migadu-behaviour.md 5, aliases; local part: as with mailboxes)."""
    body = alias()
    del body[missing]
    answer = api.post("aliases", json=body)

    assert (answer.status_code, answer.json()) == BAD_REQUEST


@pytest.mark.parametrize("sent", ["a b", "a@b", "", "a..b"])
@pytest.mark.usefixtures("sandbox")
def test_sandbox_refuses_what_is_no_local_part(api: httpx.Client, sent: str) -> None:
    """The facts say it of mailboxes; the sandbox wants a valid local part for aliases and destinations, too."""
    bodies = [alias(local_part=sent), *([alias(destinations=[sent])] if sent != "a@b" else [])]
    answers = [api.post("aliases", json=body) for body in bodies]

    assert {(answer.status_code, answer.text) for answer in answers} == {(400, '{"error":"bad request"}')}


def test_expiry_is_taken_and_shown_as_a_day(api: httpx.Client) -> None:
    """Expiry may be given at once and is shown as YYYY-MM-DD (migadu-behaviour.md 1.6)."""
    expiry = {"expireable": True, "expires_on": FAR_AHEAD, "remove_upon_expiry": True}
    answer = api.post("aliases", json=alias(**expiry))

    assert answer.status_code == 200
    assert expiry.items() <= answer.json().items()


@pytest.mark.usefixtures("sandbox")
def test_sandbox_refuses_a_past_expiry(api: httpx.Client) -> None:
    """The facts want a day to come for mailboxes and forwardings (2.18; 5); the sandbox wants it here, too."""
    answer = api.post("aliases", json=alias(expires_on=LONG_AGO))

    assert (answer.status_code, answer.json()) == BAD_REQUEST


@pytest.mark.parametrize(("sent", "shown"), [("true", True), (True, True), (False, False)], ids=repr)
def test_is_internal_is_taken_as_text_or_boolean(api: httpx.Client, team: Body, sent: object, shown: object) -> None:
    """Input may be "true" or true; output is a boolean (migadu-behaviour.md 1.3, is_internal)."""
    answer = api.put(f"aliases/{team['local_part']}", json={"is_internal": sent})

    assert (answer.status_code, answer.json()) == (200, {**team, "is_internal": shown})


@pytest.mark.parametrize(
    "attempt",
    [{"local_part": "eve"}, {"address": "eve@evil.example"}, {"domain_name": "evil.example"}, {"no_such_field": 1}],
    ids=str,
)
def test_update_ignores_what_cannot_be_written(api: httpx.Client, team: Body, attempt: Body) -> None:
    """Read-only and unknown keys are 200 and change nothing (migadu-api.txt, Aliases; migadu-behaviour.md 2.16)."""
    answer = api.put(f"aliases/{team['local_part']}", json=attempt)

    assert (answer.status_code, answer.json()) == (200, team)


def test_local_parts_are_lower_case(api: httpx.Client) -> None:
    """An alias is made and found in lower case (migadu-behaviour.md 2.20)."""
    local_part = fresh("Team")
    created = api.post("aliases", json=alias(local_part=local_part)).json()

    assert created["local_part"] == local_part.lower()
    assert api.get(f"aliases/{local_part.upper()}").json() == created
