"""The autoreply of somebody who left: the policy's text as fields of the mailbox."""

from collections.abc import Mapping
from dataclasses import replace

from worker.mail import FieldValue
from worker.policy.document import AutoreplySection, Policy
from worker.policy.state import WantedMailbox
from worker.policy.view import PersonView


def with_autoreply(mailbox: WantedMailbox, view: PersonView, policy: Policy) -> WantedMailbox:
    """Return a leaver's mailbox with the policy's autoreply switched on, without an end."""
    text = policy.leaving.autoreply
    return mailbox if text is None else replace(mailbox, autoreply=_fields(text, view))


def _fields(text: AutoreplySection, view: PersonView) -> Mapping[str, FieldValue]:  # noqa: ARG001
    return {
        "autorespond_active": True,
        "autorespond_subject": text.subject,
        "autorespond_body": text.body,
        "autorespond_expires_on": None,
    }
