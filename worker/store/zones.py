"""By whose clock times are told: a person's own zone, else the organisation's, and UTC while no policy is active."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from worker.policy import load_policy
from worker.policy.instants import zone_of
from worker.roster import profile
from worker.store import people
from worker.store.policies import active_policy


@dataclass(frozen=True, slots=True)
class Zones:
    """The zones of some people, and of everything else."""

    organisation: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    people: Mapping[int, ZoneInfo] = field(default_factory=dict)

    def of(self, person_id: int | None) -> ZoneInfo:
        """Return a person's zone; of nobody, and of somebody who states none, the organisation's."""
        return self.organisation if person_id is None else self.people.get(person_id, self.organisation)


def zones(session: Session, precedence: Mapping[str, int], person_ids: Sequence[int] = ()) -> Zones:
    """Return the zones in which the times of these people are told, in two queries."""
    active = active_policy(session)
    otherwise = load_policy(active[1]).organisation.timezone if active else "UTC"
    known = people.load_many(session, person_ids) if person_ids else {}
    facts = {person_id: profile(person, precedence).facts for person_id, person in known.items()}
    return Zones(ZoneInfo(otherwise), {person_id: zone_of(facts[person_id], otherwise) for person_id in facts})
