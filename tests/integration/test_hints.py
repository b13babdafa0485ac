"""Hints in the database, on both engines: one outstanding per person, none lost, each claimed by one worker."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, text, update

from tests.end_to_end.installation import wait_until
from tests.integration.office import ON_POSTGRESQL
from tests.integration.test_lookups import explained, is_table_scan
from worker.intake.hints import note_hints
from worker.sources import Hint
from worker.store import hint_pauses, hints, settled_hints
from worker.store.database import Database
from worker.store.hints import SPACING, Claim, Noted
from worker.store.states import HintState
from worker.store.tables import HintKeyRow, HintRow

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LEASE = timedelta(minutes=2)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def hint(subject: str = "E1", key: str = "k1", at: datetime = NOON, word: str | None = None) -> Hint:
    """Return a hint as a delivery holds it."""
    return Hint(subject, at, word, key)


def note(database: Database, *heard: Hint, now: datetime = NOON, source: str = "hr") -> tuple[Noted, ...]:
    """Note a delivery."""
    with database.write() as session:
        return note_hints(session, source, heard, now)


def claim(database: Database, now: datetime = NOON, lease: timedelta = LEASE, **at_once: int) -> Claim | None:
    """Claim a hint as a worker does."""
    with database.write() as session:
        return hints.claim(session, at_once or {"hr": 2}, lease=lease, now=now)


def settle(database: Database, mine: Claim, now: datetime = NOON) -> bool:
    """Settle a claimed hint; tell whether it was still this worker's."""
    with database.write() as session:
        row = hints.locked(session, mine)
        if row is not None:
            hints.settle(row, mine, now, None)
        return row is not None


def rows(database: Database) -> list[HintRow]:
    """Return all hints."""
    with database.read() as session:
        return list(session.scalars(select(HintRow).order_by(HintRow.id)))


def taken(database: Database) -> Claim:
    """Claim a hint that is there."""
    mine = claim(database)
    assert mine is not None
    return mine


def forget(database: Database, before: datetime, *, limit: int) -> int:
    """Forget what was settled before."""
    with database.write() as session:
        is_any = settled_hints.any_older(session, before)
        number = settled_hints.forget_older(session, before, limit=limit)
    assert is_any is bool(number)
    return number


def test_a_burst_about_one_person_is_one_row(database: Database) -> None:
    """Fifty deliveries refresh the one outstanding row, which is of the newest instant; all their keys are known."""
    for number in range(50):
        note(database, hint(key=f"k{number}", at=NOON - number * SECOND))

    (row,) = rows(database)
    assert (row.generation, row.occurred_at, row.state) == (50, NOON, HintState.WAITING)
    with database.read() as session:
        assert session.scalar(select(func.count()).where(HintKeyRow.hint_id == row.id)) == 50


def test_a_delivery_is_noted_once_by_its_key(database: Database) -> None:
    """A repetition is answered with the same id and asks for nothing again, also within one delivery."""
    first = note(database, hint(), hint("E2", "k2"), hint("E2", "k2"))
    mine = claim(database)
    assert mine is not None
    settle(database, mine)
    again = note(database, hint())

    assert [one.duplicate for one in first] == [False, False, True]
    assert first[1].id == first[2].id
    assert again == (Noted(first[0].id, duplicate=True),)
    assert [row.state for row in rows(database)] == [HintState.SETTLED, HintState.WAITING]


def test_the_same_key_of_another_source_is_another_hint(database: Database) -> None:
    """Keys are a source's own."""
    assert not note(database, hint())[0].duplicate
    assert not note(database, hint(), source="it")[0].duplicate


def test_the_newest_word_of_each_aspect_is_kept(database: Database) -> None:
    """What was said of employment and of suspension stands side by side, whatever the order of the deliveries."""
    note(database, hint(key="1", at=NOON, word="person.left"))
    note(database, hint(key="2", at=NOON - SECOND, word="person.joined"))
    note(database, hint(key="3", at=NOON + SECOND, word="person.suspended"), hint(key="4", word="person.updated"))
    mine = claim(database)

    assert mine is not None
    assert mine.words == (("person.left", NOON), ("person.suspended", NOON + SECOND))


