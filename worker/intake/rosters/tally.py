"""What a roster changes, counted by kind of event and by attribute, with the first few told one by one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_LISTED = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One event that a roster leads to: whose, and which attributes it states; never their values."""

    line: int | None
    """Of the file; None where the person is absent from it."""
    subject: str
    type: str
    attributes: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """All differences of one roster."""

    by_type: Counter[str] = field(default_factory=Counter)
    by_attribute: Counter[str] = field(default_factory=Counter)
    """Of changes alone: who joins brings everything."""
    first: list[Difference] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many events there are."""
        return self.by_type.total()

    def add(self, document: Mapping[str, object], line: int | None) -> None:
        """Count one event."""
        kind, facts = str(document["type"]), document["data"]
        attributes = tuple(sorted(facts)) if isinstance(facts, dict) else ()
        self.by_type[kind] += 1
        if kind != "person.joined":
            self.by_attribute.update(attributes)
        if len(self.first) < MOST_LISTED:
            self.first.append(Difference(line, str(document["subject"]), kind, attributes))
