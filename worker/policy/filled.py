"""The fields of the host that a person's mailbox should have, with what is known of the person put into the texts."""

from collections.abc import Mapping

from worker.mail import FieldValue
from worker.policy.display import display_name
from worker.policy.document import Policy
from worker.policy.mailbox_fields import HTML_FIELDS
from worker.policy.texts import Text
from worker.policy.view import PersonView


def fields_of(view: PersonView, policy: Policy) -> Mapping[str, FieldValue]:
    """Return the fields that the policy manages, and no other: what it does not name stays as the person has it.

    Of the overrides whose rule matches, later ones win.
    """
    settings = dict(policy.mailbox)
    for override in policy.overrides:
        if override.people.matches(view.profile.facts):
            settings |= override.mailbox
    return {
        name: filled(value, view, policy, in_html=name in HTML_FIELDS) if isinstance(value, Text) else value
        for name, value in settings.items()
    }


def filled(text: Text, view: PersonView, policy: Policy, *, in_html: bool = False) -> str:
    """Return a text of the policy as it reads for this person; ``{displayName}`` is what correspondents see."""
    facts = {**view.profile.facts, "displayName": display_name(view.profile.facts, policy)}
    return text.render(facts, view.address, view.manager, in_html=in_html)
