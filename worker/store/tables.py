"""The tables, as SQLAlchemy models. Everything Mailroster remembers is here, and Alembic's head equals it.

Instants are aware UTC. ``lease_until``, ``seen_at`` and the call budget's go by the database's clock, all others by
``worker.clock``.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from worker.store.states import EventState, JobState, StepState

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up by itself only for INTEGER PRIMARY KEY


class Instant(TypeDecorator[datetime]):
    """An aware instant in UTC. SQLite keeps text without a zone, so the zone is taken off and put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Refuse naive datetimes; hand over UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return aware UTC, whatever zone the database session speaks."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _word(enum: type[EventState] | type[JobState] | type[StepState]) -> Enum:
    # Text with a Python-side check: a new state then needs no ALTER TYPE.
    return Enum(
        enum, native_enum=False, length=16, create_constraint=False, values_callable=lambda e: [m.value for m in e]
    )


class Base(DeclarativeBase):
    """All models; names of constraints follow one convention so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        },
    )
    type_annotation_map = {datetime: Instant, dict[str, Any]: JSON, list[Any]: JSON, str: Text}  # noqa: RUF012 - SQLAlchemy reads it as is


class EventRow(Base):
    """The inbox: every event that was told to us, also those we refused."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    """Our name of the authenticated source."""
    ce_source: Mapped[str | None]
    ce_id: Mapped[str | None]
    type: Mapped[str | None]
    subject: Mapped[str | None]
    time: Mapped[datetime | None]
    received_at: Mapped[datetime]
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the event's canonical JSON: tells a duplicate from another body under the same key."""
    document: Mapped[dict[str, Any]]
    """The event as received; a body that was no JSON object is kept as {"raw": text}."""
    state: Mapped[EventState] = mapped_column(_word(EventState))
    reason: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    applied_at: Mapped[datetime | None]

    __table_args__ = (
        # Rejected events hold no key: a sender may mend an event and send it again under the same id.
        Index(
            "uq_events_key",
            "source",
            "ce_source",
            "ce_id",
            unique=True,
            sqlite_where=text("state <> 'rejected'"),
            postgresql_where=text("state <> 'rejected'"),
        ),
        Index(
            "ix_events_accepted",
            "id",
            sqlite_where=text("state = 'accepted'"),
            postgresql_where=text("state = 'accepted'"),
        ),
        Index(
            "ix_events_parked",
            "id",
            sqlite_where=text("state = 'parked'"),
            postgresql_where=text("state = 'parked'"),
        ),
        Index("ix_events_person_id", "person_id", "id"),
        Index("ix_events_digest", "digest"),
        Index("ix_events_subject", "source", "subject"),
    )


class PersonRow(Base):
    """A person: what is looked up and listed; what sources stated of them is in ``records``."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime]
    name: Mapped[str] = mapped_column(default="")
    phase: Mapped[str] = mapped_column(String(16), default="")
    employee_number: Mapped[str | None]
    work_email: Mapped[str | None]
    next_change_at: Mapped[datetime | None]
    """When ``desired`` must be asked again."""
    next_step: Mapped[str | None]
    wanted_hash: Mapped[str | None] = mapped_column(String(64))
    """Hash of what was last found to be desired: an event that changes nothing makes no job."""
    policy_hash: Mapped[str | None] = mapped_column(String(64))
    """The policy this person was last evaluated under."""
    evaluated_at: Mapped[datetime | None]
    manager_source: Mapped[str | None] = mapped_column(String(64))
    manager_subject: Mapped[str | None] = mapped_column(String(256))
    """With ``manager_source`` the record that this person's manager is stated to have, whether there is one or not."""
    takeover_address: Mapped[str | None] = mapped_column(String(254))
    """The address at which this person can take over for others now; None while they cannot."""
    erased_at: Mapped[datetime | None]
    """When everything personal was removed; this row then only says that there was somebody."""
    line_due_at: Mapped[datetime | None]
    """Since then this person stands otherwise in line than those below have heard; None: they have heard all."""
    irreversible_at: Mapped[datetime | None]
    """When the first change comes that nobody can undo, as far as is known; None where none comes by time alone."""

    __table_args__ = (
        Index(None, "employee_number"),
        Index(None, "work_email"),
        Index(None, "name"),
        Index(None, "phase"),
        Index(
            "ix_people_due",
            "next_change_at",
            sqlite_where=text("next_change_at is not null"),
            postgresql_where=text("next_change_at is not null"),
        ),
        Index("ix_people_policy_hash", "policy_hash", "id"),
        Index(
            "ix_people_manager",
            "manager_source",
            "manager_subject",
            sqlite_where=text("manager_subject is not null"),
            postgresql_where=text("manager_subject is not null"),
        ),
        Index(
            "ix_people_line_due",
            "line_due_at",
            sqlite_where=text("line_due_at is not null"),
            postgresql_where=text("line_due_at is not null"),
        ),
    )


