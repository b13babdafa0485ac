"""What is written down of others about somebody who was erased, and what operators can still do about them: nothing."""

from collections.abc import Callable

import pytest

from tests.integration.office import DAY, POLICY, Office
from tests.integration.test_erasure_of_people import STAGES, everything
from worker.execution.passwords import reset_password
from worker.execution.verbs import NotAllowedNow
from worker.intake.merging import MergeRefused, merge, split

ANSWERED = (
    POLICY
    + '[leaving]\nfallback = "postmaster"\n'
    + 'autoreply = { subject = "See {manager.displayName}", body = "{manager.displayName} <{manager.address}>" }\n'
    + STAGES.replace('"leave-groups"]', '"leave-groups", "autoreply", "forward-to-manager"]')
)


def test_texts_of_others_name_nobody_who_was_erased(office: Office) -> None:
    """An autoreply that told whom to write to, and lists and forwardings, keep neither an address nor a former name."""
    office.activate(ANSWERED)
    office.join("E1", "Zoë Lovelace")
    office.join("E2", "Bob Baker", manager="E1")
    office.join("E3", "Cora Cook", manager="E1")
    office.drain()
    office.move(DAY)
    office.tell("left", "E2")
    office.drain()
    office.tell("renamed", "E1", familyName="Kingsborough")
    office.tell("left", "E3")
    office.drain()
    office.work_on(11 * DAY, every=DAY)
    assert all(name in everything(office) for name in ("lovelace", "kingsborough"))
    office.tell("left", "E1")
    office.tell("purged", "E1")
    office.drain()
    office.work_on(40 * DAY, every=DAY)

    left = everything(office)
    assert office.people()[0].phase == "erased"
    assert [word for word in ("lovelace", "kingsborough", "zoe", "zo\\u00eb", "zoë") if word in left] == []
    assert "(erased) <(erased)>" in left


def test_who_was_parted_from_somebody_leaves_no_name_with_them(office: Office) -> None:
    """After a wrong merge and its split neither the other's mailbox, calls nor the audit name who is erased later."""
    office.join("E1", "Grace Hopper")
    office.join("key-two", "Quin Qual")
    office.tell("joining_cancelled", "key-two")
    office.drain()
    merge(office.intake, 1, 2, actor="cli:root")
    office.drain()
    split(office.intake, 1, [("hr", "key-two")], actor="cli:root")
    office.drain()
    assert "quin" in everything(office)
    office.move(DAY)
    office.tell("purged", "key-two")
    office.drain()

    left = everything(office)
    assert office.people()[1].phase == "erased"
    assert [word for word in ("quin", "qual", "key-two") if word in left] == []
    assert office.mailboxes()["grace.hopper"]["name"] == "Grace Hopper"


@pytest.mark.parametrize(
    "ask",
    [
        lambda office: merge(office.intake, 2, 1, actor="cli:root"),
        lambda office: merge(office.intake, 1, 2, actor="cli:root"),
        lambda office: split(office.intake, 2, [("hr", "E2")], actor="cli:root"),
        lambda office: reset_password(office.execution, 2, actor="cli:root"),
    ],
)
def test_nothing_can_be_done_about_who_was_erased(office: Office, ask: Callable[[Office], object]) -> None:
    """No records are given to or taken from them, and no password is set: each is refused with that sentence."""
    office.employ("Grace Hopper")
    office.tell("updated", "E2", givenName="Ada")
    office.tell("purged", "E2")
    office.drain()
    assert office.people()[1].phase == "erased"

    with pytest.raises((MergeRefused, NotAllowedNow), match="person 2 was erased"):
        ask(office)
    office.drain()
    assert office.doors("grace.hopper")["imap"]
    assert office.people()[0].phase == "active"
