"""Comparing a roster, batch by batch, with what its source is known to state of the people in it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from worker.events import EventInvalid
from worker.intake.context import Intake
from worker.intake.rosters.expected import expected
from worker.intake.rosters.order import Order
from worker.intake.rosters.refusals import RosterRefused
from worker.intake.rosters.spool import Spool
from worker.intake.rosters.tally import Tally
from worker.roster import Record
from worker.sources.roster_files import Contents, Fault, FileSource
from worker.sources.snapshot import Checked, Status, between
from worker.store import erased

AT_ONCE = 500


def compare(intake: Intake, source: FileSource, rows: Spool, documents: Spool, order: Order) -> Tally:
    """Set the events aside that a roster leads to, and return their tally.

    Each of ``rows`` is line, subject, facts and status. Raises RosterRefused where a difference can be no event.
    """
    tally, wrong, done = Tally(), Contents(), 0
    for batch in rows.batches(AT_ONCE):
        people = [(line, _checked(values, order.taken_at)) for line, *values in batch]
        for line, document in _differences(intake, source, people, wrong):
            documents.write(document)
            tally.add(document, line)
        done += len(batch)
        order.go_on("comparing", done, rows.count)
    if wrong.fault_count:
        raise RosterRefused(wrong.faults, wrong.fault_count, rows.count)
    return tally


def _checked(values: list[Any], at: datetime) -> Checked:
    subject, facts, status = values
    lists_as_tuples = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
    return Checked(subject, at, lists_as_tuples, status and Status(status))


def _differences(
    intake: Intake, source: FileSource, people: list[tuple[int, Checked]], wrong: Contents
) -> Iterator[tuple[int, Mapping[str, object]]]:
    with intake.database.read() as session:
        known = expected(session, source.name, [now.subject for _, now in people])
        unknown = [subject for subject, record in known.items() if _is_unknown(record)]
        until = erased.records_until(session, source.name, unknown)
    for line, now in people:
        if now.subject in until and not _is_back(now, until[now.subject]):
            continue
        try:
            found = between(known[now.subject], now, creates=source.creates)
        except EventInvalid as error:
            for problem in error.problems:
                wrong.blame(Fault(line, None, problem.reason))
        else:
            yield from ((line, document) for document in found)


def _is_unknown(record: Record) -> bool:
    return not record.facts and not record.employment and record.suspended is None


def _is_back(now: Checked, until: datetime) -> bool:
    """Tell whether somebody who was erased is said to work here again: being listed, maybe still, does not say so."""
    hired = now.facts.get("hireDate")
    hired_anew = isinstance(hired, str) and hired > until.date().isoformat()
    return hired_anew or now.status in (Status.ACTIVE, Status.SUSPENDED)
