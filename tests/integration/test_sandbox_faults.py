"""The sandbox's faults: each one, counted and combined, matched by method and path, and refused with a reason."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from worker.sandbox import RunningSandbox
from worker.wire import trusted

NOW = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
CREDENTIALS = ("admin@example.org", "sandbox-key")
MAILBOXES = "/v1/domains/example.org/mailboxes"
ADA = {"local_part": "ada", "name": "Ada Lovelace", "password": "Sup3r_s3cr3T"}
BROKEN = {"500": "500 Internal Server Error", "502": "502 Bad Gateway", "504": "504 Gateway Time-out"}


@pytest.fixture(scope="module")
def instants() -> list[datetime]:
    """The instants that the sandbox's clock has shown; the last one is now."""
    return [NOW]


@pytest.fixture(scope="module")
def serving(instants: list[datetime]) -> Iterator[RunningSandbox]:
    """One sandbox for all tests of this file."""
    with RunningSandbox(clock=lambda: instants[-1]) as sandbox:
        yield sandbox


@pytest.fixture
def client(serving: RunningSandbox) -> Iterator[httpx.Client]:
    """A client of a sandbox that is as good as new; control is below the same address."""
    with httpx.Client(base_url=serving.url, auth=CREDENTIALS, verify=trusted()) as client:
        client.post("/_sandbox/reset").raise_for_status()
        yield client


def _break(client: httpx.Client, *faults: dict[str, object]) -> None:
    client.post("/_sandbox/faults", json=list(faults)).raise_for_status()


def _is_made(client: httpx.Client) -> bool:
    return bool(client.get("/_sandbox/state").json()["domains"][0]["mailboxes"])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("status", BROKEN)
def test_fault_5xx(client: httpx.Client, status: str, when: str) -> None:
    """A 500, 502 or 504 comes before or after the call was applied (migadu-behaviour.md 2.3, 2.12)."""
    _break(client, {"fault": f"{status}-{when}-apply", "times": 1})

    answer = client.post(MAILBOXES, json=ADA)

    assert answer.status_code == int(status)
    assert _is_made(client) is (when == "after")
    assert client.get(MAILBOXES).status_code == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_fault_drop(client: httpx.Client, when: str, caplog: pytest.LogCaptureFixture) -> None:
    """The connection ends without a byte, before or after the call was applied, and nothing is logged (2.12)."""
    _break(client, {"fault": f"drop-{when}-apply", "times": 1})

    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.post(MAILBOXES, json=ADA)

    (call,) = client.get("/_sandbox/calls").json()["calls"]
    assert _is_made(client) is (when == "after")
    assert client.get(MAILBOXES).status_code == 200
    assert (call["status"], call["reason"]) == (None, f"drop-{when}-apply")
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("error", "application/json", '{"error":"bad gateway"}'),
        ("string", "application/json", '"bad gateway"'),
        ("text", "text/plain; charset=utf-8", "Bad Gateway"),
        ("html", "text/html", "<html><body><h1>502 Bad Gateway</h1>\n"),
        ("empty", None, ""),
        (None, "text/html", "<html><body><h1>502 Bad Gateway</h1>\n"),
    ],
)
def test_fault_body(client: httpx.Client, body: str | None, content_type: str | None, text: str) -> None:
    """A 5xx has whatever body is asked for, else the proxy's page (migadu-behaviour.md 2.6)."""
    _break(client, {"fault": "502-before-apply"} | ({"body": body} if body else {}))

    answer = client.get("/v1/domains")

    assert (answer.status_code, answer.headers.get("content-type")) == (502, content_type)
    assert answer.text.startswith(text)
    assert bool(answer.text) is bool(text)


def test_fault_500_is_an_error_object_by_default(client: httpx.Client) -> None:
    """The host's own accidents speak JSON, unless another body is asked for (migadu-behaviour.md 2.6)."""
    _break(client, {"fault": "500-before-apply"})

    assert client.get("/v1/domains").json() == {"error": "internal server error"}


