"""A domain that the mail host has no more: whoever needs it is held at once, nothing is forgotten, and all goes on."""

from datetime import timedelta

import httpx
import pytest

from tests.integration.office import Office
from worker.bell import SilentBell
from worker.execution import sweep_once, verbs

GONE = "the mail host has no domain example.org: add it there, or mend organisation.domain or [[domains]] in the policy"
AN_HOUR = timedelta(hours=1)


class Domain:
    """The account's domain at the host, which can be taken away with all that it holds, and given back."""

    def __init__(self, office: Office) -> None:
        self._control = office.url.removesuffix("/v1") + "/_sandbox/"
        self._held = httpx.get(f"{self._control}state").raise_for_status().json()

    def vanish(self) -> None:
        """Take it from the account."""
        others = {"domains": [{"name": "example.net", "mailboxes": [], "aliases": [], "rewrites": []}]}
        httpx.post(f"{self._control}seed", json=others).raise_for_status()

    def return_(self) -> None:
        """Give it back as it was."""
        httpx.post(f"{self._control}seed", json=self._held).raise_for_status()


@pytest.fixture
def domain(office: Office) -> Domain:
    """The domain of an office with two engineers."""
    office.employ("Ada Lovelace", "Grace Hopper", department="Engineering")
    return Domain(office)


def _held(office: Office) -> list[tuple[str, str | None]]:
    return sorted((kind, reason) for kind, state, reason in office.outstanding() if state == "held")


def test_whoever_needs_the_domain_is_held_at_once_with_the_mend(office: Office, domain: Domain) -> None:
    """People and lists alike, joiners, movers and leavers; nobody waits for days for what does not come by itself."""
    domain.vanish()

    office.tell("renamed", "E1", familyName="King")
    office.tell("left", "E2")
    office.join("E3", "Alan Turing", department="Support")
    office.drain()

    assert {kind for kind, _ in _held(office)} >= {"person", "shared"}
    assert {reason for _, reason in _held(office)} == {GONE}
    assert {state for _, state, _ in office.outstanding()} == {"held"}


def test_all_goes_on_by_itself_when_the_domain_is_back(office: Office, domain: Domain) -> None:
    """The ledger still knows what was ours in it, so the work is done as if the domain had never been away."""
    domain.vanish()
    office.tell("renamed", "E1", familyName="King")
    office.tell("left", "E2")
    office.drain()

    domain.return_()
    office.move(AN_HOUR)
    sweep_once(office.execution, 1)
    office.drain()

    assert office.outstanding() == []
    assert office.mailboxes()["ada.lovelace"]["name"] == "Ada King"
    assert not any(office.doors("grace.hopper").values())
    assert office.aliases() == {"engineering": {"ada.lovelace"}}


def test_a_retry_goes_on_at_once(office: Office, domain: Domain) -> None:
    """An operator who has mended it need not wait for the next look."""
    domain.vanish()
    office.tell("updated", "E1", department="Support", nickName="Countess")
    office.drain()
    domain.return_()

    for job in office.jobs():
        if job.finished_at is None:
            verbs.retry(office.database, office.clock, SilentBell(), job.id, "test")
    office.drain()

    assert office.outstanding() == []
    assert office.aliases() == {"engineering": {"grace.hopper"}, "support": {"ada.lovelace"}}


def test_one_mailbox_that_is_gone_is_not_taken_for_the_domain(office: Office, domain: Domain) -> None:
    """It is made anew, as one that was deleted behind our back."""
    office.host("DELETE", "mailboxes/ada.lovelace")

    office.tell("updated", "E1", nickName="Countess")
    office.drain()

    assert set(office.mailboxes()) == {"ada.lovelace", "grace.hopper"}
    assert office.outstanding() == []
