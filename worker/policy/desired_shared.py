"""What a shared address or a rewrite should be: its members that exist, else its fallback, else nothing."""

from collections.abc import Mapping
from typing import assert_never

from worker.mail import FieldValue, bare, domain_of
from worker.policy.document import GroupSection, Policy, RewriteSection
from worker.policy.state import Decision, DesiredShared
from worker.policy.view import SharedView


def desired_shared(view: SharedView, policy: Policy) -> Decision[DesiredShared]:
    """Return the destinations and fields; no destinations where it should not exist. Never changes by time alone.

    The host refuses an empty list (`migadu-behaviour.md` 1.6), so what has no members has its fallback or goes; so does
    what the policy names no more. Members whose mailbox is in another domain are left out: the host would turn their
    addresses into addresses of its own domain (`migadu-behaviour.md` 1.6). Who stays for now counts as a member.
    """
    section = policy.lists.get(view.key)
    if section is None:
        return Decision(DesiredShared(None), None)
    domain = domain_of(bare(view.key))
    fallback = frozenset() if section.fallback is None else frozenset({policy.address_of(section.fallback, domain)})
    members = frozenset(member for member in view.members | view.staying if domain_of(member) == domain)
    wanted = DesiredShared(members or fallback or None, left_out=view.members - members, fields=_fields(section))
    return Decision(wanted, None)


def _fields(section: GroupSection | RewriteSection) -> Mapping[str, FieldValue]:
    match section:
        case GroupSection(internal=None):
            return {}  # somebody may have set it at the host, and nobody here says that it should be otherwise
        case GroupSection(internal=internal):
            return {"is_internal": internal}
        case RewriteSection():
            return {"local_part_rule": section.local_part_rule, "order_num": section.order}
        case _:
            assert_never(section)