@pytest.mark.parametrize("fault", ["429", "503"])
@pytest.mark.parametrize("given", [None, 7, 0.5, 0, 86_400, "Fri, 20 Nov 2026 09:06:00 GMT"])
def test_fault_retry_after(client: httpx.Client, fault: str, given: object) -> None:
    """429 and 503 say when to come back as they are told to, or not at all; nothing is applied (2.10)."""
    _break(client, {"fault": fault} | ({} if given is None else {"retry_after": given}))

    answer = client.post(MAILBOXES, json=ADA)

    assert answer.status_code == int(fault)
    assert answer.headers.get("retry-after") == (None if given is None else str(given))
    assert not _is_made(client)


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "words"),
    [
        ("throttle-403", 403, "text/html", "Request forbidden by administrative rules"),
        ("plan-limit-403", 403, "application/json", '{"error":"mailbox limit reached for unverified accounts, please'),
        ("401", 401, "application/json", '{"error":"The token is invalid or expired."}'),
    ],
)
def test_fault_refusals(client: httpx.Client, fault: str, status: int, content_type: str, words: str) -> None:
    """The proxy, the plan and the account refuse in their own words, and nothing is applied (2.7 to 2.9)."""
    _break(client, {"fault": fault})

    answer = client.post(MAILBOXES, json=ADA)

    assert (answer.status_code, answer.headers["content-type"]) == (status, content_type)
    assert words in answer.text
    assert "retry-after" not in answer.headers
    assert not _is_made(client)


def test_fault_ignore_fields(client: httpx.Client) -> None:
    """Named fields are not heard, the others are, and the answer is 200 (migadu-behaviour.md 1.3, 2.16)."""
    client.post(MAILBOXES, json=ADA)
    _break(client, {"fault": "ignore-fields", "fields": ["autorespond_active", "autorespond_subject"]})

    sent = {"autorespond_active": True, "autorespond_subject": "Gone", "name": "Ada King"}
    answer = client.put(f"{MAILBOXES}/ada", json=sent)

    assert answer.status_code == 200
    assert (answer.json()["autorespond_active"], answer.json()["name"]) == (None, "Ada King")
    assert client.get("/_sandbox/calls").json()["calls"][-1]["body"] == sent


def test_fault_stale_read(client: httpx.Client, instants: list[datetime]) -> None:
    """Reads answer from the world as it was so many seconds ago, writes from what is (migadu-behaviour.md 5)."""
    _break(client, {"match": {"method": "GET"}, "fault": "stale-read", "seconds": 10})
    client.post(MAILBOXES, json=ADA).raise_for_status()
    instants.append(NOW + timedelta(seconds=5))
    renamed = client.put(f"{MAILBOXES}/ada", json={"name": "Ada King"})

    seen = {}
    for after_s in (5, 9, 10, 14, 15):
        instants.append(NOW + timedelta(seconds=after_s))
        shown = client.get(f"{MAILBOXES}/ada")
        seen[after_s] = (shown.status_code, shown.json().get("name"), len(client.get(MAILBOXES).json()["mailboxes"]))

    before, first, second = (404, None, 0), (200, "Ada Lovelace", 1), (200, "Ada King", 1)
    assert renamed.status_code == 200
    assert seen == {5: before, 9: before, 10: first, 14: first, 15: second}


def test_fault_stale_read_ends_with_the_fault(client: httpx.Client) -> None:
    """When the fault is gone, reads are true again, and a later one knows nothing of the time between."""
    _break(client, {"fault": "stale-read", "seconds": 60})
    client.post(MAILBOXES, json=ADA).raise_for_status()
    stale = client.get(f"{MAILBOXES}/ada").status_code
    _break(client)
    fresh = client.get(f"{MAILBOXES}/ada").status_code
    client.put(f"{MAILBOXES}/ada", json={"name": "Ada King"}).raise_for_status()
    _break(client, {"fault": "stale-read", "seconds": 60})

    later = client.get(f"{MAILBOXES}/ada").json()

    assert (stale, fresh) == (404, 200)
    assert later["name"] == "Ada King"


