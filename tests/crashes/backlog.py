"""A backlog of all that a sweep hears of: leases of the dead, held jobs to look at again, people and events due."""

from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy import update

from tests.crashes.life import Killed, Life
from tests.crashes.scenarios import POLICY, STAFF, joined, told
from tests.crashes.scene import At, Scenario, Step
from tests.integration.office import DAY, MONDAY, Office
from worker.execution import run_next
from worker.store.states import JobState
from worker.store.tables import JobRow

EACH = 8
"""How many there are of each kind."""
_FAR = datetime(2099, 1, 1, tzinfo=UTC)


def _apply(office: Office) -> None:
    office.apply_all()


def _hold_until_tomorrow(office: Office) -> None:
    """Have what is queued be held, to be looked at again the next day."""
    held = {"state": JobState.HELD, "reason": "to be looked at again", "updated_at": MONDAY, "run_at": MONDAY + DAY}
    with office.database.write() as session:
        session.execute(update(JobRow).where(JobRow.state == JobState.QUEUED).values(**held))


def _die_at_each(office: Office) -> None:
    """Have a worker in each lane die, every one a call further on; their leases last until somebody ends them."""
    client = office.clients.client()
    for number in range(EACH):
        life = Life(ends_at=number % 4)
        life.follow(client)
        with suppress(Killed):
            run_next(office.colleague(f"dead {number}"))
    client.event_hooks = {}
    with office.database.write() as session:
        session.execute(update(JobRow).where(JobRow.state == JobState.RUNNING).values(lease_until=_FAR))


def _end_leases_of_the_dead(office: Office) -> None:
    with office.database.write() as session:
        session.execute(update(JobRow).where(JobRow.lease_until == _FAR).values(lease_until=MONDAY))


def _people(letter: str, *, day: float, department: str) -> tuple[Step, ...]:
    names = [(f"{letter}{number}", f"{letter}{chr(ord('a') + number)} Family") for number in range(EACH)]
    return tuple(joined(day, key, name, department=department) for key, name in names)


BACKLOG = Scenario(
    "backlog",
    POLICY,
    before=(
        *STAFF,
        *_people("F", day=0, department="Engineering"),
        At(0),
        *(told(0, "left", f"F{number}", lastWorkingDay=f"{MONDAY:%Y-%m-%d}") for number in range(EACH)),
        *_people("H", day=0, department="Support"),
        _apply,
        _hold_until_tomorrow,
        *_people("G", day=0, department="Support"),
        _apply,
        _die_at_each,
    ),
    steps=(*_people("I", day=1, department="Engineering"), _end_leases_of_the_dead, At(1)),
)
"""What is due on the second day: departures, jobs that were held, jobs of the dead, and events that nobody applied."""
