"""A plan: the ordered steps that take one subject from observed to desired, or the reason there are none."""

import hashlib
from dataclasses import dataclass

from worker.planning.step import Step


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered steps for one subject; empty when nothing is to do."""

    steps: tuple[Step, ...] = ()
    note: str | None = None
    """A sentence for the person who reads the job, where the outcome needs one ("a new password must be set")."""
    unfinished: str | None = None
    """What the steps cannot bring about: once they are made, the job is held with this sentence."""
    look_again: bool = False
    """What is unfinished may come about at the host without us, so it is looked at again by itself."""

    @property
    def cost(self) -> int:
        """The number of writing calls the plan makes."""
        return sum(step.is_call for step in self.steps)

    @property
    def hash(self) -> str:
        """A stable hash of all steps, by which a plan is named and approved."""
        return _hash(self.steps)

    @property
    def braked(self) -> tuple[Step, ...]:
        """The steps that a brake counts."""
        return tuple(step for step in self.steps if step.brake)

    @property
    def braked_hash(self) -> str:
        """A stable hash of the braked steps alone: what an approval of this subject's part of a hold means."""
        return _hash(self.braked)

    @property
    def agreed_hash(self) -> str:
        """A stable hash of all steps: what an approval means that stands for the agreement of a source."""
        return hashlib.sha256(f"agreed {self.hash}".encode()).hexdigest()

    def is_approved(self, approved_hash: str | None) -> bool:
        """Tell whether an approval lets the braked steps pass: it named them, or all steps."""
        return approved_hash is not None and approved_hash in (self.braked_hash, self.agreed_hash)


def _hash(steps: tuple[Step, ...]) -> str:
    return hashlib.sha256("".join(step.hash() for step in steps).encode()).hexdigest()