def test_a_claim_takes_what_is_due_longest_and_nobody_else_gets_it(database: Database) -> None:
    """Each hint has one worker, and no more of a source are under way than it bears."""
    note(database, hint("E1", "1"), hint("E2", "2"), hint("E3", "3"))
    claims = [claim(database) for _ in range(3)]

    assert [mine.subject for mine in claims if mine] == ["E1", "E2"]
    assert claims[2] is None
    assert claims[0]
    settle(database, claims[0])
    third = claim(database)
    assert third is not None
    assert third.subject == "E3"


def test_sources_do_not_wait_for_each_other(database: Database) -> None:
    """One whose fetches are all under way leaves the others theirs; who is not configured or paused is left alone."""
    note(database, *(hint(f"E{number}", str(number)) for number in range(3)))
    note(database, hint(), source="it")
    note(database, hint(), source="gone")
    note(database, hint(), source="tired")
    with database.write() as session:
        hint_pauses.pause(session, "tired", "401", NOON, is_refusal=True)
    found = [claim(database, hr=1, it=1, tired=1) for _ in range(3)]

    assert [mine and mine.source for mine in found] == ["hr", "it", None]
    assert claim(database, NOON + timedelta(minutes=16), tired=1)


def test_a_delivery_during_the_fetch_has_it_fetched_once_more(database: Database) -> None:
    """It is not lost: the row goes back to waiting, and comes after a pause that spares the source."""
    note(database, hint())
    mine = claim(database)
    assert mine is not None
    note(database, hint(key="k2", at=NOON + SECOND))
    settle(database, mine)

    (row,) = rows(database)
    assert (row.state, row.run_at) == (HintState.WAITING, NOON + SPACING)
    again = claim(database, NOON + SPACING)
    assert again is not None
    assert settle(database, again)
    assert [row.state for row in rows(database)] == [HintState.SETTLED]


def test_a_person_is_not_asked_for_again_at_once(database: Database) -> None:
    """A delivery shortly after a fetch waits a moment for the others of its burst."""
    note(database, hint())
    mine = claim(database)
    assert mine is not None
    settle(database, mine, NOON + SECOND)
    note(database, hint(key="k2"), now=NOON + 2 * SECOND)

    assert claim(database, NOON + 5 * SECOND) is None
    assert claim(database, NOON + 6 * SECOND)


def test_what_comes_of_an_older_claim_is_void(database: Database) -> None:
    """A worker whose lease ran out changes nothing; who has taken over does."""
    note(database, hint())
    late = claim(database, lease=-SECOND)
    assert late is not None
    with database.write() as session:
        assert hints.give_back_expired(session, NOON) == 1
    taken_over = claim(database)
    assert taken_over is not None

    assert not settle(database, late)
    assert settle(database, taken_over)


def test_who_is_parked_is_tried_again_on_demand_and_by_the_next_delivery(database: Database) -> None:
    """Parked hints are told with their reasons, and wait for a person or for news."""
    note(database, hint(), hint("E2", "k2"))
    for _ in range(2):
        mine = claim(database)
        assert mine is not None
        with database.write() as session:
            row = hints.locked(session, mine)
            assert row is not None
            hints.park(row, mine, NOON, "no record")
    with database.read() as session:
        assert [(row.subject, row.reason) for row in hints.parked(session, limit=5)] == [
            ("E1", "no record"),
            ("E2", "no record"),
        ]
        assert hints.outstanding(session) == {"hr": {HintState.PARKED: 2}}
    note(database, hint(key="k3"))
    with database.write() as session:
        assert hints.retry(session, NOON, source="it") == 0
        assert hints.retry(session, NOON) == 1

    assert {row.state for row in rows(database)} == {HintState.WAITING}
    with database.read() as session:
        assert hints.due_count(session, NOON, at_most=9) == 2


