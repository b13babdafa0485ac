"""What drifted, as the API and the command line's ``--json`` show it. Personal addresses are no part of it."""

from collections.abc import Mapping

from worker.planning.drift import Drift
from worker.store import drift
from worker.store.database import Session
from worker.store.drift import DriftFilter
from worker.store.tables import DriftRow, ReadingRow
from worker.web.objects import JsonObject, instant, listing


def drift_listing(session: Session, wanted: DriftFilter, *, after: int, limit: int) -> JsonObject:
    """Return one page of what the latest reconciles found, with each domain's reading: when it was, and its counts."""
    found = drift.page(session, wanted, after=after, limit=limit + 1)
    shown = [drift_object(row, reading) for row, reading in found]
    readings = [reading_object(session, row) for row in drift.readings(session, wanted.domain)]
    return listing("drift", shown, limit=limit) | {"readings": readings}


def drift_object(row: DriftRow, reading: ReadingRow) -> JsonObject:
    """Return one difference; ``field`` is null where it is the object itself."""
    is_somebodys = row.subject_kind is not None
    return {
        "id": str(row.id),
        "domain": reading.domain,
        "readAt": instant(reading.read_at),
        "kind": row.kind,
        "subject": {"kind": row.subject_kind, "key": row.subject_key} if is_somebodys else None,
        "person": None if row.person_id is None else str(row.person_id),
        "object": row.noun,
        "address": row.address,
        "mailbox": row.mailbox,
        "field": row.field,
        "wanted": row.wanted,
        "found": row.found,
        "written": row.written,
        "action": row.action,
        "job": None if row.job_id is None else str(row.job_id),
        "note": row.note,
    }


def reading_object(session: Session, row: ReadingRow) -> JsonObject:
    """Return when a domain was read and how much differed then, by kind."""
    return {
        "domain": row.domain,
        "readAt": instant(row.read_at),
        "people": row.people,
        "shared": row.shared,
        "found": _all_kinds(drift.count(session, row.domain)),
        "undecided": sum(drift.count_undecided(session, row.domain).values()),
    }


def _all_kinds(counted: Mapping[Drift, int]) -> dict[str, int]:
    return {kind.value: counted.get(kind, 0) for kind in Drift}
