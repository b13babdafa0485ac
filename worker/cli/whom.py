"""Which person a command is about."""

from zoneinfo import ZoneInfo

from worker.cli.failed import Failed
from worker.cli.output import moment
from worker.store import merges, people
from worker.store.database import Session
from worker.store.tables import PersonRow


def person_meant(session: Session, text: str) -> PersonRow:
    """Return the one person that a text means; who was merged into somebody is meant as them.

    Raises Failed where it means nobody, or several, whom it lists.
    """
    found = [_kept(session, row) for row in people.find(session, text)]
    if not found:
        raise Failed(f"nobody is known as {text!r}")
    if len(found) > 1:
        several = ", ".join(f"{row.id} ({row.name or 'no name'}, {row.phase or 'unknown'})" for row in found)
        raise Failed(f"{text!r} may be several people; say which by id: {several}")
    return found[0]


def erased_sentence(row: PersonRow, zone: ZoneInfo) -> str:
    """Return all that is left to say of somebody who was erased."""
    assert row.erased_at is not None
    return f"person {row.id} was erased at {moment(row.erased_at, zone)}"


def _kept(session: Session, row: PersonRow) -> PersonRow:
    while (person_id := merges.merged_into(session, row.id)) is not None:
        kept = people.get(session, person_id)
        assert kept is not None, "no person is ever deleted"
        row = kept
    return row
