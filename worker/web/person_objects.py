"""People as the API and ``--json`` show them: facts and who said them, addresses, lists, and what happened.

Personal data from outside the organisation is in an object only where the caller says that the reader may see it.
"""

from collections.abc import Mapping, Sequence

from worker.events import FactValue
from worker.mail import bare, called, is_rewrite
from worker.planning.shared import lists_without, why_left_out
from worker.roster import Person, Profile, Said, profile, spoken
from worker.store import addresses, events, jobs, memberships, merges, people
from worker.store.addresses import Role
from worker.store.database import Session
from worker.store.jobs import JobFilter
from worker.store.subjects import Subject, SubjectKind
from worker.store.tables import AddressRow, JobRow, PersonRow
from worker.web.objects import JsonObject, event_object, id_text, instant, job_object

PERSONAL_FACTS = frozenset({"personalEmail"})
"""Facts whose value only operators see; everybody else sees that it is there."""

_PAGE = 200


def person_object(row: PersonRow, address: str | None) -> JsonObject:
    """Return a person with the address of their mailbox, None while they hold none."""
    return {
        "id": str(row.id),
        "name": row.name,
        "phase": row.phase or None,
        "address": address,
        "nextChangeAt": instant(row.next_change_at),
        "nextStep": row.next_step,
        "erasedAt": instant(row.erased_at),
    }


def person_objects(session: Session, rows: Sequence[PersonRow]) -> list[JsonObject]:
    """Return people with their addresses."""
    held = addresses.primaries(session, [row.id for row in rows])
    return [person_object(row, held.get(row.id)) for row in rows]


def person_detail(session: Session, row: PersonRow, precedence: Mapping[str, int], *, personal: bool) -> JsonObject:
    """Return a person with facts, employment, addresses, the lists that name them and everything that happened.

    What comes next is ``nextStep`` at ``nextChangeAt``, and what is under way is ``job``. Of somebody who was erased
    nothing is told but that.
    """
    if row.erased_at is not None:
        return person_object(row, None)
    held = addresses.of_person(session, row.id)
    person = people.load(session, row.id)
    known = profile(person, precedence)
    open_job = jobs.outstanding(session, Subject(SubjectKind.PERSON, str(row.id)))
    return person_object(row, _primary(held)) | {
        "mergedInto": id_text(merges.merged_into(session, row.id)),
        "records": [{"source": record.source, "subject": record.subject} for record in person.records],
        "facts": _facts(person, known, precedence, personal=personal),
        "employment": known.employment.kind.value if known.employment else None,
        "suspended": known.suspended,
        "addresses": [address_object(address) for address in addresses.history_of_person(session, row.id)],
        **_lists(session, row.id, _primary(held)),
        "job": job_object(open_job) if open_job else None,
        "timeline": _timeline(session, row.id),
    }


def address_object(row: AddressRow) -> JsonObject:
    """Return one entry of the address ledger."""
    return {
        "address": row.address,
        "role": row.role,
        "provenance": row.provenance,
        "heldFrom": instant(row.held_from),
        "heldTo": instant(row.held_to),
        "existsSince": instant(row.exists_since),
        "blockedAt": instant(row.blocked_at),
    }


def _lists(session: Session, person_id: int, address: str | None) -> JsonObject:
    """Say which lists name the person, and which would if the mail host let them (`desired_shared`)."""
    keys = sorted(memberships.of_person(session, person_id))
    left_out = lists_without(address, keys)
    return {
        "groups": [key for key in keys if not is_rewrite(key) and key not in left_out],
        "rewrites": [bare(key) for key in keys if is_rewrite(key) and key not in left_out],
        "leftOutOf": [{"list": called(key), "why": why_left_out(bare(key))} for key in left_out],
    }


def _primary(held: Sequence[AddressRow]) -> str | None:
    return next((row.address for row in held if row.role == Role.PRIMARY), None)


def _facts(person: Person, known: Profile, precedence: Mapping[str, int], *, personal: bool) -> JsonObject:
    """Say of each fact what holds, who said so and since when."""
    said = spoken(person, precedence)
    return {
        name: _fact(said[name], value, shown=personal or name not in PERSONAL_FACTS)
        for name, value in known.facts.items()
    }


def _fact(said: Said, value: FactValue, *, shown: bool) -> JsonObject:
    about: JsonObject = {"source": said.source, "since": instant(said.stated.version.time)}
    listed = list(value) if isinstance(value, tuple) else value
    return ({"value": listed} if shown else {"present": value is not None}) | about


def _timeline(session: Session, person_id: int) -> list[JsonObject]:
    told = [(row.time or row.received_at, {"event": event_object(row)}) for row in events.of_person(session, person_id)]
    told += [(row.created_at, {"job": job_object(row)}) for row in _jobs_of_person(session, person_id)]
    return [{"at": instant(at), **entry} for at, entry in sorted(told, key=lambda one: one[0])]


def _jobs_of_person(session: Session, person_id: int) -> list[JobRow]:
    found: list[JobRow] = []
    while True:
        page = jobs.page(session, JobFilter(person_id=person_id), after=found[-1].id if found else 0, limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            return found
