"""How a deployment fares, as the API shows it: what waits, what the mail host is not asked for, who works."""

from datetime import datetime

from worker.store import jobs, waiting, workers
from worker.store.database import Session
from worker.store.figures import read_figures
from worker.store.holds import list_holds
from worker.store.paused import Paused, what_is_paused
from worker.store.policies import active_policy
from worker.web.objects import JsonObject, id_text, instant

_MOST_SHOWN = 100


def status_object(session: Session, now: datetime, *, schema: str | None) -> JsonObject:
    """Return how this deployment fares. ``schema`` is the revision that the database is at.

    It names the first hundred records that belong to nobody, and the first hundred objects that are left alone; the
    number of the records, and those of events, go up to a thousand.
    """
    policy = active_policy(session)
    due_since = jobs.oldest_due_at(session, now)
    figures, unmatched = read_figures(session), waiting.unmatched(session)
    return {
        "now": instant(now),
        "eventsWaiting": figures.events_waiting,
        "eventsParked": figures.events_parked,
        "jobs": figures.jobs,
        "people": figures.people,
        "recordsUnmatched": figures.records_unmatched,
        "recordsWithoutPerson": [
            {"source": each.source, "subject": each.subject, "why": why} for each, why in unmatched
        ],
        "behindS": max((now - due_since).total_seconds(), 0.0) if due_since else 0.0,
        "pauses": [_pause(each) for each in what_is_paused(session, now, at_most=_MOST_SHOWN)],
        "openHolds": [str(hold.id) for hold in list_holds(session)],
        "workers": [{"name": name, "seenAt": instant(seen_at)} for name, seen_at in workers.alive(session)],
        "policy": policy[0] if policy else None,
        "schema": schema,
    }


def _pause(paused: Paused) -> JsonObject:
    """Show what the mail host is not asked for a while."""
    return {
        "kind": paused.kind,
        "what": paused.what,
        "active": paused.active,
        "since": instant(paused.since),
        "until": instant(paused.until),
        "probing": paused.probing,
        "reason": paused.reason,
        "job": id_text(paused.job_id),
    }
