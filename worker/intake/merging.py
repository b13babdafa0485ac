"""Merging and splitting people by an operator, where linking was wrong, each of which takes the other back exactly.

``merge`` gives all records of one person to another, ``split`` gives some away. A split of just those records that a
merge brought undoes it: they go back to whom they came from, with their events and addresses, and what the merge added
goes. A merge with whoever a split made undoes that. What operators said of a person stays with that person, and is said
again where it should hold: a departure stated of the one who should never have been must not end the access of the one
who works here.

Records are pinned by either, so that no identifier that is stated later decides again; that is remembered for good.
Locks are taken in the order of
``apply``: linking, records, people in the order of their ids, addresses, jobs. Only one of the two is evaluated in the
transaction, because each evaluation takes the shared addresses' jobs in their order; the other follows at once.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from worker.intake.context import OPERATOR, Intake
from worker.intake.evaluate import evaluate
from worker.intake.holdings import give_back, take_over
from worker.intake.linking import link_waiting, note_identifiers
from worker.intake.statements import UnknownPerson
from worker.roster import profile
from worker.store import addresses, audit, events, jobs, memberships, merges, people, steps
from worker.store.database import Session
from worker.store.merges import MERGE, SPLIT, Decision, Key, key_of
from worker.store.states import JobState
from worker.store.subjects import Subject, SubjectKind
from worker.store.tables import JobRow, MergeRow, RecordRow


class MergeRefused(ValueError):
    """Two people cannot be made one, or one two, as things are; the sentence says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Account:
    """What was done, or would be."""

    person_id: int
    other_id: int | None
    """None where a person would be made for it, and only a look was taken."""
    said: tuple[str, ...]
    """A sentence for each thing."""


class _OnlyLooked(Exception):
    """Takes everything back at the end of a look."""


@dataclass(frozen=True, slots=True)
class _Changed:
    """What was moved."""

    other_id: int
    note: MergeRow
    said: list[str]


_Change = Callable[[Session, datetime], _Changed]


def merge(intake: Intake, keep_id: int, other_id: int, *, actor: str, dry_run: bool = False) -> Account:
    """Make two people one: the kept one gets the other's records and events, and the mailbox if they have none.

    Refused while both have a mailbox, for none is deleted or left unwatched by this. Raises MergeRefused,
    UnknownPerson.
    """

    def change(session: Session, now: datetime) -> _Changed:
        people.lock_linking(session)
        _require_people(session, keep_id, other_id)
        rows = _locked(session, keep_id, other_id)
        moved = [row for row in rows if row.person_id == other_id]
        _require_mergeable(session, intake, keep_id, other_id, moved)
        note = merges.note(session, MERGE, (keep_id, other_id), moved, now)
        split = _split_of(session, keep_id, other_id, now)
        said = [f"this takes back the split by which person {other_id} came to be"] if split else []
        said += _hand_over(session, moved, keep_id, now)
        _pin(rows, now)
        said += take_over(session, note, keep_id, other_id, now)
        note_identifiers(people.lock(session, other_id), {})
        session.flush()
        link_waiting(session, intake, keep_id, now)  # what waited because both were meant
        said += _dismiss(session, other_id, f"person {other_id} was merged into person {keep_id}", now)
        audit.record(session, actor, "people.merge", f"person {keep_id}", {"other": other_id}, now)
        return _Changed(other_id, note, said)

    return _carry_out(intake, keep_id, change, dry_run=dry_run)


