"""Queries over hints: noting them, one outstanding for each (source, subject), and claiming them to be fetched."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from worker.events import EventType
from worker.store.database import database_now
from worker.store.exclusion import one_at_a_time
from worker.store.spelled import is_in
from worker.store.states import HINT_MOVES, HintState, move
from worker.store.tables import HintKeyRow, HintPauseRow, HintRow

SPACING = timedelta(seconds=5)
"""The same person's record is not asked for more often, however many deliveries there are."""

_ASPECTS = {
    EventType.SUSPENDED: "suspension",
    EventType.RESUMED: "suspension",
    EventType.PURGED: "erasure",
    EventType.UPDATED: None,
    EventType.RENAMED: None,
}
"""What a word is about, where it is not employment; None where the record itself tells it all."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One hint that was delivered."""

    subject: str
    occurred_at: datetime
    word: str | None
    """The canonical type of what the source says has happened."""
    digest: str
    """Of the delivery's key."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of a hint that was delivered."""

    id: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to ask for one record: what comes of an older fence is void."""

    id: int
    fence: int
    generation: int
    """The deliveries that this fetch takes into account."""
    source: str
    subject: str
    occurred_at: datetime
    words: tuple[tuple[EventType, datetime], ...]
    """What the deliveries said had happened, oldest first."""


def note(session: Session, source: str, heard: Sequence[Heard], now: datetime) -> list[Noted]:
    """Note what a delivery told, each hint once by its key. Locks keys, then hints, each in a fixed order.

    A person who is outstanding already is refreshed, and whoever is parked is tried again.
    """
    fresh = _with_new_keys(session, source, heard, now)
    rows = _outstanding(session, source, {one.subject for one in fresh.values()}, now)
    for one in fresh.values():
        _refresh(rows[one.subject], one, now)
    session.flush()
    for subject, row in rows.items():
        digests = [one.digest for one in fresh.values() if one.subject == subject]
        session.execute(
            update(HintKeyRow)
            .where(HintKeyRow.source == source, HintKeyRow.digest.in_(digests))
            .values(hint_id=row.id)
            .execution_options(synchronize_session=False),
        )
    return _noted(session, source, heard, fresh)


def claim(session: Session, at_once: Mapping[str, int], *, lease: timedelta, now: datetime) -> Claim | None:
    """Take a hint that is due, of the source with the fewest fetches under way; None if there is none.

    ``at_once`` says of each source that may be asked how many fetches it bears. The database itself keeps to it: a
    fetch under way holds a numbered slot of its source, and an index lets each number be held once.
    """
    # Else two may try one slot, and the second waits for the first, and for a delivery about who is in the slot, with a
    # hint in hand that the delivery may be waiting for.
    one_at_a_time(session, ["hints.claims"])
    taken = _slots_taken(session)
    paused = set(session.scalars(select(HintPauseRow.source).where(HintPauseRow.until > now)))
    for source in sorted(at_once.keys() - paused, key=lambda name: (len(taken.get(name, ())), name)):
        for slot in (each for each in range(at_once[source]) if each not in taken.get(source, ())):
            try:
                with session.begin_nested():
                    row = _claim_of(session, source, slot, lease, now)
            except IntegrityError:  # another worker has taken this slot meanwhile
                continue
            if row is None:
                break
            words = sorted(((EventType(kind), datetime.fromisoformat(at)) for kind, at in row.words), key=_at)
            return Claim(row.id, row.fence, row.generation, source, row.subject, row.occurred_at, tuple(words))
    return None


def locked(session: Session, mine: Claim) -> HintRow | None:
    """Return a claimed hint's row, locked; None if it is another worker's by now, or its person was erased."""
    return session.scalars(
        select(HintRow)
        .where(HintRow.id == mine.id, HintRow.fence == mine.fence, HintRow.state == HintState.FETCHING)
        .with_for_update()
        .execution_options(populate_existing=True),
    ).one_or_none()


def settle(row: HintRow, mine: Claim, now: datetime, reason: str | None) -> None:
    """Note that what the source states is in the inbox; after a delivery that came meanwhile it is asked once more."""
    _release(row, HintState.SETTLED if row.generation == mine.generation else HintState.WAITING)
    row.run_at, row.reason, row.failures, row.failing_since = now + SPACING, reason, 0, None
    row.settled_at = now if row.state is HintState.SETTLED else None


def put_off(row: HintRow, until: datetime, now: datetime, reason: str) -> None:
    """Note a fetch that failed, and when to try again."""
    _release(row, HintState.WAITING)
    row.run_at, row.reason, row.failures, row.failing_since = until, reason, row.failures + 1, row.failing_since or now


def give_back(row: HintRow, until: datetime, reason: str) -> None:
    """Note that the source cannot be asked for a while, which counts as no failure of this hint."""
    _release(row, HintState.WAITING)
    row.run_at, row.reason = until, reason


def park(row: HintRow, mine: Claim, now: datetime, reason: str) -> None:
    """Leave it to a person; after a delivery that came meanwhile it is asked once more first."""
    is_refreshed = row.generation != mine.generation
    _release(row, HintState.WAITING if is_refreshed else HintState.PARKED)
    row.run_at, row.reason, row.failures, row.failing_since = now + SPACING, reason, 0, None


def give_back_expired(session: Session, now: datetime) -> int:
    """Have the hints fetched again whose worker let its lease run out. Returns how many."""
    rows = session.scalars(
        select(HintRow)
        .where(is_in(HintRow.state, HintState.FETCHING), HintRow.lease_until < database_now(session))
        .with_for_update(skip_locked=True),
    ).all()
    for row in rows:
        give_back(row, now, "its worker stopped before it was done")
    return len(rows)


def due_count(session: Session, now: datetime, *, at_most: int) -> int:
    """Tell how many hints are due of sources that may be asked, counted up to a bound."""
    paused = select(HintPauseRow.source).where(HintPauseRow.until > now)
    due = select(HintRow.id).where(
        is_in(HintRow.state, HintState.WAITING), HintRow.run_at <= now, HintRow.source.not_in(paused)
    )
    return session.scalar(select(func.count()).select_from(due.limit(at_most).subquery())) or 0


def outstanding(session: Session) -> dict[str, dict[HintState, int]]:
    """Return how many hints of each source are in which state, settled ones apart."""
    counted: dict[str, dict[HintState, int]] = {}
    rows = session.execute(
        select(HintRow.source, HintRow.state, func.count())
        .where(text("state <> 'settled'"))
        .group_by(HintRow.source, HintRow.state),
    )
    for source, state, number in rows:
        counted.setdefault(source, {})[state] = number
    return counted


def parked(session: Session, *, source: str | None = None, limit: int) -> list[HintRow]:
    """Return the hints that need a person, of one source or of all."""
    found = select(HintRow).where(is_in(HintRow.state, HintState.PARKED)).order_by(HintRow.source, HintRow.id)
    return list(session.scalars((found.where(HintRow.source == source) if source else found).limit(limit)))


def retry(session: Session, now: datetime, *, source: str | None = None) -> int:
    """Have what of one source or of all is parked, or waits after a failure, fetched now. Returns how many hints."""
    put_off_ones = and_(is_in(HintRow.state, HintState.WAITING), HintRow.failures > 0)
    found = select(HintRow).where(or_(is_in(HintRow.state, HintState.PARKED), put_off_ones)).order_by(HintRow.id)
    rows = session.scalars((found.where(HintRow.source == source) if source else found).with_for_update()).all()
    for row in rows:
        row.state, row.run_at = move(HINT_MOVES, row.state, HintState.WAITING), now
    return len(rows)


def forget(session: Session, subjects: Iterable[tuple[str, str]]) -> None:
    """Remove every hint about these (source, subject): subjects are somebody's, and keys may be."""
    theirs = select(HintRow.id).where(tuple_(HintRow.source, HintRow.subject).in_([*subjects]))
    # In the order in which deliveries take them, so that neither waits for the other.
    ids = list(session.scalars(theirs.order_by(HintRow.source, HintRow.subject, HintRow.id).with_for_update()))
    session.execute(delete(HintKeyRow).where(HintKeyRow.hint_id.in_(ids)))
    session.execute(delete(HintRow).where(HintRow.id.in_(ids)))


