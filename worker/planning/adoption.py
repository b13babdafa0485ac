"""Adoption: which mailboxes that exist are whose, decided from how alike they are.

A pair is taken only where it is clear from both sides: at least ``minimum`` points, and ``MARGIN`` more than any other
person has for the mailbox and any other mailbox for the person. What is taken leaves the field, which may make another
pair clear. All the rest is shown, and a person decides.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from worker.mail import Address
from worker.planning.likeness import Likeness

MINIMUM = 60
"""Fewer points need a decision by hand."""
MARGIN = 20
"""Scores closer than this are too close to call."""


class Standing(StrEnum):
    """What is proposed for a mailbox."""

    MATCHED = "matched"
    """It is clearly this person's, and ``--apply`` takes it over."""
    DECIDED = "decided"
    """Somebody said whose it is."""
    UNDECIDED = "undecided"
    """It may be somebody's: a person must say."""
    NOBODYS = "nobody's"
    """Nobody on the roster is like it; it stays foreign."""


TAKEN = (Standing.MATCHED, Standing.DECIDED)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mailbox, and whose it seems to be."""

    address: Address
    standing: Standing
    person: int | None
    score: int
    reason: str
    """Why, in words; holds no personal data."""
    rivals: tuple[Likeness, ...] = ()
    """Who may be meant, the likest first, where that is undecided."""


def propose(
    mailboxes: Collection[Address],
    found: Iterable[Likeness],
    *,
    minimum: int = MINIMUM,
    by_hand: Mapping[Address, int] | None = None,
) -> tuple[Proposal, ...]:
    """Return a proposal for each mailbox, in the order of the addresses.

    Deterministic, and the order of what is given does not matter. Nobody gets two mailboxes and no mailbox two people.
    ``by_hand`` comes before all: whom it names is no candidate elsewhere any more.
    """
    decided = dict(by_hand or {})
    known = sorted(found, key=lambda one: (-one.score, one.address, one.person))
    open_ = [each for each in known if each.address not in decided and each.person not in decided.values()]
    matched = _clear(open_, minimum)
    holders = {each.person: each.address for each in matched.values()} | {who: at for at, who in decided.items()}
    by_address: dict[Address, list[Likeness]] = defaultdict(list)
    for each in known:
        by_address[each.address].append(each)

    def proposal(address: Address) -> Proposal:
        if address in decided:
            return _decided(address, decided[address], by_address[address])
        if address in matched:
            return _matched(matched[address])
        return _left(by_address[address], address, holders, minimum)

    return tuple(map(proposal, sorted(mailboxes)))


def _clear(open_: list[Likeness], minimum: int) -> dict[Address, Likeness]:
    """Take what is clear, again and again, because who is taken stands in nobody's way any more."""
    alone = _without_any_rival(open_)
    taken: dict[Address, Likeness] = {}
    people: set[int] = set()
    while clear := [
        each
        for each in _ahead(open_)
        if each.score >= minimum and (not each.by_name_alone or (each.address, each.person) in alone)
    ]:
        taken |= {each.address: each for each in clear}
        people |= {each.person for each in clear}
        open_ = [each for each in open_ if each.address not in taken and each.person not in people]
    return taken


def _ahead(open_: list[Likeness]) -> Iterable[Likeness]:
    """Return the pairs that are ahead of all others of their mailbox and of their person by the margin."""
    of_address: dict[Address, list[int]] = defaultdict(list)
    of_person: dict[int, list[int]] = defaultdict(list)
    for each in open_:  # the likest first, so the first two of each are all that counts
        of_address[each.address].append(each.score)
        of_person[each.person].append(each.score)
    return [each for each in open_ if _leads(each, of_address[each.address]) and _leads(each, of_person[each.person])]


def _leads(one: Likeness, scores: list[int]) -> bool:
    return one.score == scores[0] and (len(scores) == 1 or scores[0] - scores[1] >= MARGIN)


def _without_any_rival(open_: list[Likeness]) -> frozenset[tuple[Address, int]]:
    """Return the pairs of which both have no other: only there may a name alone be enough, if somebody asks for it."""
    addresses = Counter(each.address for each in open_)
    people = Counter(each.person for each in open_)
    return frozenset(
        (each.address, each.person) for each in open_ if addresses[each.address] == people[each.person] == 1
    )


def _decided(address: Address, person: int, known: list[Likeness]) -> Proposal:
    likeness = next((each for each in known if each.person == person), None)
    reason = f"decided by hand: {likeness.reason}" if likeness else "decided by hand: nothing else speaks for it"
    return Proposal(address, Standing.DECIDED, person, likeness.score if likeness else 0, reason)


def _matched(likeness: Likeness) -> Proposal:
    return Proposal(likeness.address, Standing.MATCHED, likeness.person, likeness.score, likeness.reason)


def _left(known: list[Likeness], address: Address, holders: Mapping[int, Address], minimum: int) -> Proposal:
    """Say of a mailbox that is not taken why: nobody is like it, or several, or not enough."""
    rivals = tuple(each for each in known if each.person not in holders)
    if not rivals:
        reason = f"it is like {_whose(known[0], holders)}" if known else "nobody who has no mailbox yet is like it"
        return Proposal(address, Standing.NOBODYS, None, 0, reason)
    best = rivals[0]
    return Proposal(address, Standing.UNDECIDED, None, best.score, _why_undecided(rivals, minimum), rivals)


def _whose(known: Likeness, holders: Mapping[int, Address]) -> str:
    return f"person {known.person}, who has {holders[known.person]}"


def _why_undecided(rivals: tuple[Likeness, ...], minimum: int) -> str:
    best = rivals[0]
    if len(rivals) > 1 and not _leads(best, [each.score for each in rivals]):
        return f"{len(rivals)} people may be meant"
    if best.score < minimum:
        return f"not enough speaks for it ({best.score} of {minimum} points): {best.reason}"
    if best.by_name_alone:
        return f"a name alone is not enough while others may be meant: {best.reason}"
    return f"the same person may have another mailbox: {best.reason}"
