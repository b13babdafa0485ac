"""A company as it was told: who works there by the events alone, held against what the host and the ledger show."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select

from tests.crashes.scene import settle
from tests.crashes.strangers import Strangers
from tests.integration.office import DAY, Office
from worker.execution.reconcile import reconcile
from worker.planning.drift import Drift
from worker.store import drift
from worker.store.drift import DriftFilter
from worker.store.states import UNSETTLED, JobState, StepState
from worker.store.tables import AddressRow, DriftRow, JobRow, RecordRow, StepRow

POLICY = """
[organisation]
domain = "example.org"
timezone = "UTC"
[joining]
existing = "next-name"
[[groups]]
address = "engineering"
members = { department = "Engineering" }
fallback = "desk"
[[groups]]
address = "support"
members = { department = "Support" }
[[groups]]
address = "chess"
members = { groups = "chess" }
[leaving]
fallback = "desk"
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups"]
[[leaving.stages]]
after = "10d"
do = ["delete-mailbox", "alias-to-manager"]
[[leaving.stages]]
after = "20d"
do = ["release-address"]
[brakes]
block = { floor = 1000, share = 1.0, per = "24h" }
delete = { floor = 1000, share = 1.0, per = "24h" }
lists = { floor = 1000, share = 1.0, per = "24h" }
"""
GRACE = 10 * DAY
_DOORS = ("may_send", "may_access_imap", "may_access_pop3", "may_access_managesieve")


@dataclass(slots=True)
class Employee:
    """What was told of somebody."""

    department: str
    in_chess: bool = False
    suspended: bool = False
    departs_at: datetime | None = None
    """When what was stated last has them depart; None: they stay."""
    shut_out_at: datetime | None = None
    """When they lose their access and their lists: at once, where that was told."""
    known_since: datetime | None = None

    def is_in(self, now: datetime) -> bool:
        """Tell whether they work here."""
        return self.shut_out_at is None or now < self.shut_out_at

    def may_be_deleted(self, now: datetime) -> bool:
        """Tell whether what was told allows to delete their mailbox."""
        if self.departs_at is None or self.known_since is None:
            return False
        return now >= max(self.departs_at, self.known_since) + GRACE


@dataclass(slots=True)
class Company:
    """The office, what was told of its people, and what has been looked at."""

    office: Office
    staff: dict[str, Employee] = field(default_factory=dict)
    deletions: int = 0
    """Of the calls of the host, so many deletions of mailboxes were looked at."""
    shut: set[str] = field(default_factory=set)
    """Local parts of the mailboxes whose doors were shut when it was last looked."""
    strangers: Strangers = field(init=False)

    def __post_init__(self) -> None:
        self.strangers = Strangers(self.office)

    def depart(self, key: str, *, in_days: int | None, immediate: bool) -> dict[str, Any]:
        """Note a departure and return what is told of it."""
        now, one = self.office.clock.now(), self.staff[key]
        one.departs_at, facts = now, {}
        if in_days is not None:
            last = now.date() + in_days * DAY
            one.departs_at, facts = _midnight_after(last, now), {"lastWorkingDay": last.isoformat()}
        one.shut_out_at = min(now, one.departs_at) if immediate else one.departs_at
        one.known_since = now
        return facts | ({"immediate": True} if immediate else {})

    def stay(self, key: str) -> None:
        """Note that somebody does not leave, or is back."""
        one = self.staff[key]
        one.departs_at = one.shut_out_at = one.known_since = None

    # What must hold at every moment.

    def complaints(self) -> Iterator[str]:
        """Yield what must never be, whoever was killed where."""
        yield from self.strangers.complaints()
        yield from self._of_owners()
        yield from self._of_deletions()
        yield from self._of_calls_under_way()
        boxes = self.office.mailboxes()
        self.shut = {name for name, box in boxes.items() if not any(box[door] for door in _DOORS)}

    def _of_owners(self) -> Iterator[str]:
        with self.office.database.read() as session:
            held = select(AddressRow).where(AddressRow.held_to.is_(None), AddressRow.role == "primary")
            owners = {row.address.partition("@")[0]: row.person_id for row in session.scalars(held)}
        ours = self.office.mailboxes().keys() - self.strangers.boxes
        yield from (f"{box} is nobody's mailbox" for box in ours - owners.keys())
        several = [
            owner for owner in owners.values() if [owners[box] for box in ours if box in owners].count(owner) > 1
        ]
        yield from (f"person {owner} has several mailboxes" for owner in several)

    def _of_deletions(self) -> Iterator[str]:
        deleted = [
            call["path"].rpartition("/")[2].partition("@")[0]
            for call in self.office.call_log()
            if call["method"] == "DELETE" and "/mailboxes/" in call["path"] and "/identities" not in call["path"]
        ]
        for name in deleted[self.deletions :]:
            employee = self.staff[self._key_of(f"{name}@example.org")]
            if not employee.may_be_deleted(self.office.clock.now()):
                yield f"{name} was deleted before its date: {employee}"
            if name not in self.shut:
                yield f"{name} was deleted before it was blocked"
        self.deletions = len(deleted)

    def _key_of(self, address: str) -> str:
        with self.office.database.read() as session:
            last = select(AddressRow.person_id).where(AddressRow.address == address, AddressRow.role == "primary")
            person_id = session.scalars(last.order_by(AddressRow.id.desc())).first()
        return next(key for key, known in people_by_key(self.office).items() if known == person_id)

    def _of_calls_under_way(self) -> Iterator[str]:
        sent = select(StepRow.job_id).where(StepRow.state == StepState.SENT).group_by(StepRow.job_id)
        with self.office.database.read() as session:
            yield from (
                f"job {each} has two calls under way" for each in session.scalars(sent.having(func.count() > 1))
            )

    # What must hold once everything has come to rest.

    def differences(self) -> Iterator[str]:
        """Yield where the host differs from what was told, and from what the engine itself wants."""
        yield from (f"outstanding: {job.state} {job.reason}" for job in self.outstanding() if not self._in_the_way(job))
        held = {job.id for job in self.outstanding() if self._in_the_way(job)}
        yield from (
            f"not settled: {step.operation} {step.target}"
            for step in self.office.steps()
            if step.state in UNSETTLED and step.job_id not in held
        )
        self._repair()
        rows = self._drifted()
        yield from (f"drift: {row.kind} {row.address} {row.field}" for row in rows if not self._is_theirs(row))
        unmanaged = {row.address for row in rows if row.kind == Drift.UNMANAGED}
        yield from (f"not known to be ours: {each}" for each in unmanaged - self.strangers.addresses)
        yield from self._of_people()

    def outstanding(self) -> list[JobRow]:
        """Return the jobs that are not over."""
        return [job for job in self.office.jobs() if job.finished_at is None]

    def _in_the_way(self, job: JobRow) -> bool:
        """Tell whether a job is held, and says that it is for what somebody else has at an address."""
        return job.state is JobState.HELD and any(each in (job.reason or "") for each in self.strangers.addresses)

    def _is_theirs(self, row: DriftRow) -> bool:
        """Tell whether what differs is what somebody else has, or stands where they have something."""
        return row.kind == Drift.UNMANAGED or row.address in self.strangers.addresses

    def _repair(self) -> None:
        """Have the names be written again that somebody else changed."""
        self.office.move(timedelta(hours=1))
        if self.strangers.renamed:
            reconcile(self.office.execution, "example.org", repair_for="cli:root")
            settle(self.office)
            self.office.move(timedelta(hours=1))

    def _drifted(self) -> list[DriftRow]:
        reconcile(self.office.execution, "example.org")
        with self.office.database.read() as session:
            return [row for row, _ in drift.page(session, DriftFilter(), after=0, limit=1000)]

    def _of_people(self) -> Iterator[str]:
        now, addresses, stopped = self.office.clock.now(), self._addresses(), self._stopped()
        boxes = {name: box for name, box in self.office.mailboxes().items() if name not in self.strangers.boxes}
        lists: dict[str, set[str]] = {"engineering": set(), "support": set(), "chess": set()}
        for key, one in self.staff.items():
            box = boxes.get(addresses.get(key, ""))
            if not one.is_in(now):
                if box is not None and any(box[door] for door in _DOORS):
                    yield f"{key} is gone and may still get in"
                continue
            if box is None:
                if (
                    not one.suspended and key not in stopped
                ):  # whoever is kept out before they have a mailbox gets it once let in
                    yield f"{key} works here and has no mailbox"
                continue
            if box["may_send"] is one.suspended:
                yield f"{key} may send: {box['may_send']}, and is suspended: {one.suspended}"
            for name in (one.department.lower(), *(["chess"] if one.in_chess else [])):
                lists[name].add(addresses[key])
        lists["engineering"] = lists["engineering"] or {"desk"}
        free = {name for name in lists if f"{name}@example.org" not in self.strangers.addresses}
        wanted = {name: members for name, members in lists.items() if members and name in free}
        found = {name: members for name, members in self.office.aliases().items() if name in free}
        if found != wanted:
            yield f"the lists are {found}, and should be {wanted}"

    def _stopped(self) -> set[str]:
        """Return those whose job is held for what somebody else has."""
        jobs = {job.person_id for job in self.outstanding() if self._in_the_way(job)}
        return {key for key, person_id in people_by_key(self.office).items() if person_id in jobs}

    def _addresses(self) -> dict[str, str]:
        with self.office.database.read() as session:
            held = select(AddressRow).where(AddressRow.held_to.is_(None), AddressRow.role == "primary")
            by_person = {row.person_id: row.address.partition("@")[0] for row in session.scalars(held)}
        return {key: by_person[person] for key, person in people_by_key(self.office).items() if person in by_person}


def people_by_key(office: Office) -> dict[str, int]:
    """Return the ids of people by how HR calls them."""
    with office.database.read() as session:
        rows = session.execute(select(RecordRow.subject, RecordRow.person_id))
        return {subject: person_id for subject, person_id in rows if person_id is not None}


def _midnight_after(last: date, now: datetime) -> datetime:
    return datetime.combine(last + DAY, time(), now.tzinfo)