def _with_new_keys(session: Session, source: str, heard: Sequence[Heard], now: datetime) -> dict[str, Heard]:
    by_digest = {one.digest: one for one in reversed(heard)}
    if not by_digest:
        return {}
    rows = [{"source": source, "digest": digest, "heard_at": now} for digest in sorted(by_digest)]
    new = _dialect(session).insert(HintKeyRow).values(rows).on_conflict_do_nothing().returning(HintKeyRow.digest)
    return {digest: by_digest[digest] for digest in session.scalars(new)}


def _outstanding(session: Session, source: str, subjects: Collection[str], now: datetime) -> dict[str, HintRow]:
    """Return the outstanding row of each subject, locked; those that were not there are made."""
    if not subjects:
        return {}
    fetched = _fetched_lately(session, source, subjects, now)
    rows = [
        {
            "source": source,
            "subject": subject,
            "occurred_at": now,
            "words": [],
            "state": HintState.WAITING,
            "generation": 0,
            "fence": 0,
            "run_at": fetched[subject] + SPACING if subject in fetched else now,
            "failures": 0,
            "heard_at": now,
        }
        for subject in sorted(subjects)
    ]
    inserting = _dialect(session).insert(HintRow).values(rows)
    found = session.scalars(
        inserting.on_conflict_do_update(
            index_elements=["source", "subject"],
            index_where=text("state <> 'settled'"),
            set_={"heard_at": now},
        ).returning(HintRow),
        execution_options={"populate_existing": True},
    )
    return {row.subject: row for row in found}


