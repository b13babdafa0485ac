"""How each source fares, and what about it should alarm somebody.

What is told of deliveries that nobody signed may be told by anybody who knows the address of a hook: it says so, and
raises no more than the alarms of that one source, until the source is heard again and an hour has passed without more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from worker.sources import OPERATOR, RESERVED_NAMES, SourceConfig, SourceKind
from worker.sources.hinted import HINTS
from worker.sources.snapshot import SNAPSHOTS
from worker.store import hint_pauses, source_health, tokens, workers
from worker.store.database import Session
from worker.store.source_health import Heard
from worker.store.states import EventState
from worker.store.tallies import TallyKind

REFUSED = 5
"""So many deliveries that are refused without a good one between raise the alarm; or within an hour, good ones between,
as where one of two senders has another secret.
"""
REJECTED_OF_NEWEST = 5
"""So many refused ones among the newest events raise the alarm; it ends once good ones came after them."""

_BROUGHT = (SNAPSHOTS, HINTS)
"""Where events come from that are no delivery by a source: rosters, and the records it was asked for."""
_OF_FILES = (None, SourceKind.FILE, SourceKind.FOLDER)
"""What speaks by files, or is no source of the sources file."""


class AlarmKind(StrEnum):
    """What is the matter with a source."""

    SILENT = "silent"
    """Not heard for longer than its ``silent_after``."""
    SIGNATURES = "signatures"
    """Refused several times: whoever sends has another secret, or is somebody else."""
    REJECTED = "rejected"
    """Too many of its events are invalid, or its deliveries are not even read."""
    STOPPED = "stopped"
    """Nobody takes what waits for us in its queue."""
    CREDENTIALS = "credentials"
    """It does not accept the credentials with which we ask it for records."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is the matter."""

    kind: AlarmKind
    said: str
    mend: str


_STOPPED = Alarm(
    AlarmKind.STOPPED,
    "nobody takes what waits in its queue",
    "start `mailroster bus` or `mailroster up`; their logs say why they are not connected",
)


@dataclass(frozen=True, slots=True)
class Watched:
    """A source that is watched: a configured one, or another way in that was heard."""

    name: str
    kind: str | None = None
    """Its kind in the sources file; None where it is not in there."""
    silent_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How one source fares."""

    source: Watched
    heard: Heard
    alarms: tuple[Alarm, ...]


def watched(session: Session, configured: Mapping[str, SourceConfig]) -> list[Watched]:
    """Return all sources: those of the file, and the other ways in that were ever heard or have a token."""
    known = [Watched(name, str(each.kind), each.silent_after) for name, each in configured.items()]
    with_token = {token.source for token in tokens.list_tokens(session) if token.source and token.revoked_at is None}
    others = {*RESERVED_NAMES, *with_token} - {OPERATOR, *configured}
    heard = [Watched(name) for name in others if source_health.was_heard(session, name)]
    return sorted(known + heard, key=lambda each: each.name)


def health_of(session: Session, source: Watched, now: datetime) -> Health:
    """Return how a source fares at an instant."""
    brought = () if source.kind in _OF_FILES else _BROUGHT
    heard = source_health.look(session, source.name, now, brought=brought)
    ours = (*_of_consumer(session, source), *_of_credentials(session, source))
    return Health(source, heard, (*ours, *_alarms(source, heard, now)))


def health_of_all(session: Session, configured: Mapping[str, SourceConfig], now: datetime) -> list[Health]:
    """Return how every source fares."""
    return [health_of(session, each, now) for each in watched(session, configured)]


def span(length: timedelta) -> str:
    """Return a length of time in words, in its largest unit but one: 26 hours are 26 h, and 50 are 2 days."""
    seconds = length.total_seconds()
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _of_consumer(session: Session, source: Watched) -> Iterator[Alarm]:
    if source.kind == SourceKind.AMQP and not workers.consumers(session, source.name):
        yield _STOPPED


def _of_credentials(session: Session, source: Watched) -> Iterator[Alarm]:
    if (reason := hint_pauses.refusal_of(session, source.name)) is not None:
        yield Alarm(
            AlarmKind.CREDENTIALS,
            f"it is not asked for records: {reason}",
            f"mend the credentials and restart the workers, or `mailroster sources retry {source.name}`",
        )


def _alarms(source: Watched, heard: Heard, now: datetime) -> Iterator[Alarm]:
    if source.silent_after is not None and (heard.last_at is None or now - heard.last_at > source.silent_after):
        silence = f"nothing was heard for {span(now - heard.last_at)}" if heard.last_at else "nothing was ever heard"
        yield Alarm(
            AlarmKind.SILENT,
            f"{silence}, and its rhythm is {span(source.silent_after)}",
            f"look in the system it comes from for deliveries that fail, and `mailroster sources test {source.name}`",
        )
    if (unsigned := _unsigned(heard)) is not None:
        yield Alarm(
            AlarmKind.SIGNATURES,
            f"{unsigned}{_why(heard, TallyKind.REFUSED, ': ')}",
            "if they are its own they are lost: compare its secret with the one here, then have it send them again; "
            "anybody who knows the address may have sent them",
        )
    if heard.newest_rejected >= REJECTED_OF_NEWEST:
        why = _why(heard, EventState.REJECTED, ", the latest because: ")
        yield Alarm(
            AlarmKind.REJECTED,
            f"{heard.newest_rejected} of its newest {heard.newest} events were refused{why}",
            _mend_of_rejected(source),
        )
    elif (unread := heard.last_hour[TallyKind.TURNED_AWAY]) >= REJECTED_OF_NEWEST:
        yield Alarm(
            AlarmKind.REJECTED,
            f"{unread} deliveries of the last hour were turned away unread{_why(heard, TallyKind.TURNED_AWAY, ': ')}",
            "if they are its own they are lost: mend the sender, then have it send them again; "
            "anybody who knows the address may have sent them",
        )


def _mend_of_rejected(source: Watched) -> str:
    """Say how what was refused comes again: only what a hook refused is kept to be replayed."""
    match source.kind:
        case None:
            return "mend the sender, then have it send them again"
        case SourceKind.AMQP:
            return "mend the sender, then publish again what became a dead letter"
        case SourceKind.FILE | SourceKind.FOLDER:
            return "mend the files or the source's table, then have them imported again"
        case _:
            return f"mend the sender or its mapping, then `mailroster sources replay {source.name}`"


def _unsigned(heard: Heard) -> str | None:
    """Say how many deliveries are not signed by the source, if they are too many."""
    if heard.refused_in_a_row >= REFUSED:
        return f"{heard.refused_in_a_row} deliveries in a row were not signed by it"
    unsigned, signed = (heard.last_hour[kind] for kind in (TallyKind.REFUSED, TallyKind.HEARD))
    return (
        f"{unsigned} deliveries of the last hour were not signed by it, and {signed} were"
        if unsigned >= REFUSED
        else None
    )


def _why(heard: Heard, kind: str, before: str) -> str:
    """Return the reason of the latest failure of a kind, if it has one."""
    failure = heard.failures.get(kind)
    return f"{before}{failure.said}" if failure and failure.said else ""
