"""The autoreply of somebody who left: the policy's text as fields of the mailbox."""

from collections.abc import Mapping
from dataclasses import replace

from worker.mail import FieldValue
from worker.policy.document import AutoreplySection, Policy
from worker.policy.filled import filled
from worker.policy.handover import both
from worker.policy.stand_in import NOBODY_STANDS_IN, stand_in
from worker.policy.state import WantedMailbox
from worker.policy.view import Manager, PersonView

_OF_THE_MANAGER = "manager."


def with_autoreply(mailbox: WantedMailbox, view: PersonView, policy: Policy) -> WantedMailbox:
    """Return a leaver's mailbox with the policy's autoreply switched on, without an end.

    Where a text names the manager, whoever stands in is named; without anybody no correspondent is told to write to
    nobody, and the sentence that says so comes instead.
    """
    text = policy.leaving.autoreply
    if text is None:
        return mailbox
    to = stand_in(view, policy)
    if to is None and _names_the_manager(text):
        return replace(mailbox, unexpressed=both(mailbox.unexpressed, NOBODY_STANDS_IN))
    manager = view.manager or (to and Manager(to, display_name=to))  # of a fallback the address is all there is
    return replace(mailbox, autoreply=_fields(text, replace(view, manager=manager or None), policy))


def _names_the_manager(text: AutoreplySection) -> bool:
    insertions = (*text.subject.insertions, *text.body.insertions)
    return any(insertion.name.startswith(_OF_THE_MANAGER) for insertion in insertions)


def _fields(text: AutoreplySection, view: PersonView, policy: Policy) -> Mapping[str, FieldValue]:
    return {
        "autorespond_active": True,
        "autorespond_subject": filled(text.subject, view, policy),
        "autorespond_body": filled(text.body, view, policy),
        "autorespond_expires_on": None,
    }