def split(intake: Intake, person_id: int, keys: Collection[Key], *, actor: str, dry_run: bool = False) -> Account:
    """Give records of a person to another: to whom they came from, if one merge brought just these, else to a new one.

    The mailbox stays with the person, but where a merge that is taken back had brought it. Raises MergeRefused,
    UnknownPerson.
    """

    def change(session: Session, now: datetime) -> _Changed:
        people.lock_linking(session)
        _require_people(session, person_id)
        merged = _merge_of(session, person_id, keys, now)
        other_id = merged.row.other_id if merged else people.create(session, now).id
        rows = _locked(session, person_id, other_id)
        moved = [row for row in rows if key_of(row) in keys]
        stayed = [row for row in rows if key_of(row) not in keys]
        _require_splittable(session, person_id, keys, moved, stayed)
        note = merged.row if merged else merges.note(session, SPLIT, (person_id, other_id), moved, now)
        said = [f"this takes back the merge of person {other_id}" if merged else "a person is made for them"]
        said += _hand_over(session, moved, other_id, now)
        _pin(rows, now)
        said += give_back(session, merged, person_id, other_id, now) if merged else []
        listed = ", ".join("/".join(key_of(row)) for row in moved)
        audit.record(session, actor, "people.split", f"person {person_id}", {"other": other_id, "of": listed}, now)
        return _Changed(other_id, note, said)

    return _carry_out(intake, person_id, change, dry_run=dry_run)


def _carry_out(intake: Intake, person_id: int, change: _Change, *, dry_run: bool) -> Account:
    now, said = intake.clock.now(), list[str]()
    try:
        with intake.database.write() as session:
            changed = change(session, now)
            before, held = _shape(session, person_id), merges.held_ids(session, person_id)
            refreshed = evaluate(session, intake, people.lock(session, person_id), None)
            merges.note_added(session, changed.note, person_id, held)
            said = [*changed.said, *_consequences(person_id, before, _shape(session, person_id))]
            # Should this process die before it does so itself:
            people.evaluate_soon(session, [changed.other_id], now)
            _take_back_if(dry_run=dry_run)
    except _OnlyLooked:
        return Account(person_id, None, tuple(said))
    with intake.database.write() as session:
        refreshed += evaluate(session, intake, people.lock(session, changed.other_id), None)
    for _ in range(refreshed):
        intake.bell.ring_run()
    return Account(person_id, changed.other_id, tuple(said))


def _take_back_if(*, dry_run: bool) -> None:
    if dry_run:
        raise _OnlyLooked


def _locked(session: Session, *person_ids: int) -> list[RecordRow]:
    """Lock the records of people, then the people; returns the records, those of operators apart."""
    rows = merges.records_of(session, person_ids)
    for person_id in sorted(person_ids):
        people.lock(session, person_id)
    return rows


def _require_people(session: Session, *person_ids: int) -> None:
    for person_id in person_ids:
        if not people.exists(session, person_id):
            raise UnknownPerson(f"there is no person {person_id}")
        if people.is_erased(session, person_id):
            raise MergeRefused(f"person {person_id} was erased: nothing is left of them, and nothing becomes theirs")
        if (kept := merges.merged_into(session, person_id)) is not None:
            raise MergeRefused(f"person {person_id} was merged into person {kept}")


def _require_mergeable(session: Session, intake: Intake, keep_id: int, other_id: int, moved: list[RecordRow]) -> None:
    if keep_id == other_id:
        raise MergeRefused(f"both are person {keep_id}")
    if not moved:
        raise MergeRefused(f"no source says anything of person {other_id}: there is nothing to merge")
    for person_id in (keep_id, other_id):
        _require_idle(session, person_id)
    kept, other = (addresses.at_host(session, each) for each in (keep_id, other_id))
    if kept and other:
        raise MergeRefused(
            f"both have something at the mail host ({kept[0].address} and {other[0].address}), and a person has one "
            f"mailbox. None is deleted by a merge: move the mail, have person {other_id} leave (`mailroster people "
            "leave`), and merge when the stages of leaving have deleted their mailbox; then its mail goes to the other"
        )
    known = profile(people.load(session, other_id), intake.precedence)
    if known.suspended and _said_by_operator(session, other_id):
        raise MergeRefused(
            f"an operator suspended person {other_id}, which does not hold for person {keep_id}: resume them first"
        )


def _said_by_operator(session: Session, person_id: int) -> bool:
    record = people.load_record(session, OPERATOR, str(person_id))
    return record is not None and record[0].suspended is not None and record[0].suspended.value is True


