"""What the roster and the address ledger have to say of a policy file, where there is a database to ask."""

from collections.abc import Iterator
from dataclasses import dataclass

from worker.cli.opening import opened
from worker.cli.sentences import FORESEEN, sentence
from worker.mail import Address, agreeing, counted, domain_of
from worker.policy import Hint, PersonView, Policy, RosterLook
from worker.roster import EmploymentKind
from worker.store import addresses, domains
from worker.store.database import Session
from worker.store.views import everybody
from worker.toml.lines import KeyPath

_WORKS_HERE = (EmploymentKind.JOINED, EmploymentKind.LEAVING_CANCELLED)


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of the look."""

    hints: tuple[Hint, ...]
    people: int | None
    """How many were looked at; None where there was no roster to look at."""
    said: str


def look_at_roster(policy: Policy) -> Looked:
    """Try a policy on everybody who works here or has a mailbox. Says why, where there is nobody to try it on."""
    try:
        with opened() as deployment, deployment.database.read() as session:
            roster = RosterLook(policy)
            for view in everybody(session, deployment.intake.precedence):
                if _counts(view):
                    roster.look(view.profile.facts)
            hints = (*roster.hints(), *_fallbacks(session, policy))
    except FORESEEN as error:
        return Looked((), None, f"The roster was not looked at: {sentence(error)}")
    if not roster.people:
        return Looked(hints, 0, "The roster was not looked at: nobody is on it yet")
    looked_at = f"{counted(roster.people, 'person')} on the roster {agreeing(roster.people, 'was', 'were')}"
    return Looked(hints, roster.people, f"{looked_at} looked at")


def _counts(view: PersonView) -> bool:
    employment = view.profile.employment
    works_here = employment is not None and employment.kind in _WORKS_HERE
    return not view.profile.purged and (works_here or view.mailbox_exists)


def _fallbacks(session: Session, policy: Policy) -> Iterator[Hint]:
    """Yield the fallbacks that nobody has, in domains whose addresses were read."""
    for path, full in _named(policy):
        read = domains.domain_read_at(session, domain_of(full)) is not None
        if read and full not in policy.shared and addresses.held(session, full) is None:
            yield Hint(path, f"nobody has the address {full}", "make a mailbox for it, or name one that exists")


def _named(policy: Policy) -> Iterator[tuple[KeyPath, Address]]:
    if policy.leaving.fallback is not None:
        yield ("leaving", "fallback"), policy.address_of(policy.leaving.fallback)
    for full, group in policy.shared.items():
        if group.fallback is not None:
            path = ("groups", policy.groups.index(group), "fallback")
            yield path, policy.address_of(group.fallback, domain_of(full))