def test_fault_latencies_add_up(client: httpx.Client) -> None:
    """Several latencies on a call add up; the call is applied only then (contracts.md 7)."""
    _break(client, {"fault": "latency", "seconds": 0.2}, {"fault": "latency", "seconds": [0.2, 0.3], "times": 1})

    started = time.monotonic()
    create = threading.Thread(target=client.post, args=(MAILBOXES,), kwargs={"json": ADA})
    create.start()
    while not client.get("/_sandbox/calls").json()["calls"]:
        assert time.monotonic() < started + 10
    is_made_meanwhile = _is_made(client)
    create.join()

    assert time.monotonic() - started >= 0.4
    assert not is_made_meanwhile
    assert _is_made(client)


def test_fault_null_booleans(client: httpx.Client) -> None:
    """Booleans that were seen as null are null where they are false, inside lists too; true stays (1.3)."""
    client.post(MAILBOXES, json={**ADA, "is_internal": True})
    client.post(f"{MAILBOXES}/ada/identities", json={"local_part": "king", "name": "Ada King"})
    _break(client, {"fault": "null-booleans"})

    (ada,) = client.get(MAILBOXES).json()["mailboxes"]

    names = ("is_internal", "footer_active", "expireable", "wildcard_sender", "may_access_managesieve")
    assert [ada[name] for name in names] == [True, None, None, None, False]
    assert ada["identities"][0]["footer_active"] is None


def test_fault_null_booleans_of_named_fields(client: httpx.Client) -> None:
    """Which booleans are null can be said (contracts.md 7)."""
    client.post(MAILBOXES, json=ADA)
    _break(client, {"fault": "null-booleans", "fields": ["may_access_managesieve"]})

    shown = client.get(f"{MAILBOXES}/ada").json()

    assert (shown["may_access_managesieve"], shown["footer_active"]) == (None, False)


def test_fault_poison(client: httpx.Client) -> None:
    """A poisoned object answers every call with 500, and nothing of it changes; others are well (2.13)."""
    for name in ("ada", "bob"):
        client.post(MAILBOXES, json={**ADA, "local_part": name}).raise_for_status()
    _break(client, {"match": {"path": f"{MAILBOXES}/ada"}, "fault": "poison"})

    poisoned = [client.request(method, f"{MAILBOXES}/Ada", json={"name": "X"}) for method in ("GET", "PUT", "DELETE")]
    well = client.put(f"{MAILBOXES}/bob", json={"name": "Bob"})

    assert [answer.status_code for answer in poisoned] == [500] * 3
    assert well.status_code == 200
    assert [box["name"] for box in client.get(MAILBOXES).json()["mailboxes"]] == ["Ada Lovelace", "Bob"]


@pytest.mark.parametrize(
    ("match", "meets"),
    [
        ({}, True),
        ({"method": "GET"}, True),
        ({"method": "PUT"}, False),
        ({"path": f"{MAILBOXES}/ada/forwardings/ada@home.example"}, True),
        ({"path": f"{MAILBOXES}/ada/forwardings/ada%40home.example"}, True),
        ({"path": "/v1/domains/*/mailboxes/*/forwardings/*@home.example"}, True),
        ({"path": "/v1/domains/*"}, False),
        ({"path": "/v1/*/forwardings/*"}, False),
        ({"path": f"{MAILBOXES}/ad./forwardings/*"}, False),
    ],
)
@pytest.mark.parametrize("at", ["@", "%40"])
def test_fault_match(client: httpx.Client, match: dict[str, str], meets: bool, at: str) -> None:  # noqa: FBT001
    """Method and path say which calls; a star is one segment's worth, and encoding makes no difference."""
    _break(client, {"match": match, "fault": "500-before-apply"})

    answer = client.get(f"{MAILBOXES}/ada/forwardings/ada{at}home.example")

    assert answer.status_code == (500 if meets else 404)