class RecordRow(Base):
    """What one source stated under one subject. Without a person it waits unmatched."""

    __tablename__ = "records"

    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(256), primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    document: Mapped[dict[str, Any]]
    employee_number: Mapped[str | None]
    work_email: Mapped[str | None]
    why_unmatched: Mapped[str | None]
    pinned_at: Mapped[datetime | None]
    """When an operator decided whose it is: no identifier that is stated later decides that again."""
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index(None, "subject"),
        # Records that wait for their person are looked up by what links them.
        Index(
            "ix_records_unmatched_number",
            "employee_number",
            sqlite_where=text("person_id is null"),
            postgresql_where=text("person_id is null"),
        ),
        Index(
            "ix_records_unmatched_email",
            "work_email",
            sqlite_where=text("person_id is null"),
            postgresql_where=text("person_id is null"),
        ),
    )


class ErasedRow(Base):
    """What is left of erased people: keyed hashes, by which something about them is recognised."""

    __tablename__ = "erased"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    until: Mapped[datetime]
    """What happened until then, and whatever is no joining after it, is about somebody who was erased."""
    released_at: Mapped[datetime | None]
    """Of an address under which mail was received: since when it may count as given up."""


class ErasureKeyRow(Base):
    """The key of those hashes: one row, made once."""

    __tablename__ = "erasure_key"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(String(64))


class AddressRow(Base):
    """The address ledger: who held which address from when to when, in which role, and how we came by it."""

    __tablename__ = "addresses"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    address: Mapped[str] = mapped_column(String(254))
    domain: Mapped[str] = mapped_column(String(253))
    role: Mapped[str] = mapped_column(String(16))
    """primary, identity, alias, shared, rewrite, foreign. Of a rewrite the address is `rewrite:NAME@DOMAIN`."""
    provenance: Mapped[str] = mapped_column(String(16))
    """reserved (not made yet), created, adopted, foreign."""
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    """The job that created or adopted it."""
    held_from: Mapped[datetime]
    held_to: Mapped[datetime | None]
    exists_since: Mapped[datetime | None]
    """When the mail host last confirmed that it came to exist; None while it does not."""
    blocked_at: Mapped[datetime | None]
    """When our block was confirmed and the password became random; None once reopened. Stays when what was blocked is
    deleted, because the later stages count from it, until it is made anew."""
    former_fields: Mapped[dict[str, Any] | None]
    """For the way back: the doors before we closed them, the autoreply before a stage wrote its own."""
    forwards_to: Mapped[str | None] = mapped_column(String(254))
    """Of a mailbox: where the forwarding leads that we made."""
    alias_to: Mapped[str | None] = mapped_column(String(254))
    """Of a person's address: what the alias names that we made there; None while none of ours stands there."""
    instead_of: Mapped[str | None] = mapped_column(String(254))
    """Of an adopted mailbox: the address that the policy would have given to the name that its holder had then. While
    it still would, they need no further address."""
    withdrawn_at: Mapped[datetime | None]
    """When the job that added it was undone: it goes, where it exists, and is then given up."""
    written: Mapped[dict[str, Any] | None]
    """The fields as we last wrote them or saw them as they are wanted: what differs was somebody else. No secrets."""

    __table_args__ = (
        # One namespace per domain for mailboxes, identities and aliases (migadu-behaviour.md 2, "Namespaces").
        Index(
            "uq_addresses_held",
            "address",
            unique=True,
            sqlite_where=text("held_to is null"),
            postgresql_where=text("held_to is null"),
        ),
        Index("ix_addresses_address", "address"),
        Index("ix_addresses_person_id", "person_id"),
        Index("ix_addresses_domain", "domain", "role"),
        # The mailboxes of people that exist: what the brakes count.
        Index(
            "ix_addresses_population",
            "id",
            sqlite_where=text("role = 'primary' and held_to is null and exists_since is not null"),
            postgresql_where=text("role = 'primary' and held_to is null and exists_since is not null"),
        ),
    )


