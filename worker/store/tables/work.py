"""Work: jobs with their steps and attempts, what fails at the host, what was taken back, what the brakes hold."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.states import JobState, StepState
from worker.store.tables.columns import Base, Id, only_where, word


class JobRow(Base):
    """A job: one subject's way from observed to desired. At most one per subject is outstanding."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    subject_kind: Mapped[str] = mapped_column(String(16))
    """person, shared, rewrite or domain."""
    subject_key: Mapped[str] = mapped_column(String(254))
    """The person's id, the shared address, the rewrite as NAME@DOMAIN, or the domain."""
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    state: Mapped[JobState] = mapped_column(word(JobState))
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
        Index("uq_jobs_outstanding", "subject_kind", "subject_key", unique=True, **only_where("finished_at is null")),
        Index("ix_jobs_due", "urgency", "run_at", "id", **only_where("state in ('queued', 'waiting')")),
        Index("ix_jobs_leases", "lease_until", **only_where("state = 'running'")),
        Index("ix_jobs_state", "state", "id"),
        Index(None, "finished_at"),
        Index("ix_jobs_person_id", "person_id", "id"),
        Index("ix_jobs_event_id", "event_id", **only_where("finished_at is null")),
        Index("ix_jobs_hold_id", "hold_id", **only_where("hold_id is not null")),
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
    state: Mapped[StepState] = mapped_column(word(StepState))
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
        Index("ix_steps_brake", "brake", "source", "intended_at", **only_where("brake is not null")),
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


class QuarantineRow(Base):
    """An object at the mail host whose writes the host itself answers with 500, as one job meets it.

    It is there from the first such answer until the object is written, no longer wanted, or the job is over.
    """

    __tablename__ = "quarantines"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    noun: Mapped[str] = mapped_column(String(16))
    """mailbox, identity, forwarding, alias or rewrite."""
    target: Mapped[str] = mapped_column(String(254))
    mailbox: Mapped[str] = mapped_column(String(254))
    """The mailbox that it is in; empty for what is in none."""
    operation: Mapped[str] = mapped_column(String(32))
    """What failed last."""
    failures: Mapped[int]
    """How many in a row, for growing pauses."""
    since: Mapped[datetime]
    """When it failed first."""
    until: Mapped[datetime | None]
    """Until when it is left alone, and then tried once; None as long as it has not failed often enough for that."""

    __table_args__ = (
        Index("uq_quarantines_object", "job_id", "noun", "target", "mailbox", unique=True),
        Index("ix_quarantines_shown", "id", **only_where("until is not null")),
    )


class UndoRow(Base):
    """A job that an operator took back, and the statement that did it."""

    __tablename__ = "undos"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id"))
    at: Mapped[datetime]


class HoldRow(Base):
    """One trip of a brake: a hold over the plans of many jobs, or over one policy, decided once.

    Over jobs for which a source must agree that does not answer, ``brake`` is "agreement" and the counts are 0.
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

    __table_args__ = (Index("uq_holds_open", "brake", "source", unique=True, **only_where("state = 'open'")),)
