"""``why``: one person's whole story."""

from datetime import datetime  # noqa: TC003 - used as others are; no other module here hides imports
from zoneinfo import ZoneInfo

import typer

from worker.cli.acts import act_object, act_said, acts_about
from worker.cli.commands.jobs import NEEDS_A_PERSON
from worker.cli.commands.schedule import way_back
from worker.cli.opening import opened
from worker.cli.options import Json, Who
from worker.cli.output import moment, say, show_json
from worker.cli.steps import show_held_plan, show_step
from worker.cli.whom import erased_sentence, person_meant
from worker.deployment import Deployment
from worker.mail import bare, called, counted
from worker.planning.shared import lists_without, why_left_out
from worker.policy import home_of, load_policy
from worker.roster import OPERATOR, WITHDRAWN, profile
from worker.roster.withdrawing import read_withdrawals
from worker.store import addresses, events, jobs, memberships, people, steps
from worker.store.audit import Act
from worker.store.database import Session
from worker.store.jobs import JobFilter
from worker.store.policies import active_policy
from worker.store.schedule import Coming, coming_to
from worker.store.states import JobState
from worker.store.subjects import Subject, SubjectKind
from worker.store.tables import EventRow, JobRow, PersonRow
from worker.store.zones import zones
from worker.web.objects import JsonObject, change_object, job_detail
from worker.web.person_objects import person_detail

_MOST_JOBS = 10_000


def why(who: Who, *, as_json: Json = False) -> None:
    """Tell one person's whole story in order: events, decisions, jobs with their calls, what comes next and when.

    Exits with 3 if a job of theirs is held or parked: then it needs a person.
    """
    with opened() as deployment, deployment.database.read() as session:
        row = person_meant(session, who)
        if row.erased_at is not None:
            _tell_of_erased(session, row, as_json=as_json)
            return
        told = jobs.page(session, JobFilter(person_id=row.id), after=0, limit=_MOST_JOBS)
        zone = zones(session, deployment.sources.precedence, [row.id]).of(row.id)
        ahead = _ahead(session, row, deployment) if _goes_on(row, told) else []
        domain_job = _domain_job(session, row, deployment)
        if as_json:
            detail = person_detail(session, row, deployment.sources.precedence, personal=True)
            story = {"jobs": [job_detail(session, job) for job in told], "zone": zone.key, "next": _then(row, zone)}
            story["schedule"] = [change_object(each.change, zone) for each in ahead]
            story["acts"] = [act_object(each) for each in acts_about(session, row.id, told)]
            show_json(detail | story)
        else:
            _tell(session, row, told, zone)
            _tell_next(row, told, ahead, zone)
            _tell_wait(domain_job)
    if domain_job is not None and domain_job.state in NEEDS_A_PERSON:
        raise typer.Exit(3)
    if any(job.state in NEEDS_A_PERSON for job in told):
        raise typer.Exit(3)


def _tell_of_erased(session: Session, row: PersonRow, *, as_json: bool) -> None:
    if as_json:
        show_json(person_detail(session, row, {}, personal=True))
    else:
        say(erased_sentence(row, zones(session, {}).organisation))


def _ahead(session: Session, row: PersonRow, deployment: Deployment) -> list[Coming]:
    active = active_policy(session)
    if active is None:
        return []
    precedence, now = deployment.sources.precedence, deployment.clock.now()
    return list(coming_to(session, row, load_policy(active[1]), precedence, now))


def _goes_on(row: PersonRow, told: list[JobRow]) -> bool:
    """Tell whether anything comes after this: where what is wanted was given up, nothing later follows from it."""
    return row.next_change_at is not None or any(job.finished_at is None for job in told)


def _domain_job(session: Session, row: PersonRow, deployment: Deployment) -> JobRow | None:
    """Return the job that reads the person's domain, if that is what they wait for before they get an address."""
    active = active_policy(session)
    if active is None or jobs.outstanding(session, Subject(SubjectKind.PERSON, str(row.id))) is not None:
        return None
    if row.next_change_at is None or row.next_step is not None or addresses.of_person(session, row.id):
        return None
    facts = profile(people.load(session, row.id), deployment.sources.precedence).facts
    domain = home_of(facts, load_policy(active[1]))
    return jobs.outstanding(session, Subject(SubjectKind.DOMAIN, domain))


def _tell_wait(job: JobRow | None) -> None:
    if job is not None:
        why_not = f": {job.reason}" if job.reason else ""
        say(f"Waits for job {job.id}, which reads the addresses of {job.subject_key} and is {job.state.value}{why_not}")


