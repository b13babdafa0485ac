"""The brakes that would hold a part of a preview, named in advance with what they would have counted."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from worker.execution.previewed import Scene
from worker.planning.step import Brake
from worker.store.holds import Trip


@dataclass(frozen=True, slots=True)
class Braked:
    """A brake that would hold a part of what was previewed."""

    brake: Brake
    source: str
    """Whose statements it counts."""
    held: int
    passed: int
    """What the window has had, these plans included."""
    allowed: int
    per: str
    """The length of the window."""
    to_come: int = 0
    """What else is counted, because it is about to come."""

    def __str__(self) -> str:
        wanted = self.held + self.passed + self.to_come
        return (
            f"the brake on {self.brake.value!r} ({self.source}) would hold {self.held}: {wanted} within {self.per}, "
            f"{self.allowed} allowed"
        )


def braked_in(scene: Scene) -> tuple[Braked, ...]:
    """Add up what each brake stopped in a scene."""
    held: Counter[tuple[Brake, str]] = Counter()
    seen: Counter[tuple[Brake, str]] = Counter()
    for trip, number in scene.trips:
        key = trip.brake, trip.source
        held[key] += number
        seen[key] = max(seen[key], number + trip.to_come)
    return tuple(
        Braked(
            brake=trip.brake,
            source=trip.source,
            held=held[trip.brake, trip.source],
            passed=trip.counted,
            allowed=trip.allowed,
            per=str(scene.policy.brakes.window(trip.brake.value).per),
            to_come=max(0, seen[trip.brake, trip.source] - held[trip.brake, trip.source]),
        )
        for trip in _last_of_each(trip for trip, _ in scene.trips)
    )


def _last_of_each(trips: Iterable[Trip]) -> Iterable[Trip]:
    """Return the last trip of each brake and source: by then it had counted all that passed."""
    return {(trip.brake, trip.source): trip for trip in trips}.values()