def _require_idle(session: Session, person_id: int) -> None:
    """Refuse while a call may be under way for a person: what it makes would be another's."""
    job = jobs.outstanding(session, _lane(person_id))
    locked = jobs.get(session, job.id, lock=True) if job else None
    if locked is not None and (locked.state is JobState.RUNNING or steps.unsettled(session, locked.id)):
        raise MergeRefused(f"job {locked.id} of person {person_id} is under way; try again when it has ended")


def _require_splittable(
    session: Session, person_id: int, keys: Collection[Key], moved: list[RecordRow], stayed: list[RecordRow]
) -> None:
    missing = sorted(set(keys) - {key_of(row) for row in moved})
    if missing:
        listed = ", ".join("/".join(key) for key in sorted(map(key_of, [*moved, *stayed])))
        raise MergeRefused(f"person {person_id} has no record {'/'.join(missing[0])}; there are {listed or 'none'}")
    if not moved:
        raise MergeRefused("say which records: SOURCE/SUBJECT, as `mailroster people show` lists them")
    if not any(row.person_id == person_id for row in stayed):
        raise MergeRefused(f"these are all records of person {person_id}: one must stay")
    _require_idle(session, person_id)


def _split_of(session: Session, person_id: int, other_id: int, now: datetime) -> Decision | None:
    """Return the split that a merge takes back, and note that it does."""
    found = next((one for one in merges.standing(session, SPLIT, person_id) if one.row.other_id == other_id), None)
    if found is not None:
        merges.undone(session, found, now)
    return found


def _merge_of(session: Session, person_id: int, keys: Collection[Key], now: datetime) -> Decision | None:
    """Return the merge that a split takes back, and note that it does: the newest that brought just these records."""
    found = next((one for one in merges.standing(session, MERGE, person_id) if one.moved == set(keys)), None)
    if found is not None:
        merges.undone(session, found, now)
    return found


def _hand_over(session: Session, moved: list[RecordRow], person_id: int, now: datetime) -> list[str]:
    for row in moved:
        row.person_id = person_id
        session.flush()
        events.hand_over(session, row.source, row.subject, person_id)
    people.lock(session, person_id).line_due_at = now  # whoever reports to one of these records reports to them
    return [f"record {row.source}/{row.subject} becomes one of person {person_id}" for row in moved]


def _pin(rows: list[RecordRow], now: datetime) -> None:
    """Let nobody but an operator decide about these records again; also where a decision is taken back."""
    for row in rows:
        row.pinned_at = row.pinned_at or now


def _dismiss(session: Session, person_id: int, reason: str, now: datetime) -> list[str]:
    job = jobs.outstanding(session, _lane(person_id))
    if job is None:
        return []
    row: JobRow | None = jobs.get(session, job.id, lock=True)
    assert row is not None, "no job is ever deleted"
    jobs.dismiss(session, row, now, reason)
    return [f"job {row.id} of person {person_id} is dismissed"]


def _lane(person_id: int) -> Subject:
    return Subject(SubjectKind.PERSON, str(person_id))


def _shape(session: Session, person_id: int) -> tuple[str, str, str, frozenset[str]]:
    row = people.lock(session, person_id)
    return row.name, row.phase, row.next_step or "", frozenset(memberships.of_person(session, person_id))


def _consequences(
    person_id: int, before: tuple[str, str, str, frozenset[str]], after: tuple[str, str, str, frozenset[str]]
) -> list[str]:
    """Say what differs for the person who stays, by what sources said of both."""
    words = [
        f"person {person_id}'s {what} becomes {new or 'none'}, not {old or 'none'}"
        for what, old, new in zip(("name", "phase", "next change"), before[:3], after[:3], strict=True)
        if old != new
    ]
    gained, lost = after[3] - before[3], before[3] - after[3]
    words += [f"person {person_id} joins {address}" for address in sorted(gained)]
    return words + [f"person {person_id} leaves {address}" for address in sorted(lost)]
