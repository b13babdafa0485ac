"""The tables, as SQLAlchemy models. Everything Mailroster remembers is here, and Alembic's head equals it.

Instants are aware UTC. ``lease_until``, ``seen_at`` and the call budget's go by the database's clock, all others by
``worker.clock``. No query is here.
"""

from worker.store.tables.addresses import AddressRow, DomainRow, DriftRow, MembershipRow, ReadingRow
from worker.store.tables.columns import Base, Instant
from worker.store.tables.deployment import AuditRow, PolicyRow, TokenRow, WorkerRow
from worker.store.tables.hints import HintKeyRow, HintPauseRow, HintRow
from worker.store.tables.host import GateRow, PauseRow, SlotRow
from worker.store.tables.inbox import EventRow
from worker.store.tables.people import ErasedRow, ErasureKeyRow, MergeRow, PersonRow, RecordRow
from worker.store.tables.snapshots import AbsenceRow, SnapshotRow
from worker.store.tables.sources import DeliveryRow, DeliverySubjectRow, SourceTallyRow
from worker.store.tables.work import AttemptRow, HoldRow, JobRow, QuarantineRow, StepRow, UndoRow

__all__ = [
    "AbsenceRow",
    "AddressRow",
    "AttemptRow",
    "AuditRow",
    "Base",
    "DeliveryRow",
    "DeliverySubjectRow",
    "DomainRow",
    "DriftRow",
    "ErasedRow",
    "ErasureKeyRow",
    "EventRow",
    "GateRow",
    "HintKeyRow",
    "HintPauseRow",
    "HintRow",
    "HoldRow",
    "Instant",
    "JobRow",
    "MembershipRow",
    "MergeRow",
    "PauseRow",
    "PersonRow",
    "PolicyRow",
    "QuarantineRow",
    "ReadingRow",
    "RecordRow",
    "SlotRow",
    "SnapshotRow",
    "SourceTallyRow",
    "StepRow",
    "TokenRow",
    "UndoRow",
    "WorkerRow",
]
