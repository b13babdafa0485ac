"""What operators decided about whose records are whose, kept so that it can be taken back exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from worker.roster import OPERATOR
from worker.store.tables import AddressRow, MergeRow, PersonRow, RecordRow

MERGE, SPLIT = "merge", "split"

Key = tuple[str, str]
"""A record: our name of the source, and the subject there."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One merge or split that stands."""

    row: MergeRow

    @property
    def moved(self) -> frozenset[Key]:
        """The records that changed their person."""
        return frozenset((source, subject) for source, subject in self.row.former["moved"])

    @property
    def addresses(self) -> list[dict[str, Any]]:
        """The addresses that changed, each as it was: id, person, role, held_to."""
        listed: list[dict[str, Any]] = self.row.former["addresses"]
        return listed

    @property
    def added(self) -> frozenset[int]:
        """The addresses that the kept person was given because of it."""
        return frozenset(self.row.former["added"])


def records_of(session: Session, person_ids: Sequence[int]) -> list[RecordRow]:
    """Return the records of these people, locked, those of operators apart: whoever asks holds the lock of linking."""
    mine = select(RecordRow).where(RecordRow.person_id.in_(person_ids), RecordRow.source != OPERATOR)
    return list(session.scalars(mine.order_by(RecordRow.source, RecordRow.subject).with_for_update()))


def key_of(row: RecordRow) -> Key:
    """Return by what a record is known."""
    return row.source, row.subject


def note(
    session: Session,
    kind: str,
    people: tuple[int, int],
    moved: Sequence[RecordRow],
    now: datetime,
) -> MergeRow:
    """Write a decision about (kept, other) down; addresses are added before they change, and after."""
    former = {"moved": [list(key_of(row)) for row in moved], "addresses": [], "added": []}
    person_id, other_id = people
    row = MergeRow(kind=kind, person_id=person_id, other_id=other_id, at=now, former=former)
    session.add(row)
    session.flush()
    return row


def undone(session: Session, decision: Decision, now: datetime) -> None:
    """Note that a decision was taken back by its counterpart."""
    decision.row.undone_at = now
    session.flush()


def note_addresses(session: Session, row: MergeRow, changing: Sequence[AddressRow]) -> None:
    """Write down what addresses were before a decision changes them."""
    row.former = row.former | {"addresses": [_address(each) for each in changing]}
    session.flush()


def held_ids(session: Session, person_id: int) -> frozenset[int]:
    """Return the entries of the ledger of what a person holds."""
    held = select(AddressRow.id).where(AddressRow.person_id == person_id, AddressRow.held_to.is_(None))
    return frozenset(session.scalars(held))


def note_added(session: Session, row: MergeRow, person_id: int, held: frozenset[int]) -> None:
    """Write down what a person was given since they held these."""
    row.former = row.former | {"added": sorted(held_ids(session, person_id) - held)}
    session.flush()


def standing(session: Session, kind: str, person_id: int) -> list[Decision]:
    """Return the decisions of a kind about a kept person that nobody took back, the newest first."""
    mine = select(MergeRow).where(MergeRow.kind == kind, MergeRow.person_id == person_id, MergeRow.undone_at.is_(None))
    return [Decision(row) for row in session.scalars(mine.order_by(MergeRow.id.desc()))]


def merged_into(session: Session, person_id: int) -> int | None:
    """Return whom a person is one with since an operator said so; None for everybody else."""
    mine = select(MergeRow.person_id).where(
        MergeRow.kind == MERGE, MergeRow.other_id == person_id, MergeRow.undone_at.is_(None)
    )
    return session.scalar(mine.order_by(MergeRow.id.desc()).limit(1))


def merged_with(session: Session, person_id: int) -> list[int]:
    """Return the people who are one with this one since an operator said so, and those who are one with them."""
    found: list[int] = []
    to_look_at = [person_id]
    while to_look_at:
        mine = (MergeRow.kind == MERGE, MergeRow.person_id == to_look_at.pop(), MergeRow.undone_at.is_(None))
        new = [other for other in session.scalars(select(MergeRow.other_id).where(*mine)) if other not in found]
        found += new
        to_look_at += new
    return sorted(found)


def same_numbers(session: Session, *, limit: int) -> list[list[int]]:
    """Return the people who state one employeeNumber, by number; those an operator told apart are left out."""
    shared = (
        select(PersonRow.employee_number)
        .where(PersonRow.employee_number.is_not(None))
        .group_by(PersonRow.employee_number)
        .having(func.count() > 1)
        .order_by(PersonRow.employee_number)
    )
    undecided = (
        select(PersonRow.employee_number)
        .join(RecordRow, RecordRow.person_id == PersonRow.id)
        .where(PersonRow.employee_number.in_(shared.order_by(None)), RecordRow.pinned_at.is_(None))
        .where(RecordRow.source != OPERATOR)
    )
    numbers = session.scalars(shared.where(PersonRow.employee_number.in_(undecided)).limit(limit)).all()
    found = session.execute(
        select(PersonRow.employee_number, PersonRow.id)
        .where(PersonRow.employee_number.in_(numbers))
        .order_by(PersonRow.employee_number, PersonRow.id)
    ).all()
    return [[person_id for stated, person_id in found if stated == number] for number in numbers]


def _address(row: AddressRow) -> dict[str, Any]:
    held_to = row.held_to.isoformat() if row.held_to else None
    return {"id": row.id, "person": row.person_id, "role": row.role, "held_to": held_to}
