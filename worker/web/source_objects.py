"""Sources as the API and the command line's ``--json`` show them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from worker.intake.source_health import Health, health_of_all
from worker.sources import SourceConfig
from worker.store.database import Session
from worker.store.source_health import Counts
from worker.web.objects import JsonObject, instant


def source_objects(session: Session, configured: Mapping[str, SourceConfig], now: datetime) -> list[JsonObject]:
    """Return how every source fares."""
    return [source_object(each, now) for each in health_of_all(session, configured, now)]


def source_object(health: Health, now: datetime) -> JsonObject:
    """Return how one source fares."""
    source, heard = health.source, health.heard
    waiting = now - heard.waiting_since if heard.waiting_since else None
    return {
        "name": source.name,
        "kind": source.kind,
        "lastHeardAt": instant(heard.last_at),
        "silentAfterS": _seconds(source.silent_after),
        "lastFailure": None
        if heard.failure is None
        else {"at": instant(heard.failure.at), "kind": heard.failure.kind, "said": heard.failure.said},
        "day": _counts(heard.day),
        "week": _counts(heard.week),
        "refusedInARow": heard.refused_in_a_row,
        "lagS": _seconds(heard.lag),
        "oldestWaitingS": _seconds(waiting),
        "alarms": [{"kind": each.kind.value, "said": each.said, "mend": each.mend} for each in health.alarms],
    }


def _counts(counts: Counts) -> JsonObject:
    return {
        "accepted": counts.accepted,
        "repeated": counts.repeated,
        "rejected": counts.rejected,
        "parked": counts.parked,
        "refused": counts.refused,
        "withoutEvent": counts.without_event,
        "turnedAway": counts.turned_away,
    }


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else max(round(length.total_seconds(), 1), 0.0)