def _then(row: PersonRow, zone: ZoneInfo) -> JsonObject | None:
    if row.next_change_at is None:
        return None
    return {"step": row.next_step, "at": row.next_change_at.astimezone(zone).isoformat()}


def _tell(session: Session, row: PersonRow, told: list[JobRow], zone: ZoneInfo) -> None:
    say(f"{row.name or 'no name'} (person {row.id}): {row.phase or 'unknown'}", style="bold")
    chapters: list[tuple[datetime, EventRow | JobRow | Act]] = [
        *((each.received_at, each) for each in events.of_person(session, row.id)),
        *((each.created_at, each) for each in told),
        *((each.at, each) for each in acts_about(session, row.id, told)),
    ]
    for at, each in sorted(chapters, key=lambda chapter: chapter[0]):
        say()
        if isinstance(each, EventRow):
            _tell_event(each, moment(at, zone), zone)
        elif isinstance(each, Act):
            say(f"{moment(at, zone)}: {act_said(each)}", style="bold")
        else:
            _tell_job(session, each, moment(at, zone))
    say()
    _tell_lists(session, row)


def _tell_lists(session: Session, row: PersonRow) -> None:
    keys = sorted(memberships.of_person(session, row.id))
    left_out = lists_without(addresses.primaries(session, [row.id]).get(row.id), keys)
    say(f"Groups: {', '.join(called(key) for key in keys if key not in left_out) or 'none'}")
    for key in left_out:
        say(f"Left out of {called(key)}: {why_left_out(bare(key))}")


def _tell_next(row: PersonRow, told: list[JobRow], ahead: list[Coming], zone: ZoneInfo) -> None:
    """Tell everything that will come, if nobody says anything new, and what must be done before any of it."""
    waiting = next((job for job in told if job.state in NEEDS_A_PERSON), None)
    at_work = next((job for job in told if job.finished_at is None and job is not waiting), None)
    if at_work is not None:
        say(f"Now: job {at_work.id} is {at_work.state.value}{f': {at_work.reason}' if at_work.reason else ''}")
    if row.next_change_at is not None:
        say(f"Next: {row.next_step or 'a look'} at {moment(row.next_change_at, zone)}")
    elif waiting is not None:
        say(f"Next: job {waiting.id} is {waiting.state.value} and needs a person.")
    elif not ahead:
        say(f"Next: nothing changes by time alone.{_unserved(told)}")
    for each in ahead:
        say(f"  {moment(each.change.at, each.zone)}: {each.change.step}; {_undoable(each)}")


def _undoable(each: Coming) -> str:
    if each.change.irreversible:
        return way_back(each)
    return f"can be undone {'until ' if each.change.undoable_until else ''}{way_back(each)}"


def _tell_event(row: EventRow, at: str, zone: ZoneInfo) -> None:
    say(f"{at}: {row.source} says {row.type} (event {row.id}), {row.state.value}", style="bold")
    if row.time is not None and row.time != row.received_at:
        say(f"  happened {moment(row.time, zone)}")
    stated = row.document.get("data")
    for name, value in stated.items() if isinstance(stated, dict) else ():
        if (row.source, name) == (OPERATOR, WITHDRAWN):
            _tell_withdrawals(value)
        else:
            say(f"  {name}: {_stated(value)}")
    if row.reason:
        say(f"  {row.reason}")


def _tell_withdrawals(written: list[str]) -> None:
    _, withdrawn = read_withdrawals(OPERATOR, {WITHDRAWN: tuple(written)})
    for each in sorted(withdrawn):
        say(f"  takes back the {each.fact} of event {each.version.id} of {each.version.source}")


def _stated(value: object) -> str:
    """Return a value as people read it; null is what a source says of a fact that is empty."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    return "nothing" if value is None else str(value)


def _unserved(told: list[JobRow]) -> str:
    """Say where what is wanted was given up, so that silence is not taken for order."""
    last = max(told, key=lambda job: job.id, default=None)
    if last is None or last.state is not JobState.DISMISSED:
        return ""
    return f" Job {last.id} was dismissed, so something that is wanted was not done: `mailroster jobs retry {last.id}`."


def _tell_job(session: Session, job: JobRow, at: str) -> None:
    cause = f"event {job.event_id}" if job.event_id else "a date, a policy or the mail host"
    say(f"{at}: job {job.id} because of {cause}, {job.state.value}", style="bold")
    if job.reason:
        say(f"  {job.reason}")
    rows = steps.of_job(session, job.id)
    for row in rows:
        show_step(steps.to_step(row), row.state.value)
    show_held_plan(job, rows)
    made = len(steps.attempts_of(session, job.id))
    say(f"  {counted(made, 'call')} made")
