"""Forwardings: addresses elsewhere that receive a mailbox's mail once their owner has agreed."""

from datetime import datetime
from urllib.parse import quote

import httpx
import pytest

from tests.conformance.bodies import BAD_REQUEST, FAR_AHEAD, LONG_AGO, Body, alias, forwarding, fresh, mailbox


@pytest.fixture
def forwardings(api: httpx.Client) -> str:
    """The path of the forwardings of a new mailbox."""
    answer = api.post("mailboxes", json=mailbox())
    assert answer.status_code == 200, answer.text
    return f"mailboxes/{answer.json()['local_part']}/forwardings"


@pytest.fixture
def home(api: httpx.Client, forwardings: str) -> Body:
    """A forwarding of that mailbox."""
    answer = api.post(forwardings, json=forwarding())
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_create_answers_200_with_an_unconfirmed_forwarding(api: httpx.Client, forwardings: str) -> None:
    """It is active, and waits for the click: `confirmed_at` is null (migadu-behaviour.md 1.5; 3; 5, forwardings)."""
    body = forwarding()
    answer = api.post(forwardings, json=body)

    shown = answer.json()
    assert answer.status_code == 200
    assert set(shown) == {
        *("address", "blocked_at", "confirmation_sent_at", "confirmed_at"),
        *("expires_on", "is_active", "remove_upon_expiry"),
    }
    assert (shown["address"], shown["is_active"], shown["expires_on"]) == (body["address"], True, None)
    assert (shown["blocked_at"], shown["confirmed_at"]) == (None, None)
    assert shown["confirmation_sent_at"]
    assert shown["remove_upon_expiry"] in (None, False)


@pytest.mark.parametrize("safe", ["@", ""], ids=["raw", "percent-encoded"])
def test_list_show_update_and_delete_answer_the_forwarding(
    api: httpx.Client, forwardings: str, home: Body, safe: str
) -> None:
    """The key is the address, raw or with %40; each verb is 200 with the object (migadu-behaviour.md 1.1, 1.2, 2.1)."""
    path = f"{forwardings}/{quote(home['address'], safe=safe)}"

    listed, shown, updated = api.get(forwardings), api.get(path), api.put(path, json={"is_active": False})
    deleted = api.delete(path)

    assert [answer.status_code for answer in (listed, shown, updated, deleted)] == [200] * 4
    assert listed.json() == {"forwardings": [home]}
    assert shown.json() == home
    assert updated.json() == {**home, "is_active": False} == deleted.json()
    assert api.get(forwardings).json() == {"forwardings": []}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_missing_forwarding_is_404(api: httpx.Client, forwardings: str, home: Body, method: str) -> None:
    """What is not there, or no longer, is 404 (migadu-behaviour.md 2.4)."""
    path = f"{forwardings}/{home['address']}"
    api.delete(path)

    assert api.request(method, path, json={"is_active": False}).status_code == 404


@pytest.mark.parametrize(
    ("method", "rest"),
    [("GET", ""), ("POST", ""), ("GET", "/a@b.example"), ("PUT", "/a@b.example"), ("DELETE", "/a@b.example")],
)
def test_forwardings_of_a_missing_mailbox_are_404(api: httpx.Client, method: str, rest: str) -> None:
    """Without the mailbox every verb is 404 (migadu-behaviour.md 5, forwardings)."""
    answer = api.request(method, f"mailboxes/{fresh('nobody')}/forwardings{rest}", json=forwarding())

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "sent", [{"is_active": False}, {"expires_on": FAR_AHEAD, "remove_upon_expiry": True}, {"remove_upon_expiry": False}]
)
def test_create_echoes_options(api: httpx.Client, forwardings: str, sent: Body) -> None:
    """is_active, expires_on and remove_upon_expiry may be given at once (migadu-behaviour.md 1.5)."""
    answer = api.post(forwardings, json=forwarding(**sent))

    assert answer.status_code == 200
    assert sent.items() <= answer.json().items()


def test_full_instant_comes_back_as_the_same_day(api: httpx.Client, forwardings: str) -> None:
    """A full ISO instant is accepted, and what is shown is of the same day (migadu-behaviour.md 1.5)."""
    answer = api.post(forwardings, json=forwarding(expires_on=f"{FAR_AHEAD}T18:00:00.000Z"))

    assert answer.status_code == 200
    assert datetime.fromisoformat(answer.json()["expires_on"]).date().isoformat() == FAR_AHEAD


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"expires_on": FAR_AHEAD}, {"remove_upon_expiry": True}], ids=str
)
def test_update_changes_what_it_names_and_nothing_else(
    api: httpx.Client, forwardings: str, home: Body, change: Body
) -> None:
    """PUT is partial (migadu-behaviour.md 1.5, 2.17)."""
    answer = api.put(f"{forwardings}/{home['address']}", json=change)

    assert (answer.status_code, answer.json()) == (200, {**home, **change})