class ReadingRow(Base):
    """A reconcile of a domain: when the host was read, and how much was compared. The newest finished one counts."""

    __tablename__ = "drift_readings"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    domain: Mapped[str] = mapped_column(String(253))
    read_at: Mapped[datetime]
    """When its lists were asked for."""
    finished_at: Mapped[datetime | None]
    people: Mapped[int]
    """How many people were compared."""
    shared: Mapped[int]
    """How many shared addresses were compared."""

    __table_args__ = (Index("ix_drift_readings_domain", "domain", "id"),)


class DriftRow(Base):
    """One difference that a reconcile found, or an object that is none of ours."""

    __tablename__ = "drift"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("drift_readings.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    """stale, foreign-hand, missing, unmanaged."""
    subject_kind: Mapped[str | None] = mapped_column(String(16))
    subject_key: Mapped[str | None] = mapped_column(String(254))
    """Whose it is; None of what is unmanaged."""
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    noun: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(254))
    mailbox: Mapped[str | None] = mapped_column(String(254))
    field: Mapped[str | None] = mapped_column(String(64))
    """None: the object itself."""
    wanted: Mapped[Any | None] = mapped_column(JSON)
    found: Mapped[Any | None] = mapped_column(JSON)
    written: Mapped[Any | None] = mapped_column(JSON)
    action: Mapped[str | None] = mapped_column(String(16))
    """repair or report; None of what is never touched."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    """The job that takes care of it: outstanding when the host was read, or queued as a repair."""
    note: Mapped[str | None]

    __table_args__ = (
        Index("ix_drift_reading_id", "reading_id", "id"),
        Index(
            "ix_drift_person_id",
            "person_id",
            sqlite_where=text("person_id is not null"),
            postgresql_where=text("person_id is not null"),
        ),
    )


class MembershipRow(Base):
    """Who belongs to which shared address or rewrite (`rewrite:NAME@DOMAIN`), as last evaluated.

    It marks exactly the aliases and rewrites that a change touches.
    """

    __tablename__ = "memberships"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    address: Mapped[str] = mapped_column(String(254), primary_key=True)
    since: Mapped[datetime]

    __table_args__ = (Index("ix_memberships_address", "address", "person_id"),)


class JobRow(Base):
    """A job: one subject's way from observed to desired. At most one per subject is outstanding."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subject_kind: Mapped[str] = mapped_column(String(16))
    """person, shared, rewrite or domain."""
    subject_key: Mapped[str] = mapped_column(String(254))
    """The person's id, the shared address, the rewrite as NAME@DOMAIN, or the domain."""
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    state: Mapped[JobState] = mapped_column(_word(JobState))
    urgency: Mapped[int]
    run_at: Mapped[datetime]
    """Not before this instant."""
    reason: Mapped[str | None]
    """Why it waits, is held or parked; or a note on how it was done."""
    event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id"))
    """The newest event that refreshed it; None where time or a policy did."""
    generation: Mapped[int] = mapped_column(default=1)
    """Counts refreshes: a job that was refreshed while it ran is queued again instead of done."""
    fence: Mapped[int] = mapped_column(default=0)
    """The fencing token: counts claims; every write of a worker names the one it got."""
    worker: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    """Failed runs in a row; pauses that are nobody's fault do not count."""
    failing_since: Mapped[datetime | None]
    plan: Mapped[list[Any] | None]
    """The steps of the latest plan as they were planned, also of one that is held or only shown."""
    plan_hash: Mapped[str | None] = mapped_column(String(64))
    braked_hash: Mapped[str | None] = mapped_column(String(64))
    """The hash of the latest plan's braked steps; None where it has none."""
    approved_hash: Mapped[str | None] = mapped_column(String(64))
    """The hash of braked steps that an operator let pass."""
    hold_id: Mapped[int | None] = mapped_column(ForeignKey("holds.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_jobs_outstanding",
            "subject_kind",
            "subject_key",
            unique=True,
            sqlite_where=text("finished_at is null"),
            postgresql_where=text("finished_at is null"),
        ),
        Index(
            "ix_jobs_due",
            "urgency",
            "run_at",
            "id",
            sqlite_where=text("state in ('queued', 'waiting')"),
            postgresql_where=text("state in ('queued', 'waiting')"),
        ),
        Index(
            "ix_jobs_leases",
            "lease_until",
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
        Index("ix_jobs_state", "state", "id"),
        Index(None, "finished_at"),
        Index("ix_jobs_person_id", "person_id", "id"),
        Index(
            "ix_jobs_event_id",
            "event_id",
            sqlite_where=text("finished_at is null"),
            postgresql_where=text("finished_at is null"),
        ),
        Index(
            "ix_jobs_hold_id",
            "hold_id",
            sqlite_where=text("hold_id is not null"),
            postgresql_where=text("hold_id is not null"),
        ),
    )


class UndoRow(Base):
    """A job that an operator took back, and the statement that did it."""

    __tablename__ = "undos"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    at: Mapped[datetime]


class MergeRow(Base):
    """What an operator decided about whose records are whose, with what is needed to take it back exactly."""

    __tablename__ = "merges"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    """merge or split."""
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    """Who was kept."""
    other_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    """Who was merged into them, or split off."""
    at: Mapped[datetime]
    former: Mapped[dict[str, Any]]
    """The records that changed their person, and of each row that changed what it held before."""
    undone_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_merges_person_id", "person_id", "id"),
        Index("ix_merges_other_id", "other_id", "id"),
    )


class StepRow(Base):
    """The call ledger: one writing call of a job, from its intention to its outcome."""

    __tablename__ = "steps"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    position: Mapped[int]
    operation: Mapped[str] = mapped_column(String(32))
    target: Mapped[str] = mapped_column(String(254))
    mailbox: Mapped[str | None] = mapped_column(String(254))
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    hash: Mapped[str] = mapped_column(String(64))
    brake: Mapped[str | None] = mapped_column(String(16))
    source: Mapped[str | None] = mapped_column(String(64))
    """Whose statement caused a braked step."""
    state: Mapped[StepState] = mapped_column(_word(StepState))
    reason: Mapped[str | None]
    fence: Mapped[int]
    intended_at: Mapped[datetime]
    seen_free_at: Mapped[datetime | None]
    """For a create: when the address was last seen free before sending."""
    sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    """When its fate was told; of an intended step, when an earlier sending was read back as not applied."""

    __table_args__ = (
        Index("ix_steps_job_id", "job_id", "position"),
        Index(
            "ix_steps_brake",
            "brake",
            "source",
            "intended_at",
            sqlite_where=text("brake is not null"),
            postgresql_where=text("brake is not null"),
        ),
    )


class AttemptRow(Base):
    """One HTTP request of a job, reads included. Holds no path and no body, because those name people."""

    __tablename__ = "attempts"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    step_id: Mapped[int | None] = mapped_column(ForeignKey("steps.id"))
    operation: Mapped[str] = mapped_column(String(32))
    method: Mapped[str] = mapped_column(String(8))
    started_at: Mapped[datetime]
    duration_s: Mapped[float] = mapped_column(Double)
    status: Mapped[int | None]
    failure: Mapped[str | None] = mapped_column(String(16))
    """The class of failure; None when it was answered as asked."""
    excerpt: Mapped[str | None]

    __table_args__ = (Index("ix_attempts_job_id", "job_id", "id"),)


class HoldRow(Base):
    """One trip of a brake: a hold over the plans of many jobs, or over one policy, decided once.

    Over a policy ``brake`` and ``source`` are both "policy", so that one at most is open; ``counted``, ``allowed`` and
    ``population`` are those of the brake that it exceeds most.
    """

    __tablename__ = "holds"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    brake: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    """open, approved or rejected."""
    opened_at: Mapped[datetime]
    counted: Mapped[int]
    """Steps of this brake already intended in the window."""
    allowed: Mapped[int]
    population: Mapped[int]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    policy_hash: Mapped[str | None] = mapped_column(String(64))
    """The policy that is kept out; None where jobs are held."""
    in_force_hash: Mapped[str | None] = mapped_column(String(64))
    """The policy that stays in force meanwhile."""
    policy_counts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """By brake, what the change of policy alone would bring about, what is allowed, and of how many."""

    __table_args__ = (
        Index(
            "uq_holds_open",
            "brake",
            "source",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )


class PauseRow(Base):
    """A reason for which one kind of call is not made for a while: creations, where the plan is full."""

    __tablename__ = "pauses"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    since: Mapped[datetime]
    until: Mapped[datetime]
    pauses: Mapped[int]
    """How many in a row, for growing pauses."""
    reason: Mapped[str]


class SlotRow(Base):
    """A slot of the call budget: whoever calls the mail host holds one. There are as many as the limit has calls.

    Goes by the database's clock.
    """

    __tablename__ = "call_slots"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kept: Mapped[bool]
    """For revocations only."""
    busy_until: Mapped[datetime]
    """When its last call was answered; while one is under way, when that can be at the latest."""
    takings: Mapped[int]
    """How often it was taken, so that an answer that comes late does not free what somebody else has taken."""

    __table_args__ = (Index("ix_call_slots_busy_until", "kept", "busy_until"),)


class GateRow(Base):
    """The gate before the mail host: its one row says that it is closed for all calls. By the database's clock."""

    __tablename__ = "call_gate"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str]
    since: Mapped[datetime]
    """When it was closed first."""
    closed_at: Mapped[datetime]
    """When it was closed last: what was sent before says nothing about the time after."""
    until: Mapped[datetime]
    """From then on a single call may probe whether the host serves again."""
    closings: Mapped[int]
    """How many in a row, for growing pauses."""
    probe_until: Mapped[datetime | None]
    """A probe is under way, and until then nobody else may try."""


class DomainRow(Base):
    """A domain whose addresses were read into the ledger."""

    __tablename__ = "domains"

    name: Mapped[str] = mapped_column(String(253), primary_key=True)
    indexed_at: Mapped[datetime]


class PolicyRow(Base):
    """A policy file, known by the hash of what it says. One is active."""

    __tablename__ = "policies"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[str]
    stored_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    active: Mapped[bool]

    __table_args__ = (
        Index(
            "uq_policies_active",
            "active",
            unique=True,
            sqlite_where=text("active"),
            postgresql_where=text("active"),
        ),
    )


class TokenRow(Base):
    """An access token: shown once, stored as a digest."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    source: Mapped[str | None] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class AuditRow(Base):
    """What operators did, by whom and when."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))
    act: Mapped[str] = mapped_column(String(64))
    target: Mapped[str]
    detail: Mapped[dict[str, Any]]


class WorkerRow(Base):
    """A worker process and when it last showed progress."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
