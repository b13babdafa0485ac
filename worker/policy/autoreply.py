"""The autoreply of somebody who left: the policy's text as fields of the mailbox."""

from collections.abc import Mapping
from dataclasses import replace

from worker.mail import FieldValue
from worker.policy.document import AutoreplySection, Policy
from worker.policy.filled import filled
from worker.policy.state import WantedMailbox
from worker.policy.view import PersonView


def with_autoreply(mailbox: WantedMailbox, view: PersonView, policy: Policy) -> WantedMailbox:
    """Return a leaver's mailbox with the policy's autoreply switched on, without an end."""
    text = policy.leaving.autoreply
    return mailbox if text is None else replace(mailbox, autoreply=_fields(text, view, policy))


def _fields(text: AutoreplySection, view: PersonView, policy: Policy) -> Mapping[str, FieldValue]:
    return {
        "autorespond_active": True,
        "autorespond_subject": filled(text.subject, view, policy),
        "autorespond_body": filled(text.body, view, policy),
        "autorespond_expires_on": None,
    }