def test_to_forget_removes_hints_and_keys(database: Database) -> None:
    """Nothing is left of a subject, and others keep theirs."""
    note(database, hint(), hint("E2", "k2"))
    with database.write() as session:
        hints.forget(session, [("hr", "E1")])

    assert [row.subject for row in rows(database)] == ["E2"]
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(HintKeyRow)) == 1


def test_a_pause_grows_and_ends_with_an_answer(database: Database) -> None:
    """Several who meet one refusal begin one pause; the next is longer; an answer after it forgets it."""
    with database.write() as session:
        until, is_first = hint_pauses.pause(session, "hr", "401", NOON, is_refusal=True)
        assert (until - NOON, is_first) == (timedelta(minutes=15), True)
        assert hint_pauses.pause(session, "hr", "401", NOON + SECOND, is_refusal=True) == (until, False)
        longer, _ = hint_pauses.pause(session, "hr", "401", until, is_refusal=True)
        assert longer - until == timedelta(minutes=30)
        hint_pauses.end(session, "hr", longer - SECOND)
        assert len(hint_pauses.all_of(session)) == 1
        hint_pauses.end(session, "hr", longer)
        assert hint_pauses.all_of(session) == []


def test_many_workers_and_deliveries_at_once(database: Database) -> None:
    """In any interleaving each claim is one worker's, a source bears what it bears, and every hint is settled."""
    lock, under_way, most, claimed = threading.Lock(), 0, 0, 0

    def deliver(number: int) -> None:
        note(database, *(hint(f"E{(number + step) % 7}", f"{number}-{step}") for step in range(5)))

    def work(_: int) -> None:
        nonlocal under_way, most, claimed
        for _attempt in range(12):
            mine = claim(database, NOON + timedelta(hours=1))
            if mine is None:
                continue
            with lock:
                under_way, claimed = under_way + 1, claimed + 1
                most = max(most, under_way)
            with lock:
                under_way -= 1
            assert settle(database, mine, NOON + timedelta(minutes=30))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda job: job[0](job[1]), [(deliver, n) for n in range(12)] + [(work, n) for n in range(6)]))
    while (mine := claim(database, NOON + timedelta(hours=1))) is not None:
        assert settle(database, mine, NOON + timedelta(minutes=30))

    assert most <= 2
    assert claimed
    assert {row.state for row in rows(database)} == {HintState.SETTLED}
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(HintKeyRow)) == 60


@ON_POSTGRESQL
def test_a_claim_that_waits_for_another_has_no_hint_in_hand(database: Database) -> None:
    """Else a delivery about that hint would wait for it, and both for ever where the delivery has a claimed one."""
    note(database, hint("E1", "k1"), hint("E2", "k2"))
    waits = text(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    )

    def somebody_waits() -> bool:
        with database.read() as session:
            return bool(session.scalar(waits))

    with ThreadPoolExecutor(1) as pool:
        with database.write() as first:
            assert hints.claim(first, {"hr": 2}, lease=LEASE, now=NOON)
            second = pool.submit(claim, database)
            wait_until(somebody_waits)
            with database.write() as delivery:
                delivery.execute(text("set local lock_timeout = '1s'"))
                note_hints(delivery, "hr", [hint("E2", "k3")], NOON)
        mine = second.result()

    assert mine is not None
    assert mine.subject == "E2"


