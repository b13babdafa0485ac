"""The pure town's roll: what each source has stated, and whose each record is."""

from collections.abc import Mapping
from datetime import datetime

from tests.stories.citizen import Citizen
from worker.events import Event, EventType, parse_event
from worker.roster import Linked, NewPerson, Person, Profile, Record, fold, link, profile

PRECEDENCE = {"hr": 10, "it": 5}
CREATORS = frozenset({"hr"})
"""The sources that may make people."""
_At = tuple[str, str]


class Roll:
    """Records by (source, subject), and the people they belong to."""

    def __init__(self, citizens: dict[str, Citizen]) -> None:
        """Begin with nobody; whoever is heard of becomes a citizen."""
        self._citizens = citizens
        self.records: dict[_At, Record] = {}
        self.owner: dict[_At, str] = {}
        self._profiles: dict[str, Profile] = {}
        self._erased: dict[_At, datetime] = {}

    @property
    def people(self) -> list[str]:
        """The keys of all who have a record, in the order in which they were first heard of."""
        return sorted({*self.owner.values()}, key=int)

    def profile(self, key: str) -> Profile:
        """Return what holds true of a person."""
        if key not in self._profiles:
            records = tuple(self.records[at] for at in sorted(self.owner) if self.owner[at] == key)
            self._profiles[key] = profile(Person(key, records), PRECEDENCE)
        return self._profiles[key]

    def hear(self, source: str, document: Mapping[str, object], now: datetime) -> set[str]:
        """Fold an event of a source; returns the people of whom something is known now that was not."""
        event = parse_event(dict(document), now=now)
        at = (source, event.subject)
        if at in self._erased and (event.time <= self._erased[at] or self._is_stale(at, event)):
            return set()
        self.records[at] = fold(self.records.get(at, Record(*at)), event, now)
        self._profiles.clear()
        told = {at, *self.settle()}
        return {self.owner[each] for each in told if each in self.owner}

    def settle(self) -> set[_At]:
        """Find out whose records are that were nobody's, or another's; returns these. An address may do it as well."""
        settled = set()
        while (at := self._settle_one()) is not None:
            settled.add(at)
        return settled

    def erase(self, key: str, now: datetime) -> None:
        """Forget a person; what was told of them is applied to nobody from then on."""
        for at in [at for at, owner in self.owner.items() if owner == key]:
            self._erased[at] = now
            del self.records[at], self.owner[at]
        self._profiles.clear()

    def _is_stale(self, at: _At, event: Event) -> bool:
        """Tell whether an event about somebody who was erased makes nobody: only a ``joined`` does."""
        return at not in self.records and event.type is not EventType.JOINED

    def _settle_one(self) -> _At | None:
        """Find out whose one record is that was nobody's, or another's; None where all is known that can be."""
        for at in sorted(self.records):
            owner = self.owner.get(at)
            found = self._find(at) if owner is None else self._other_owner(at, owner)
            if found is not None:
                self.owner[at] = found
                self._profiles.clear()
                return at
        return None

    def _find(self, at: _At) -> str | None:
        number, email = (self._stated(at, name) for name in ("employeeNumber", "workEmail"))
        holders = (key for key, each in self._citizens.items() if email in each.holds)
        by_email = sorted({*self._holding("workEmail", email), *holders})
        match link(
            self.records[at],
            by_employee_number=self._holding("employeeNumber", number),
            by_work_email=by_email,
            numbered=[key for key in by_email if self.profile(key).facts.get("employeeNumber")],
            creates=at[0] in CREATORS,
        ):
            case Linked(key):
                return key
            case NewPerson():
                key = str(len(self._citizens) + 1)
                self._citizens[key] = Citizen(key)
                return key
            case _:
                return None

    def _other_owner(self, at: _At, owner: str) -> str | None:
        """Return who else a record belongs to, where its person is nothing but this record and never had an address."""
        alone = sum(each == owner for each in self.owner.values()) == 1
        others = [key for key in self._holding("employeeNumber", self._stated(at, "employeeNumber")) if key != owner]
        return others[0] if alone and self._citizens[owner].is_bare and len(others) == 1 else None

    def _holding(self, name: str, value: object) -> list[str]:
        return [key for key in self.people if value and self.profile(key).facts.get(name) == value]

    def _stated(self, at: _At, name: str) -> object:
        stated = self.records[at].facts.get(name)
        return stated.value if stated else None
