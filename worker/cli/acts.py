"""What operators decided about one person and their jobs, in words: part of the story that ``why`` tells."""

from collections.abc import Iterable, Mapping
from typing import Final

from worker.store import audit
from worker.store.audit import Act
from worker.store.database import Session
from worker.store.tables import JobRow
from worker.web.objects import JsonObject, instant

_SAID: Final[Mapping[str, str]] = {
    "job.dismiss": "dismissed {target}",
    "job.retry": "had {target} tried again",
    "job.undo": "undid {target}",
    "mailbox.adopt": "took a mailbox over: {reason}",
    "mailbox.recognise": "took a mailbox for theirs that was there already",
    "people.merge": "merged person {other} into this one",
    "people.split": "gave {of} to person {other}",
    "person.reset-password": "set a fresh password",
}


def acts_about(session: Session, person_id: int, told: Iterable[JobRow]) -> list[Act]:
    """Return what was decided about a person and their jobs, the oldest first; what became an event is told by that."""
    targets = [f"person {person_id}", *(f"job {job.id}" for job in told)]
    return [act for act in audit.acts_on(session, targets) if act.act in _SAID]


def act_said(act: Act) -> str:
    """Return an act as a sentence without its end."""
    return f"{act.actor} {_SAID[act.act].format_map({'target': act.target, **act.detail})}"


def act_object(act: Act) -> JsonObject:
    """Return an act as JSON."""
    return {"at": instant(act.at), "actor": act.actor, "act": act.act, "target": act.target, "detail": dict(act.detail)}
