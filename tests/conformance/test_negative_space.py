"""What nobody documented: whatever is sent, the host answers in JSON, breaks nothing, and refuses as a whole."""

from typing import Any
from urllib.parse import quote_from_bytes

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.bodies import FAR_AHEAD, LONG_AGO, PASSWORD, Body, alias, forwarding, identity, mailbox, rewrite
from tests.conformance.made import KEYS
from tests.conformance.target import Target
from worker.sandbox import RunningSandbox

DOMAIN = "domains/example.org"
ADA, HOME = f"{DOMAIN}/mailboxes/ada", "ada@home.example"
HELD: list[tuple[str, Body]] = [
    (f"{DOMAIN}/mailboxes", mailbox(local_part="ada")),
    (f"{ADA}/identities", identity(local_part="king")),
    (f"{ADA}/forwardings", forwarding(address=HOME)),
    (f"{DOMAIN}/aliases", alias(local_part="team")),
    (f"{DOMAIN}/rewrites", rewrite(name="demo")),
]
"""One object of each kind, by the path of its kind."""
WRITES = [
    *(("POST", path) for path, _ in HELD),
    *(("PUT", f"{path}/{body[KEYS[path.rpartition('/')[2]]]}") for path, body in HELD),
    ("POST", "domains"),
    ("PATCH", DOMAIN),
]
FIELDS = """local_part name password password_method password_recovery_email password_use address destinations
    local_part_rule order_num is_internal is_active may_send may_receive expires_on expireable remove_upon_expiry
    forwarding_to spam_action sender_denylist daily_outgoing_limit autorespond_active autorespond_expires_on identities
    forwardings catchall_destinations tags hosted_dns create_default_addresses state"""
TEXTS = ["", "ada", "king", "new", "a b", "true", "invitation", "custom", "one,two", HOME, "x@y.example", "demo-*"]
OTHERS = [PASSWORD, FAR_AHEAD, LONG_AGO, "new.example", True, False, None, 0, -1, 2**70, 1.5, [], ["one"], {}]
VALUES = st.sampled_from([*TEXTS, *OTHERS])
SIMPLE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
ANYTHING = st.recursive(
    SIMPLE | VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=9,
)
LIKELY = st.dictionaries(st.sampled_from(FIELDS.split()), VALUES | ANYTHING, max_size=8)
BODIES = LIKELY | ANYTHING
SEGMENTS = st.sampled_from(
    [
        "domains",
        "example.org",
        "mailboxes",
        "ada",
        "identities",
        "forwardings",
        "aliases",
        "rewrites",
        "records",
        ".",
        "..",
    ]
) | st.binary(max_size=6).map(lambda raw: quote_from_bytes(raw, safe="@+"))
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"])


@pytest.fixture(scope="module")
def client(target: Target) -> httpx.Client:
    """One client for all examples: they number in the thousands."""
    with target.client() as client:
        yield client


@pytest.fixture(scope="module")
def control(sandbox: RunningSandbox) -> httpx.Client:
    """A client of the control, for all examples."""
    with httpx.Client(base_url=f"{sandbox.url}/_sandbox") as control:
        yield control


@pytest.fixture(scope="module")
def world(client: httpx.Client, control: httpx.Client) -> dict[str, Any]:
    """The state with one object of each kind."""
    for path, body in HELD:
        assert client.post(path, json=body).status_code == 200
    return control.get("state").json()


@pytest.mark.parametrize(("method", "path"), WRITES, ids=[f"{method} {path}" for method, path in WRITES])
@given(body=BODIES)
def test_write_is_200_or_400_and_a_400_changes_nothing(
    client: httpx.Client, control: httpx.Client, world: Body, method: str, path: str, body: Any
) -> None:
    """Any JSON is taken or is a bad request, never a fault of the host (migadu-api.txt, API Requests; 5)."""
    control.post("reset").raise_for_status()
    before = control.post("seed", json=world).json()
    answer = client.request(method, path, json=body)

    assert answer.status_code in (200, 400), answer.text
    assert isinstance(answer.json(), dict)
    assert answer.status_code == 200 or control.get("state").json() == before


@pytest.mark.parametrize(("auth", "allowed"), [(httpx.USE_CLIENT_DEFAULT, (200, 400, 404, 422)), (None, (401,))])
@given(method=METHODS, segments=st.lists(SEGMENTS, max_size=7))
def test_any_path_is_answered_in_json(
    client: httpx.Client, auth: Any, allowed: tuple[int, ...], method: str, segments: list[str]
) -> None:
    """Whatever stands below /v1 is known, unknown, bad or forbidden, and never a fault (5, common; 2.22)."""
    path = "/v1/" + "/".join(segments)
    request = client.build_request(method, "domains", json={}, extensions={"target": path.encode()})
    answer = client.send(request, auth=auth)

    assert answer.status_code in allowed, path
    assert answer.headers["content-type"].startswith("application/json")
    assert isinstance(answer.json(), dict)
