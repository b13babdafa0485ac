"""What a change of policy alone would take away, counted by the brakes: the finding on which it is let in or held."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import assert_never

from worker.mail import counted, listed
from worker.planning.step import Brake


@dataclass(frozen=True, slots=True)
class BrakeCount:
    """How much of one kind a change would bring about at once, against what its brake allows in a window."""

    brake: Brake
    would: int
    allowed: int
    population: int
    """How many there are in all: mailboxes of people, or shared addresses."""
    erased: int = 0
    """How many of them are people who would be erased; their mailboxes are gone already."""
    given_up: int = 0
    """How many of them are people who would only lose their addresses, or the aliases there; likewise."""

    @property
    def exceeds(self) -> bool:
        """Whether the brake would stop so many."""
        return self.would > self.allowed

    def __str__(self) -> str:
        given_up = f"give up addresses of {counted(self.given_up, 'person')}" if self.given_up else ""
        erased = f"erase {counted(self.erased, 'person')}" if self.erased else ""
        others = self.would - self.given_up - self.erased
        taken = f"{_verb(self.brake)} {others} of {counted(self.population, counted_by(self.brake))}"
        deeds = list(filter(None, (taken if others else "", given_up, erased))) or [taken]
        return f"would {listed(deeds)}: allowed {self.allowed}"


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What the step from the policy in force to another one brings about by itself."""

    policy: str
    """The hash of the policy that would come into force."""
    in_force: str
    """The hash of the policy that it would replace, whose brakes count."""
    counts: tuple[BrakeCount, ...]

    @property
    def exceeds(self) -> bool:
        """Whether a brake would stop what the change alone brings about."""
        return any(count.exceeds for count in self.counts)

    @property
    def worst(self) -> BrakeCount:
        """The count that goes furthest beyond what is allowed."""
        return max(self.counts, key=lambda count: count.would - count.allowed)

    @property
    def hash(self) -> str:
        """Names both policies and the counts: what an approver has seen."""
        content = [self.policy, self.in_force, [asdict(count) for count in self.counts]]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        told = sorted((count for count in self.counts if count.would), key=lambda count: not count.exceeds)
        return "; ".join(map(str, told)) or "would block, delete, give up and erase nothing"


def counted_by(brake: Brake) -> str:
    """Return what a brake counts."""
    return "list" if brake is Brake.LISTS else "mailbox"


def counts_from(document: Mapping[str, Mapping[str, int]]) -> tuple[BrakeCount, ...]:
    """Return the counts that ``counts_document`` wrote down."""
    return tuple(BrakeCount(brake, **document[brake]) for brake in Brake if brake in document)


def counts_document(counts: tuple[BrakeCount, ...]) -> dict[str, dict[str, int]]:
    """Return counts as JSON can keep them, by brake."""
    return {
        count.brake.value: {name: value for name, value in asdict(count).items() if name != "brake"} for count in counts
    }


def _verb(brake: Brake) -> str:
    match brake:
        case Brake.BLOCK:
            return "block"
        case Brake.IMMEDIATE:
            return "block at once"
        case Brake.DELETE | Brake.LISTS:
            return "delete"
        case _:
            assert_never(brake)
