"""Lines as queries: looking upwards and marking downwards equal a plain model, and cost what they should."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, select, update

from worker.store import lines
from worker.store.database import Database, Session
from worker.store.tables import PersonRow, RecordRow

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SIZE = 9

# Of each person the number of the manager (SIZE: nobody that is known), and whether they can take over.
organisations = st.lists(st.tuples(st.none() | st.integers(0, SIZE), st.booleans()), min_size=SIZE, max_size=SIZE)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(organisation=organisations)
def test_lines_equal_a_plain_model(database: Database, organisation: list[tuple[int | None, bool]]) -> None:
    """For any organisation, circles too, whoever stands in is the model's, and a change marks whom it may touch."""
    with database.write() as session:
        ids = _people(session, organisation)
        for number, person_id in enumerate(ids):
            found = lines.manager_of(session, _link(organisation[number][0]), but=person_id)
            assert (found.display_name if found else None) == _model_above(number, organisation)
            session.execute(update(PersonRow).values(next_change_at=None))
            lines.evaluate_below(session, person_id, NOON)
            marked = set(session.scalars(select(PersonRow.id).where(PersonRow.next_change_at.is_not(None))))
            assert marked == {ids[each] for each in _model_below(number, organisation)}
            assert lines.has_reports(session, person_id) is any(above == number for above, _ in organisation)
        session.rollback()


def test_a_change_above_a_thousand_reports_is_one_statement(database: Database, statements: list[str]) -> None:
    """However many report to somebody, they are marked at once, and somebody without reports costs one look."""
    with database.write() as session:
        _people(session, [(None, True), *[(0, True)] * 1000])
        first, last = session.scalars(select(PersonRow.id).where(PersonRow.name.in_(("P0", "P1000")))).all()
        statements.clear()
        lines.evaluate_below(session, first, NOON)
        marked = len(statements)
        lines.has_reports(session, last)
        looked = len(statements) - marked
    with database.read() as session:
        due = session.scalars(select(PersonRow.id).where(PersonRow.next_change_at == NOON)).all()

    assert (len(due), marked, looked) == (1000, 1, 1)


@pytest.fixture
def statements(database: Database) -> Iterator[list[str]]:
    """What is sent to the database."""
    sent: list[str] = []

    def note(_conn: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(database.engine, "before_cursor_execute", note)


def _people(session: Session, organisation: list[tuple[int | None, bool]]) -> list[int]:
    rows = [
        PersonRow(
            created_at=NOON,
            name=f"P{number}",
            manager_source=None if above is None else "hr",
            manager_subject=None if above is None else f"E{above}",
            takeover_address=f"p{number}@example.org" if stands else None,
        )
        for number, (above, stands) in enumerate(organisation)
    ]
    session.add_all(rows)
    session.flush()
    session.add_all(
        RecordRow(source="hr", subject=f"E{number}", person_id=row.id, document={}, updated_at=NOON)
        for number, row in enumerate(rows)
    )
    session.flush()
    return [row.id for row in rows]


def _link(above: int | None) -> lines.Link | None:
    return None if above is None else ("hr", f"E{above}")


def _model_above(number: int, organisation: list[tuple[int | None, bool]]) -> str | None:
    met, at = {number}, organisation[number][0]
    while at is not None and at < SIZE and at not in met:
        if organisation[at][1]:
            return f"P{at}"
        met.add(at)
        at = organisation[at][0]
    return None


def _model_below(number: int, organisation: list[tuple[int | None, bool]]) -> set[int]:
    touched: set[int] = set()
    to_visit = [number]
    while to_visit:
        above = to_visit.pop()
        for report, (manager, stands) in enumerate(organisation):
            if manager == above and report not in touched:
                touched.add(report)
                to_visit += [] if stands else [report]
    return touched
