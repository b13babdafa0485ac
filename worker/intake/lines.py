"""Lines: whom a person reports to, who stands in, and noting that those below are to hear when that becomes another."""

from dataclasses import dataclass, replace
from datetime import datetime

from worker.mail import Address
from worker.policy import PersonView
from worker.store import lines, waiting
from worker.store.database import Session
from worker.store.lines import Link
from worker.store.tables import PersonRow


@dataclass(frozen=True, slots=True)
class Standing:
    """What those below see of a person: somebody who can take over, or else the way further up."""

    address: Address | None
    name: str | None
    further: Link | None


def standing_of(row: PersonRow) -> Standing:
    """Return how a person stands as it was last found out."""
    if row.takeover_address is None:
        return Standing(None, None, lines.link_of(row))
    return Standing(Address(row.takeover_address), row.name, None)


def placed(session: Session, row: PersonRow, view: PersonView) -> PersonView:
    """Keep whom a person reports to, and return the view as it is then. The person's row is locked."""
    link = view.profile.manager
    if link == lines.link_of(row):
        return view
    lines.lock(session)  # from here on whoever changes above sees this report, or was seen by the look that follows
    row.manager_source, row.manager_subject = link or (None, None)
    return replace(view, manager=lines.manager_of(session, link, but=row.id))


def note_standing(session: Session, row: PersonRow, before: Standing, now: datetime) -> None:
    """Have those below told if a person stands otherwise than ``before``, or one of their records is new to them.

    Whoever has nobody below costs two small queries here, and only then. A record that waits for them stays noted.
    """
    if standing_of(row) == before and row.line_due_at is None:
        return
    lines.lock(session)
    with session.no_autoflush:  # it is about others, so what changed of this one may be written later, all at once
        concerned = lines.has_reports(session, row.id) or waiting.is_for(session, row.id)
        row.line_due_at = now if concerned else None
