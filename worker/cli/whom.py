"""Which person a command is about."""

from worker.cli.failed import Failed
from worker.store import people
from worker.store.database import Session
from worker.store.tables import PersonRow


def person_meant(session: Session, text: str) -> PersonRow:
    """Return the one person that a text means. Raises Failed where it means nobody, or several, whom it lists."""
    found = people.find(session, text)
    if not found:
        raise Failed(f"nobody is known as {text!r}")
    if len(found) > 1:
        several = ", ".join(f"{row.id} ({row.name or 'no name'}, {row.phase or 'unknown'})" for row in found)
        raise Failed(f"{text!r} may be several people; say which by id: {several}")
    return found[0]