@pytest.mark.parametrize(
    "attempt",
    [
        {"address": "eve@evil.example"},
        {"blocked_at": "2026-01-01T00:00:00Z"},
        {"confirmation_sent_at": None},
        {"confirmed_at": "2026-01-01T00:00:00Z"},
        {"no_such_field": 1},
    ],
    ids=str,
)
def test_update_ignores_what_cannot_be_written(api: httpx.Client, forwardings: str, home: Body, attempt: Body) -> None:
    """The address is create-only, the times are read-only: 200, and nothing changes (migadu-behaviour.md 1.5, 2.16)."""
    answer = api.put(f"{forwardings}/{home['address']}", json=attempt)

    assert (answer.status_code, answer.json()) == (200, home)


def test_duplicate_is_400(api: httpx.Client, forwardings: str, home: Body) -> None:
    """The same target twice is 400 (migadu-behaviour.md 2.5; 5, forwardings)."""
    answer = api.post(forwardings, json={"address": home["address"]})

    assert (answer.status_code, answer.json()) == BAD_REQUEST


def test_two_mailboxes_may_have_one_target(api: httpx.Client, home: Body) -> None:
    """A forwarding is of one mailbox (migadu-behaviour.md 3, 5 mailboxes to one target)."""
    other = api.post("mailboxes", json=mailbox()).json()["local_part"]

    assert api.post(f"mailboxes/{other}/forwardings", json={"address": home["address"]}).status_code == 200


@pytest.mark.parametrize("address", ["", "ada", "@home.example", "ada@", "a b@home.example", "a@b@home.example", None])
def test_bad_address_is_400(api: httpx.Client, forwardings: str, address: str | None) -> None:
    """What is no address cannot be a target (migadu-behaviour.md 5, forwardings)."""
    answers = [api.post(forwardings, json=body) for body in ({"address": address}, {})]

    assert [(answer.status_code, answer.json()) for answer in answers] == [BAD_REQUEST] * 2


@pytest.mark.parametrize("expires_on", [LONG_AGO, "2099-02-30", "soon"])
def test_bad_or_past_date_is_400(api: httpx.Client, forwardings: str, home: Body, expires_on: str) -> None:
    """An expiry is a day to come, on create and on update (migadu-behaviour.md 2.18; 5, forwardings)."""
    created = api.post(forwardings, json=forwarding(expires_on=expires_on))
    updated = api.put(f"{forwardings}/{home['address']}", json={"expires_on": expires_on, "is_active": False})

    assert (created.status_code, created.json()) == BAD_REQUEST
    assert (updated.status_code, updated.json()) == BAD_REQUEST
    assert api.get(forwardings).json() == {"forwardings": [home]}


def test_target_on_an_active_domain_of_ours_is_confirmed_at_once(
    account: httpx.Client, api: httpx.Client, forwardings: str, domain: str
) -> None:
    """No click is needed there (migadu-behaviour.md 3, forwarding; 5)."""
    active = account.get(f"domains/{domain}").json()["state"] == "active"
    target = api.post("mailboxes", json=mailbox()).json()["address"]

    shown = api.post(forwardings, json={"address": target}).json()

    assert bool(shown["confirmed_at"]) is active


@pytest.mark.usefixtures("sandbox")
def test_target_on_an_inactive_domain_of_ours_needs_the_click(
    account: httpx.Client, forwardings: str, domain: str
) -> None:
    """Only an active domain of the account is trusted (migadu-behaviour.md 3, forwarding)."""
    inactive = account.post("domains", json={"name": f"{fresh('inactive')}.example"}).json()

    shown = account.post(f"domains/{domain}/{forwardings}", json={"address": f"ada@{inactive['name']}"}).json()

    assert (inactive["state"], shown["confirmed_at"]) == ("inactive", None)


def test_click_confirms_one_mailbox_and_target(
    control: httpx.Client, api: httpx.Client, forwardings: str, home: Body, domain: str
) -> None:
    """A confirmation counts for this mailbox only (migadu-behaviour.md 3, confirmation per mailbox and target)."""
    other = api.post("mailboxes", json=mailbox()).json()["local_part"]
    waiting = api.post(f"mailboxes/{other}/forwardings", json={"address": home["address"]}).json()
    ada = forwardings.split("/")[1]

    click = control.post("confirm", json={"mailbox": f"{ada}@{domain}", "address": home["address"]})

    assert click.status_code == 200
    assert api.get(f"{forwardings}/{home['address']}").json()["confirmed_at"]
    assert api.get(f"mailboxes/{other}/forwardings").json() == {"forwardings": [waiting]}


@pytest.mark.usefixtures("sandbox")
def test_too_many_are_400(api: httpx.Client, forwardings: str) -> None:
    """There is a limit per mailbox of a number not known (migadu-behaviour.md 3; 5); 100 are too many."""
    statuses = [api.post(forwardings, json=forwarding()).status_code for _ in range(100)]

    made = statuses.count(200)
    assert 1 <= made < 100
    assert statuses == [200] * made + [400] * (100 - made)
    assert len(api.get(forwardings).json()["forwardings"]) == made


def test_forwarding_takes_no_address_of_ours(api: httpx.Client, forwardings: str, domain: str) -> None:
    """A target is no address that the domain holds: it can be an alias at the same time (migadu-behaviour.md 2)."""
    body = alias()
    api.post(forwardings, json={"address": f"{body['local_part']}@{domain}"})

    assert api.post("aliases", json=body).status_code == 200
