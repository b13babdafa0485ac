"""What was found when all had settled: answers, jobs, people and the mail host's own state, for the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from worker.cli.demo.delivering import Answer
from worker.cli.demo.mail_host import MailHost, read_mail_host
from worker.cli.demo.scene import Scene
from worker.cli.output import moment
from worker.store import events, jobs, people
from worker.store.database import Session
from worker.store.jobs import JobFilter
from worker.store.tables import JobRow, PersonRow
from worker.store.zones import Zones, zones
from worker.web.objects import JsonObject, event_object, job_object
from worker.web.person_objects import person_objects

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Findings:
    """One look at everything. Jobs, events and people are the API's objects."""

    answers: Sequence[Answer]
    settled: bool
    jobs: Sequence[JsonObject]
    events: Mapping[int, JsonObject]
    """By our id: what became of the accepted deliveries."""
    strays: bool
    """The inbox holds an event beyond those that were answered with an id."""
    people: Sequence[JsonObject]
    mail_host: MailHost
    zones: Zones = Zones()  # noqa: RUF009 - a frozen value

    @property
    def names(self) -> Mapping[str, str]:
        """People's names by our id of them."""
        return {str(person["id"]): str(person["name"]) for person in self.people}

    def when(self, person: JsonObject) -> str:
        """Return when something changes for a person, by their own clock."""
        return moment(str(person["nextChangeAt"]), self.zones.of(int(str(person["id"]))))

    @property
    def upcoming(self) -> Sequence[JsonObject]:
        """The people for whom something changes by itself, soonest first."""
        return sorted((one for one in self.people if one["nextChangeAt"]), key=lambda one: str(one["nextChangeAt"]))


def find_out(scene: Scene, client: httpx.Client, answers: Sequence[Answer], *, settled: bool) -> Findings:
    """Look at the database and at the mail host. Raises httpx.HTTPError."""
    ids = {answer.event_id for answer in answers if answer.event_id is not None}
    with scene.deployment.database.read() as session:
        kept = {event_id: event_object(row) for event_id in ids if (row := events.get(session, event_id)) is not None}
        found_jobs = [job_object(row) for row in _all_jobs(session)]
        rows = _all_people(session)
        found_people, of_each = (
            person_objects(session, rows),
            zones(session, scene.deployment.sources.precedence, [row.id for row in rows]),
        )
        strays = events.get(session, max(ids, default=0) + 1) is not None
    mail_host = read_mail_host(client, scene.sandbox_url)
    return Findings(answers, settled, found_jobs, kept, strays, found_people, mail_host, of_each)


def _all_jobs(session: Session) -> list[JobRow]:
    found: list[JobRow] = []
    while page := jobs.page(session, JobFilter(), after=found[-1].id if found else 0, limit=_PAGE):
        found += page
    return found


def _all_people(session: Session) -> list[PersonRow]:
    found: list[PersonRow] = []
    while page := people.page(session, after=found[-1].id if found else 0, limit=_PAGE):
        found += page
    return found
