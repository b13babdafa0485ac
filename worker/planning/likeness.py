"""Likeness: how much a mailbox that exists looks like a person's, in points, each with its reason.

``WEIGHTS`` is the whole rule. Mailboxes and people meet by what they have in common, never everyone with everyone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from worker.mail import Address, Mailbox, domain_of
from worker.planning.traits import MailboxTraits, PersonTraits
from worker.policy import Policy, fits


class Clue(StrEnum):
    """Something that speaks for a mailbox being a person's, or against it; the text is what people read."""

    STATED = "the roster states this address"
    STATED_IDENTITY = "the roster states one of its identities"
    RECOVERY = "its recovery address is this person's own"
    FIRST_PATTERN = "the policy would give this address"
    OTHER_PATTERN = "the policy might give this address"
    NUMBERED = "the policy might give this address to one of several with the name"
    PATTERN_IDENTITY = "the policy might give one of its identities"
    SAME_NAME = "the same name"
    NAME_WRITTEN_OTHERWISE = "the same name, written otherwise"
    ONE_WORD = "the same name of one word"
    OTHER_STATED = "but the roster states another address"
    OTHERS_RECOVERY = "but its recovery address is somebody else's"


WEIGHTS: Mapping[Clue, int] = {
    Clue.STATED: 90,
    Clue.STATED_IDENTITY: 80,
    Clue.RECOVERY: 70,
    Clue.FIRST_PATTERN: 45,
    Clue.OTHER_PATTERN: 35,
    Clue.NUMBERED: 25,
    Clue.PATTERN_IDENTITY: 25,
    Clue.SAME_NAME: 30,
    Clue.NAME_WRITTEN_OTHERWISE: 25,
    Clue.ONE_WORD: 10,
    Clue.OTHER_STATED: -50,
    Clue.OTHERS_RECOVERY: -60,
}
"""Points by clue. At most one clue of the address counts, one of the recovery address and one of the name, with what
speaks against it; the sum is cut to 0 and 100. So a name alone is never enough for ``MINIMUM`` of ``adoption``, an
address by the policy needs the name as well, and the roster's own word or the recovery address is enough."""

HIGHEST = 100
NAMES_ONLY = frozenset({Clue.SAME_NAME, Clue.NAME_WRITTEN_OTHERWISE, Clue.ONE_WORD})
_TOO_COMMON = 400
"""What so many pairs have in common (20 people and 20 mailboxes called Li Wei) makes no pair by itself."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """A mailbox that may be a person's."""

    address: Address
    person: int
    clues: tuple[Clue, ...]

    @property
    def score(self) -> int:
        """From 0 to 100."""
        return min(HIGHEST, max(0, sum(WEIGHTS[clue] for clue in self.clues)))

    @property
    def by_name_alone(self) -> bool:
        """Nothing but the name speaks for it."""
        return set(self.clues) <= NAMES_ONLY

    @property
    def reason(self) -> str:
        """The clues in words; holds no personal data."""
        return ", ".join(self.clues)


def likenesses(people: Sequence[PersonTraits], mailboxes: Sequence[Mailbox], policy: Policy) -> tuple[Likeness, ...]:
    """Return every pair that something speaks for, the likest first. Does not depend on the order of what is given."""
    boxes = [MailboxTraits.of(mailbox) for mailbox in mailboxes]
    uses = Counter(box.recovery for box in boxes)
    owners = {person.personal for person in people}
    scene = _Scene(policy, frozenset(mail for mail in owners if mail and uses[mail] == 1))
    found = (scene.compare(person, box) for person, box in _meetings(people, boxes))
    return tuple(sorted((each for each in found if each.score), key=lambda one: (-one.score, one.address, one.person)))


def _meetings(
    people: Iterable[PersonTraits], boxes: Iterable[MailboxTraits]
) -> Iterator[tuple[PersonTraits, MailboxTraits]]:
    by_key: dict[str, list[PersonTraits]] = defaultdict(list)
    for person in people:
        for key in person.keys:
            by_key[key].append(person)
    boxes_by_key: dict[str, list[MailboxTraits]] = defaultdict(list)
    for box in boxes:
        for key in box.keys & by_key.keys():
            boxes_by_key[key].append(box)
    met: set[tuple[int, Address]] = set()
    for key, found in boxes_by_key.items():
        if len(found) * len(by_key[key]) > _TOO_COMMON:
            continue
        for person, box in product(by_key[key], found):
            if (person.key, box.address) not in met:
                met.add((person.key, box.address))
                yield person, box


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a comparison needs to know beside the two."""

    policy: Policy
    telling: frozenset[str]
    """Recovery addresses of a single mailbox each that are somebody's personal address."""

    def compare(self, person: PersonTraits, box: MailboxTraits) -> Likeness:
        clues = (self._address(person, box), self._recovery(person, box), _name(person, box), _stated(person, box))
        return Likeness(box.address, person.key, tuple(clue for clue in clues if clue))

    def _address(self, person: PersonTraits, box: MailboxTraits) -> Clue | None:
        if person.stated == box.address:
            return Clue.STATED
        if person.stated in box.identities:
            return Clue.STATED_IDENTITY
        if person.first == box.address:
            return Clue.FIRST_PATTERN
        if box.address in person.others:
            return Clue.OTHER_PATTERN
        if box.stem in person.stems and fits((box.address,), person.facts, self.policy):
            return Clue.NUMBERED
        return Clue.PATTERN_IDENTITY if {person.first, *person.others} & box.identities else None

    def _recovery(self, person: PersonTraits, box: MailboxTraits) -> Clue | None:
        if box.recovery and box.recovery == person.personal:
            return Clue.RECOVERY
        return Clue.OTHERS_RECOVERY if box.recovery in self.telling else None


def _name(person: PersonTraits, box: MailboxTraits) -> Clue | None:
    if not person.spellings & box.spellings:
        return None
    if all(len(words) == 1 for words in person.spellings & box.spellings):
        return Clue.ONE_WORD
    return Clue.SAME_NAME if box.words in person.words else Clue.NAME_WRITTEN_OTHERWISE


def _stated(person: PersonTraits, box: MailboxTraits) -> Clue | None:
    """Tell of a work address of the same domain that is not this mailbox's: then it is hardly this person's own."""
    if person.stated is None or person.stated == box.address or person.stated in box.identities:
        return None
    return Clue.OTHER_STATED if domain_of(person.stated) == domain_of(box.address) else None
