"""One namespace of addresses per domain: mailboxes, identities and aliases never share one."""

from itertools import product

import httpx
import pytest

from tests.conformance.bodies import BAD_REQUEST, alias, fresh, identity, mailbox

KINDS = ["mailbox", "identity", "alias"]
PAIRS = list(product(KINDS, KINDS))
MAKE = {"mailbox": mailbox, "identity": identity, "alias": alias}


def create(api: httpx.Client, kind: str, local_part: str) -> httpx.Response:
    """Create an object of this kind at an address, an identity on a mailbox of its own."""
    path = {"mailbox": "mailboxes", "alias": "aliases"}.get(kind)
    if path is None:
        path = f"mailboxes/{api.post('mailboxes', json=mailbox()).json()['local_part']}/identities"
    return api.post(path, json=MAKE[kind](local_part=local_part))


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_taken_address_is_400(api: httpx.Client, first: str, second: str) -> None:
    """Whatever holds an address, nothing else can be made there (migadu-behaviour.md 2, namespaces; 2.5; 5; 7.2)."""
    local_part = fresh("taken")
    held = create(api, first, local_part)
    answer = create(api, second, local_part.upper())

    assert held.status_code == 200
    assert (answer.status_code, answer.json()) == BAD_REQUEST


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_freed_address_can_be_taken(api: httpx.Client, first: str, second: str) -> None:
    """What was deleted holds no address any more (migadu-behaviour.md 2, namespaces; 3, rename)."""
    local_part = fresh("freed")
    held = create(api, first, local_part)
    api.delete(str(held.request.url.copy_with(path=f"{held.request.url.path}/{local_part}")))

    assert create(api, second, local_part).status_code == 200


def test_identity_cannot_have_its_mailbox_address(api: httpx.Client) -> None:
    """An identity differs from its mailbox (migadu-behaviour.md 1.4, panel rule; 2, namespaces)."""
    local_part = api.post("mailboxes", json=mailbox()).json()["local_part"]
    answer = api.post(f"mailboxes/{local_part}/identities", json=identity(local_part=local_part))

    assert (answer.status_code, answer.json()) == BAD_REQUEST


@pytest.mark.usefixtures("sandbox")
def test_each_domain_has_a_namespace_of_its_own(account: httpx.Client, api: httpx.Client) -> None:
    """The same local part on another domain is another address (migadu-behaviour.md 2, namespaces: per domain)."""
    other = f"{fresh('other')}.example"
    account.post("domains", json={"name": other}).raise_for_status()
    body = mailbox()

    answers = [api.post("mailboxes", json=body), account.post(f"domains/{other}/mailboxes", json=body)]

    assert [answer.status_code for answer in answers] == [200, 200]