@ON_POSTGRESQL
def test_a_claim_among_a_hundred_thousand_settled_hints_reads_few_rows(database: Database) -> None:
    """Noting, claiming and looking for what is due go by indexes, whatever the history."""
    with database.write() as session:
        session.execute(
            text(
                "insert into hints (source, subject, occurred_at, words, state, generation, fence, run_at, failures, "
                "heard_at, settled_at) select 'hr', 'E' || n, :at, '[]', 'settled', 1, 1, :at, 0, :at, :at "
                "from generate_series(1, 100000) n"
            ),
            {"at": NOON - timedelta(days=1)},
        )
        session.execute(text("analyze hints"))
    with explained(database) as plans:
        note(database, hint("E77"))
        assert claim(database)
        with database.write() as session:
            assert hints.due_count(session, NOON, at_most=8) == 0
            assert hints.give_back_expired(session, NOON) == 0
            assert hints.outstanding(session) == {"hr": {HintState.FETCHING: 1}}
            assert hints.parked(session, limit=5) == []
            hints.forget(session, [("hr", "E77")])

    told = "\n".join(plans)
    assert "ix_hints_due" in told
    assert not [line for line in told.splitlines() if is_table_scan(line) and "hint_pauses" not in line], told


def test_what_was_settled_long_ago_is_forgotten_in_batches_and_nothing_else(database: Database) -> None:
    """With all keys; what is outstanding stays however old it is, and so does what was settled since."""
    note(database, hint("E1", "k1"), hint("E1", "k1~"), hint("E2", "k2"), hint("E3", "k3"), hint("E4", "k4"))
    settle(database, taken(database))
    settle(database, taken(database))
    settle(database, taken(database), NOON + DAY)

    assert forget(database, NOON, limit=1) == 0
    assert [forget(database, NOON + DAY, limit=1) for _ in range(3)] == [1, 1, 0]

    assert [row.subject for row in rows(database)] == ["E3", "E4"]
    assert [each.duplicate for each in note(database, hint("E3", "k3"), hint("E1", "k1"))] == [True, False]


@ON_POSTGRESQL
def test_forgetting_passes_over_what_another_has_in_hand(database: Database) -> None:
    """Two that forget at once, or one beside an erasure, neither wait for each other nor do anything twice."""
    note(database, hint("E1", "k1"), hint("E2", "k2"), hint("E3", "k3"))
    for _ in range(3):
        settle(database, taken(database))
    with database.write() as one, database.write() as other, database.write() as third:
        hints.forget(one, [("hr", "E1")])
        assert settled_hints.forget_older(other, NOON + DAY, limit=1) == 1
        assert settled_hints.forget_older(third, NOON + DAY, limit=9) == 1

    assert rows(database) == []


@ON_POSTGRESQL
def test_forgetting_among_a_hundred_thousand_hints_reads_few_rows(database: Database) -> None:
    """By index: where nothing is over, where as much is over as one look forgets, and where all is."""
    with database.write() as session:
        session.execute(
            text(
                "insert into hints (source, subject, occurred_at, words, state, generation, fence, run_at, failures, "
                "heard_at, settled_at) select 'hr', 'E' || n, :at, '[]', 'settled', 1, 1, :at, 0, :at, "
                "cast(:at as timestamptz) + n * interval '1 second' from generate_series(1, 100000) n"
            ),
            {"at": NOON},
        )
        session.execute(text("insert into hint_keys select source, 'k' || id, id, settled_at from hints"))
        session.execute(text("analyze hints"))
        session.execute(text("analyze hint_keys"))
    with explained(database) as plans, database.write() as session:
        for seconds, found in ((0, 0), (500, 499), (200_000, 500)):
            assert settled_hints.any_older(session, NOON + seconds * SECOND) is bool(found)
            assert settled_hints.forget_older(session, NOON + seconds * SECOND, limit=500) == found

    told = "\n".join(plans)
    assert "ix_hints_settled" in told
    assert not [line for line in told.splitlines() if is_table_scan(line)], told


def test_leases_go_by_the_clock_of_the_database(database: Database) -> None:
    """A lease that has not run out is nobody else's, whatever business time says."""
    note(database, hint())
    assert claim(database)
    with database.write() as session:
        assert hints.give_back_expired(session, NOON + timedelta(days=1)) == 0
        session.execute(update(HintRow).values(lease_until=NOON - timedelta(days=3650)))
        assert hints.give_back_expired(session, NOON) == 1