@pytest.mark.parametrize(
    ("method", "fault", "status"),
    [
        ("GET", {"fault": "503"}, 503),
        ("HEAD", {"fault": "503"}, 503),
        ("GET", {"fault": "stale-read", "seconds": 60}, 404),
        ("HEAD", {"fault": "stale-read", "seconds": 60}, 404),
    ],
)
def test_fault_of_a_get_meets_head(client: httpx.Client, method: str, fault: dict[str, object], status: int) -> None:
    """HEAD is a GET without the body, with a GET's faults; a fault for HEAD alone leaves GET as it is."""
    _break(client, {"match": {"method": method}, **fault})
    client.post(MAILBOXES, json=ADA).raise_for_status()

    head, get = client.head(f"{MAILBOXES}/ada"), client.get(f"{MAILBOXES}/ada")

    assert head.status_code == status
    assert get.status_code == (status if method == "GET" else 200)


def test_faults_are_counted_and_shown(client: httpx.Client) -> None:
    """What is left is shown with its count and can be posted again; what is used up is gone (contracts.md 7)."""
    twice = {"fault": "503", "times": 2, "match": {"method": "GET"}}
    always = {"fault": "latency", "seconds": 0}
    posted = client.post("/_sandbox/faults", json=[twice, always])

    statuses = [client.get("/v1/domains").status_code]
    left = client.get("/_sandbox/faults").json()
    statuses += [client.get("/v1/domains").status_code for _ in range(2)]

    assert (posted.status_code, posted.json()) == (200, [twice, always])
    assert left == [{**twice, "times": 1}, always]
    assert statuses == [503, 503, 200]
    assert client.get("/_sandbox/faults").json() == [always]


def test_faults_are_replaced_and_reset(client: httpx.Client) -> None:
    """A new list replaces the old one, an empty one and a reset end all (contracts.md 7)."""
    statuses = []
    for faults in ([{"fault": "503"}], [{"fault": "429"}], []):
        client.post("/_sandbox/faults", json=faults)
        statuses.append(client.get("/v1/domains").status_code)
    client.post("/_sandbox/faults", json=[{"fault": "503"}])
    client.post("/_sandbox/reset")

    assert statuses == [503, 429, 200]
    assert client.get("/_sandbox/faults").json() == []


def test_fault_first_outcome_wins_and_alone_is_counted(client: httpx.Client) -> None:
    """Of several outcomes on a call the first acts and the next waits its turn; all else combines (contracts.md 7)."""
    client.post(MAILBOXES, json=ADA)
    _break(
        client,
        {"fault": "ignore-fields", "fields": ["may_send"], "times": 1},
        {"fault": "500-after-apply", "times": 1},
        {"fault": "ignore-fields", "fields": ["may_receive"], "times": 1},
        {"fault": "503", "times": 1},
    )

    change = {"may_send": False, "may_receive": False, "name": "Ada King"}
    first = client.put(f"{MAILBOXES}/ada", json=change)
    left = client.get("/_sandbox/faults").json()
    second = client.get("/v1/domains")
    shown = client.get(f"{MAILBOXES}/ada").json()

    assert (first.status_code, second.status_code) == (500, 503)
    assert left == [{"fault": "503", "times": 1}]
    assert (shown["may_send"], shown["may_receive"], shown["name"]) == (True, True, "Ada King")


def test_fault_meets_only_calls_that_are_let_in(client: httpx.Client) -> None:
    """A call with wrong credentials is 401 first of all and uses no fault up (migadu-behaviour.md 5)."""
    _break(client, {"fault": "503", "times": 1})

    stranger = client.get("/v1/domains", auth=("admin@example.org", "wrong"))

    assert stranger.status_code == 401
    assert client.get("/v1/domains").status_code == 503


