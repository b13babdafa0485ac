"""Migadu's moods, each called up in the sandbox by its fault (contracts.md 7)."""

import time

import httpx
import pytest

from tests.conformance.bodies import Body, alias, mailbox
from worker.sandbox import RunningSandbox

AUTOREPLY = {"autorespond_active": True, "autorespond_subject": "Away"}
HTML = "text/html"
MAILBOXES = "/v1/domains/*/mailboxes"
MAILBOX = "/v1/domains/*/mailboxes/*"


@pytest.fixture
def ada(api: httpx.Client) -> Body:
    """A mailbox as it was answered when it was made."""
    answer = api.post("mailboxes", json=mailbox())
    assert answer.status_code == 200, answer.text
    return answer.json()


def order(control: httpx.Client, fault: str, method: str, path: str, **settings: object) -> None:
    """Have the next call of this method and path meet a fault; the poisoned meet it every time."""
    times = {} if fault == "poison" else {"times": 1}
    rule = {"match": {"method": method, "path": path}, "fault": fault, **times, **settings}
    control.post("faults", json=[rule]).raise_for_status()


def test_delete_may_answer_500_although_applied(api: httpx.Client, control: httpx.Client, ada: Body) -> None:
    """Then GET is 404 and a second DELETE is 404 (migadu-behaviour.md 2.3)."""
    path = f"mailboxes/{ada['local_part']}"
    order(control, "500-after-apply", "DELETE", MAILBOX)

    answers = [api.delete(path), api.get(path), api.delete(path)]

    assert [answer.status_code for answer in answers] == [500, 404, 404]


def test_create_may_be_applied_and_never_answered(api: httpx.Client, control: httpx.Client) -> None:
    """The mailbox is there, and a blind repetition is 400 (migadu-behaviour.md 2.12)."""
    body = mailbox()
    order(control, "drop-after-apply", "POST", MAILBOXES)

    with pytest.raises(httpx.TransportError):
        api.post("mailboxes", json=body)

    assert api.get(f"mailboxes/{body['local_part']}").status_code == 200
    assert api.post("mailboxes", json=body).status_code == 400
    assert api.delete(f"mailboxes/{body['local_part']}").status_code == 200


@pytest.mark.parametrize("fault", ["500-before-apply", "502-before-apply", "503", "504-before-apply"])
def test_server_error_before_it_was_applied_changes_nothing(
    api: httpx.Client, control: httpx.Client, ada: Body, fault: str
) -> None:
    """5xx come before the work as well; the body may be anything (migadu-behaviour.md 2.6; 5, fault modes)."""
    path = f"mailboxes/{ada['local_part']}"
    order(control, fault, "PUT", MAILBOX)

    failed = api.put(path, json={"name": "Ada King"})

    assert failed.status_code == int(fault[:3])
    assert api.get(path).json()["name"] == ada["name"]


@pytest.mark.parametrize("fault", ["500-after-apply", "502-after-apply", "504-after-apply"])
def test_server_error_after_it_was_applied_leaves_the_change(
    api: httpx.Client, control: httpx.Client, ada: Body, fault: str
) -> None:
    """5xx may hide a success (migadu-behaviour.md 2.3; 5, fault modes)."""
    path = f"mailboxes/{ada['local_part']}"
    order(control, fault, "PUT", MAILBOX)

    failed = api.put(path, json={"name": "Ada King"})

    assert failed.status_code == int(fault[:3])
    assert api.get(path).json()["name"] == "Ada King"


@pytest.mark.parametrize(
    ("body", "type_"), [("string", "application/json"), ("error", "application/json"), ("text", "text/plain")]
)
def test_server_error_says_so_in_one_of_three_ways(
    api: httpx.Client, control: httpx.Client, body: str, type_: str
) -> None:
    """A bare JSON string, an object with `error`, or plain text (migadu-behaviour.md 2.6)."""
    order(control, "500-before-apply", "GET", MAILBOXES, body=body)

    answer = api.get("mailboxes")

    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (500, type_)
    if type_ == "application/json":
        assert isinstance(answer.json() if body == "string" else answer.json()["error"], str)


def test_throttle_is_a_403_page_of_the_proxy(api: httpx.Client, control: httpx.Client) -> None:
    """HTML, the proxy's words, no Retry-After (migadu-behaviour.md 2.8)."""
    order(control, "throttle-403", "GET", MAILBOXES)

    answer = api.get("mailboxes")

    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (403, HTML)
    assert "Request forbidden by administrative rules" in answer.text
    assert "retry-after" not in answer.headers


