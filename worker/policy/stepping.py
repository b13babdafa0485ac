"""In words what happens between two states: the policy's names of actions, for schedules and stories."""

from collections.abc import Iterator

from worker.mail import listed
from worker.policy.state import Access, DesiredPerson, Erased, Missing, NoMailbox, PersonState, WantedMailbox


def step_between(now: DesiredPerson, after: DesiredPerson) -> str:
    """Say in words what happens between two states: the policy's names of actions, as a list in a sentence."""
    words = [*_mailbox_steps(now.mailbox, after.mailbox)]
    if now.groups and not after.groups:
        words.insert(1, "leave-groups")
    return listed(words) or ("joining" if _begins(now, after) else "departure")


def _begins(now: DesiredPerson, after: DesiredPerson) -> bool:
    """Tell whether somebody works here from then on who did not, where nothing else tells the two states apart."""
    return after.phase in ("active", "suspended") or (now.phase, after.phase) == ("pending", "leaving")


def _mailbox_steps(now: PersonState, after: PersonState) -> Iterator[str]:
    if _access(now) != _access(after) and (word := _access_step(now, after)):
        yield word
    if isinstance(after, Erased) and not isinstance(now, Erased):
        yield "purge"
    if isinstance(after, WantedMailbox):
        yield from _stage_steps(now, after)
    elif isinstance(after, NoMailbox):
        yield from _address_steps(now, after)


def _stage_steps(now: PersonState, after: WantedMailbox) -> Iterator[str]:
    before = now if isinstance(now, WantedMailbox) else None
    if after.autoreply and not (before and before.autoreply):
        yield "autoreply"
    if _forwards(after) and not (before and _forwards(before)):
        yield "forward-to-manager"


def _address_steps(now: PersonState, after: NoMailbox) -> Iterator[str]:
    before = now if isinstance(now, NoMailbox) else NoMailbox()
    if _redirects(after) and not _redirects(before):
        yield "alias-to-manager"
    if after.release and not before.release:
        yield "release-address"


def _forwards(state: WantedMailbox) -> bool:
    return state.forward_to is not None or state.unexpressed is not None


def _redirects(state: NoMailbox) -> bool:
    return bool(state.aliases) or state.unexpressed is not None


def _access(state: PersonState) -> Access | type:
    return state.access if isinstance(state, WantedMailbox) else type(state)


def _access_step(now: PersonState, after: PersonState) -> str:
    if isinstance(after, NoMailbox):
        return "delete-mailbox" if isinstance(now, WantedMailbox) else ""
    if isinstance(after, Missing):
        return "create-mailbox"
    if not isinstance(after, WantedMailbox):
        return ""
    if after.access is Access.BLOCKED:
        return "block"
    if isinstance(now, WantedMailbox):
        return "reopen-mailbox"
    return "create-mailbox" if after.create else ""