def test_fault_is_the_reason_in_the_list_of_calls(client: httpx.Client) -> None:
    """The list of calls names the faults that a call met, and why it would have been refused without them."""
    _break(client, {"fault": "latency", "seconds": 0}, {"fault": "502-after-apply"})
    client.get(f"{MAILBOXES}/nobody")

    (call,) = client.get("/_sandbox/calls").json()["calls"]

    assert (call["status"], call["reason"]) == (502, "latency, 502-after-apply (there is no such mailbox)")


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({}, "the faults are not a list"),
        ([{"fault": "503"}] * 1001, "there are more than 1000 faults"),
        (["503"], "[0]: not an object"),
        ([{"fault": "503"}, {}], "[1].fault: none of drop-before-apply, "),
        ([{"fault": "503-before-apply"}], "[0].fault: none of "),
        ([{"fault": "503", "time": 1}], "[0]: unknown field 'time'"),
        ([{"fault": "401", "body": "html"}], "[0]: unknown field 'body'"),
        ([{"fault": "503", "times": 0}], "[0].times: not a whole number from 1 on"),
        ([{"fault": "503", "times": True}], "[0].times: not a whole number from 1 on"),
        ([{"fault": "503", "body": "xml"}], "[0].body: none of error, string, text, html, empty"),
        ([{"fault": "429", "retry_after": -1}], "[0].retry_after: neither a number of seconds nor a date"),
        ([{"fault": "429", "retry_after": "1\r\nx: y"}], "[0].retry_after: neither a number of seconds nor a date"),
        ([{"fault": "429", "retry_after": 86_401}], "[0].retry_after: neither a number of seconds nor a date"),
        ([{"fault": "429", "retry_after": "7"}], "[0].retry_after: neither a number of seconds nor a date"),
        ([{"fault": "503", "retry_after": "tomorrow"}], "[0].retry_after: neither a number of seconds nor a date"),
        (
            [{"fault": "503", "retry_after": "Mon, 20 Nov 2026 09:06:00 GMT"}],
            "[0].retry_after: neither a number of seconds nor a date: 0 to 86400, or as HTTP writes it, Fri, 20 Nov ",
        ),
        ([{"fault": "latency"}], "[0].seconds: not a number of seconds from 0 to 3600"),
        ([{"fault": "latency", "seconds": [2, 1]}], "[0].seconds: not two numbers of seconds, the lower first"),
        ([{"fault": "stale-read", "seconds": "1"}], "[0].seconds: not a number of seconds"),
        ([{"fault": "ignore-fields"}], "[0].fields: not a list of names of fields"),
        ([{"fault": "null-booleans", "fields": [1]}], "[0].fields: not a list of names of fields"),
        ([{"fault": "ignore-fields", "fields": ["name", "may_sned"]}], "[0].fields: 'may_sned' is not a field of any"),
        ([{"fault": "null-booleans", "fields": ["name"]}], "[0].fields: 'name' is not a boolean field of any object"),
        ([{"fault": "503", "match": {"path": "/domains"}}], "[0].match.path: not a text that begins with /v1/"),
        ([{"fault": "503", "match": {"path": "/v1/domains/**"}}], "[0].match.path: ** is not known"),
        ([{"fault": "503", "match": {"path": "/v1/domains/"}}], "[0].match.path: there is an empty segment"),
        ([{"fault": "503", "match": {"path": "/v1/domains//aliases"}}], "[0].match.path: there is an empty segment"),
        ([{"fault": "503", "match": {"path": "/v1/domains?page=2"}}], "[0].match.path: only the path is compared"),
        ([{"fault": "503", "match": {"path": "/v1/domains#top"}}], "[0].match.path: only the path is compared"),
        ([{"fault": "503", "match": {"path": "/v1/"}}], "[0].match.path: there is an empty segment"),
        ([{"fault": "503", "match": {"path": 7}}], "[0].match.path: not a text that begins with /v1/"),
        ([{"fault": "503", "match": {"method": "FETCH"}}], "[0].match.method: none of GET, "),
        ([{"fault": "stale-read", "seconds": 1, "match": {"method": "PUT"}}], "[0].match.method: none of GET, HEAD, "),
        ([{"fault": "503", "match": {"paths": "/v1/x"}}], "[0].match: unknown field 'paths'"),
        ([{"fault": "503", "match": []}], "[0].match: not an object"),
        ([{"fault": "poison"}], "[0].match.path: poison needs the path of an object"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_faults_are_refused_with_place_and_reason(client: httpx.Client, faults: object, said: str) -> None:
    """A list that cannot be read is 400 with one sentence, and the faults that are on stay on (contracts.md 7)."""
    _break(client, {"fault": "429"})

    answer = client.post("/_sandbox/faults", json=faults)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(said)
    assert client.get("/_sandbox/faults").json() == [{"fault": "429"}]
