"""A past: people who joined, with all that the tables keep of it, inserted as rows."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from tests.benchmarks._place import Place
from tests.end_to_end.installation import event
from worker.mail import domain_of
from worker.store.policies import active_policy
from worker.store.tables import (
    AddressRow,
    AttemptRow,
    EventRow,
    JobRow,
    MembershipRow,
    PersonRow,
    RecordRow,
    StepRow,
)

_BATCH, _TEAM = 5_000, 500
_TABLES = (PersonRow, EventRow, RecordRow, JobRow, StepRow, AttemptRow, AddressRow, MembershipRow)
_COUNTED = (PersonRow, EventRow, JobRow, StepRow, AttemptRow, AddressRow)
"""Those whose keys the database counts up."""


def lengthen(place: Place, people: int) -> None:
    """Have so many more people with their history, a row in each table; none of them in a group of the policy."""
    with place.deployment.database.write() as session:
        first = 1 + max(session.scalar(select(func.max(table.id))) or 0 for table in _COUNTED)
        active = active_policy(session)
    assert active is not None
    rows = _rows(place, active[0], first, people)
    while batch := [row for _, row in zip(range(_BATCH), rows, strict=False)]:
        with place.deployment.database.write() as session:
            for number, table in enumerate(_TABLES):
                session.execute(insert(table), [row[number] for row in batch])
    _end(place, first + people)


def _rows(place: Place, policy_hash: str, first: int, people: int) -> Iterator[tuple[dict[str, Any], ...]]:
    at = place.deployment.clock.now() - timedelta(days=30)
    for id_ in range(first, first + people):
        told = event("joined", f"H{id_}", givenName=f"Old{id_}", familyName=f"Hand{id_}")
        address, box = f"old{id_}.hand{id_}@example.org", {"name": f"Old{id_} Hand{id_}"}
        yield (
            {"id": id_, "created_at": at, "name": box["name"], "phase": "active", "wanted_hash": "0" * 64}
            | {"policy_hash": policy_hash, "evaluated_at": at},
            {"id": id_, "source": "hr", "ce_source": told["source"], "ce_id": told["id"], "type": told["type"]}
            | {"subject": told["subject"], "time": at, "received_at": at, "digest": f"{id_:064}", "document": told}
            | {"state": "applied", "person_id": id_, "applied_at": at},
            {"source": "hr", "subject": f"H{id_}", "person_id": id_, "document": {}, "updated_at": at},
            {"id": id_, "subject_kind": "person", "subject_key": str(id_), "person_id": id_, "state": "done"}
            | {"urgency": 1, "run_at": at, "event_id": id_, "fence": 1, "created_at": at, "updated_at": at}
            | {"finished_at": at, "plan": [box], "plan_hash": "0" * 64},
            {"id": id_, "job_id": id_, "position": 0, "operation": "create-mailbox", "target": address}
            | {"before": {}, "after": box, "hash": f"{id_:064}", "state": "confirmed", "fence": 1}
            | {"intended_at": at, "sent_at": at, "settled_at": at},
            {"id": id_, "job_id": id_, "step_id": id_, "operation": "create-mailbox", "method": "POST"}
            | {"started_at": at, "duration_s": 0.05, "status": 200},
            {"id": id_, "address": address, "domain": domain_of(address), "role": "primary", "person_id": id_}
            | {"provenance": "created", "job_id": id_, "held_from": at, "exists_since": at},
            {"person_id": id_, "address": f"old{id_ // _TEAM}@example.org", "since": at},
        )


def _end(place: Place, beyond: int) -> None:
    """Let the database go on counting behind these rows, and know how many there are, as it would after a day."""
    if place.profile == "embedded":
        return
    with place.deployment.database.write() as session:
        for table in _COUNTED:
            _count_from(session, table.__tablename__, beyond)
    with place.deployment.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("vacuum analyze")


def _count_from(session: Session, table: str, number: int) -> None:
    count = text("select setval(pg_get_serial_sequence(:table, 'id'), :number)")
    session.execute(count, {"table": table, "number": number})