@pytest.mark.usefixtures("sandbox")
def test_sixty_calls_pass_and_the_next_is_throttled() -> None:
    """The limit is about 60 requests in 2 minutes; 61 meet the proxy (migadu-behaviour.md 2.8)."""
    with (
        RunningSandbox(rate_limit=(60, 120.0)) as limited,
        httpx.Client(base_url=limited.api_url, auth=("admin@example.org", "sandbox-key")) as client,
    ):
        answers = [client.get("domains") for _ in range(61)]

    assert [answer.status_code for answer in answers] == [200] * 60 + [403]
    assert "Request forbidden by administrative rules" in answers[-1].text


def test_plan_limit_is_a_403_with_a_reason(api: httpx.Client, control: httpx.Client) -> None:
    """It is JSON, tells why, and nothing is made (migadu-behaviour.md 2.9; 5, POST mailboxes)."""
    body = mailbox()
    order(control, "plan-limit-403", "POST", MAILBOXES)

    answer = api.post("mailboxes", json=body)

    reason = "mailbox limit reached for unverified accounts, please contact support!"
    assert (answer.status_code, answer.json()) == (403, {"error": reason})
    assert api.get(f"mailboxes/{body['local_part']}").status_code == 404


def test_429_carries_retry_after(api: httpx.Client, control: httpx.Client) -> None:
    """Nobody has seen one, but clients handle it (migadu-behaviour.md 2.10; contracts.md 7, retry_after)."""
    order(control, "429", "GET", MAILBOXES, retry_after=7)

    answer = api.get("mailboxes")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_key_can_expire(api: httpx.Client, control: httpx.Client) -> None:
    """The message is that of bad credentials (migadu-behaviour.md 2.7)."""
    order(control, "401", "GET", MAILBOXES)

    answer = api.get("mailboxes")

    assert (answer.status_code, answer.json()) == (401, {"error": "The token is invalid or expired."})


def test_poisoned_mailbox_is_500_every_time(api: httpx.Client, control: httpx.Client, ada: Body) -> None:
    """One mailbox failed for 18 days while others worked (migadu-behaviour.md 2.13; 5, PUT mailboxes)."""
    other = api.post("mailboxes", json=mailbox()).json()
    order(control, "poison", "PUT", f"{MAILBOXES}/{ada['local_part']}")

    attempts = [api.put(f"mailboxes/{ada['local_part']}", json={"password": "An0ther_s3cr3T"}) for _ in range(5)]
    healthy = api.put(f"mailboxes/{other['local_part']}", json={"password": "An0ther_s3cr3T"})

    assert [answer.status_code for answer in attempts] == [500] * 5
    assert healthy.status_code == 200


def test_booleans_may_be_null(api: httpx.Client, control: httpx.Client, ada: Body) -> None:
    """Some answers have null where a boolean is expected (migadu-behaviour.md 1.3, booleans)."""
    order(control, "null-booleans", "GET", MAILBOX)

    shown = api.get(f"mailboxes/{ada['local_part']}").json()

    assert shown["is_internal"] is None
    assert (shown["address"], shown["name"]) == (ada["address"], ada["name"])


def test_autoresponder_may_be_ignored(api: httpx.Client, control: httpx.Client, ada: Body) -> None:
    """200, and the echo shows that it did not take (migadu-behaviour.md 1.3, autoresponder warning; 2.16)."""
    path = f"mailboxes/{ada['local_part']}"
    order(control, "ignore-fields", "PUT", MAILBOX, fields=list(AUTOREPLY))

    answer = api.put(path, json={**AUTOREPLY, "name": "Ada King"})

    shown = answer.json()
    assert (answer.status_code, shown["name"]) == (200, "Ada King")
    assert {key: shown[key] for key in AUTOREPLY} == {key: ada[key] for key in AUTOREPLY}


def test_read_may_be_stale_for_a_while(api: httpx.Client, control: httpx.Client) -> None:
    """What was just made may be 404, and is there a little later (migadu-behaviour.md 2.15; 5, fault modes)."""
    body = alias()
    order(control, "stale-read", "GET", "/v1/domains/*/aliases/*", seconds=60)
    api.post("aliases", json=body)
    path = f"aliases/{body['local_part']}"

    statuses = [api.get(path).status_code, api.get(path).status_code]

    assert statuses == [404, 200]


def test_latency_delays_the_answer(api: httpx.Client, control: httpx.Client) -> None:
    """Calls take half a second and more (migadu-behaviour.md 2.11)."""
    order(control, "latency", "GET", MAILBOXES, seconds=0.5)
    started = time.monotonic()

    assert api.get("mailboxes").status_code == 200
    assert time.monotonic() - started >= 0.5