def _fetched_lately(session: Session, source: str, subjects: Collection[str], now: datetime) -> dict[str, datetime]:
    rows = session.execute(
        select(HintRow.subject, func.max(HintRow.settled_at))
        .where(HintRow.source == source, HintRow.subject.in_(subjects), HintRow.settled_at > now - SPACING)
        .group_by(HintRow.subject),
    )
    return {subject: min(settled_at, now) for subject, settled_at in rows if settled_at}


def _refresh(row: HintRow, one: Heard, now: datetime) -> None:
    row.occurred_at = one.occurred_at if row.generation == 0 else max(row.occurred_at, one.occurred_at)
    row.generation += 1
    row.words = _with_word(row.words, one)
    if row.state is HintState.PARKED:
        row.state, row.run_at = move(HINT_MOVES, row.state, HintState.WAITING), now


def _with_word(words: Sequence[Any], one: Heard) -> list[Any]:
    """Return the words with a further one, in the place of an older one about the same."""
    aspect = None if one.word is None else _ASPECTS.get(EventType(one.word), "employment")
    if aspect is None:
        return list(words)
    others = [each for each in words if _ASPECTS.get(EventType(each[0]), "employment") != aspect]
    before = [each for each in words if each not in others]
    return [*others, max([*before, [one.word, one.occurred_at.isoformat()]], key=_at)]


def _at(word: Sequence[Any]) -> datetime:
    at = word[1]
    return at if isinstance(at, datetime) else datetime.fromisoformat(at)


def _noted(session: Session, source: str, heard: Sequence[Heard], fresh: Mapping[str, Heard]) -> list[Noted]:
    found = session.execute(
        select(HintKeyRow.digest, HintKeyRow.hint_id).where(
            HintKeyRow.source == source, HintKeyRow.digest.in_({one.digest for one in heard})
        )
    )
    ids = {digest: hint_id or 0 for digest, hint_id in found}
    return [Noted(ids[one.digest], duplicate=fresh.get(one.digest) is not one) for one in heard]


def _slots_taken(session: Session) -> dict[str, set[int]]:
    taken: dict[str, set[int]] = {}
    under_way = select(HintRow.source, HintRow.slot).where(text("state = 'fetching'"))
    for source, slot in session.execute(under_way):
        taken.setdefault(source, set()).add(slot or 0)
    return taken


def _claim_of(session: Session, source: str, slot: int, lease: timedelta, now: datetime) -> HintRow | None:
    """Take the source's hint that has been due longest. The CTE is a fence, as in ``leases.claim``."""
    due = (
        select(HintRow.id)
        .where(HintRow.source == source, text("state = 'waiting'"), HintRow.run_at <= now)
        .order_by(HintRow.run_at, HintRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return session.scalars(
        update(HintRow)
        .where(HintRow.id.in_(select(due.c.id)))
        .values(
            state=HintState.FETCHING,
            slot=slot,
            fence=HintRow.fence + 1,
            lease_until=database_now(session) + lease,
        )
        .returning(HintRow)
        .execution_options(populate_existing=True, synchronize_session=False),
    ).one_or_none()


def _release(row: HintRow, state: HintState) -> None:
    row.state = move(HINT_MOVES, row.state, state)
    row.slot = row.lease_until = None


def _dialect(session: Session) -> Any:
    return sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
