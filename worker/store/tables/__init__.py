"""The tables, as SQLAlchemy models. Everything Mailroster remembers is here, and Alembic's head equals it.

Instants are aware UTC. ``lease_until``, ``seen_at`` and the call budget's go by the database's clock, all others by
``worker.clock``. No query is here.
"""

from worker.store.tables.addresses import AddressRow, DomainRow, DriftRow, MembershipRow, ReadingRow
from worker.store.tables.columns import Base, Instant
from worker.store.tables.deployment import AuditRow, PolicyRow, TokenRow, WorkerRow
from worker.store.tables.host import GateRow, PauseRow, SlotRow
from worker.store.tables.inbox import EventRow
from worker.store.tables.people import ErasedRow, ErasureKeyRow, MergeRow, PersonRow, RecordRow
from worker.store.tables.work import AttemptRow, HoldRow, JobRow, StepRow, UndoRow

__all__ = [
    "AddressRow",
    "AttemptRow",
    "AuditRow",
    "Base",
    "DomainRow",
    "DriftRow",
    "ErasedRow",
    "ErasureKeyRow",
    "EventRow",
    "GateRow",
    "HoldRow",
    "Instant",
    "JobRow",
    "MembershipRow",
    "MergeRow",
    "PauseRow",
    "PersonRow",
    "PolicyRow",
    "ReadingRow",
    "RecordRow",
    "SlotRow",
    "StepRow",
    "TokenRow",
    "UndoRow",
    "WorkerRow",
]
