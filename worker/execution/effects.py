"""Effects: what a confirmed step means for the address ledger."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, assert_never

from worker.mail import DOORS, FieldValue
from worker.planning.step import Operation, Step
from worker.store import addresses, drift
from worker.store.addresses import Provenance, Role
from worker.store.database import Session
from worker.store.tables import AddressRow

_INSIDE = (Operation.CREATE_FORWARDING, Operation.DELETE_FORWARDING)
_MAYBE_UNKNOWN = (Operation.BLOCK_IDENTITY, Operation.SUSPEND_IDENTITY)


def enter(session: Session, step: Step, job_id: int, now: datetime, ignored: Sequence[str] = ()) -> None:
    """Enter a confirmed step into the ledger, in the transaction that confirms it. Idempotent.

    ``ignored``: fields that the host answered it did not take over. They do not count as written.
    """
    if step.operation in _MAYBE_UNKNOWN:
        addresses.note_foreign(session, [step.target], now)  # somebody made it since the domain was read
    row = addresses.held(session, step.mailbox if step.operation in _INSIDE and step.mailbox else step.key)
    if row is None:
        return
    _note_written(row, step, ignored)
    match step.operation:
        case Operation.CREATE_MAILBOX | Operation.CREATE_IDENTITY | Operation.CREATE_REWRITE:
            _made(row, job_id, now)
        case Operation.RESET_PASSWORD:
            row.blocked_at = None  # somebody has the password again
        case Operation.DELETE_MAILBOX:
            _forget_mailbox(session, row)
        case Operation.DELETE_IDENTITY | Operation.DELETE_REWRITE:
            row.exists_since, row.provenance = None, Provenance.RESERVED
            row.held_to = now if row.withdrawn_at else None
        case Operation.CREATE_ALIAS | Operation.UPDATE_ALIAS | Operation.DELETE_ALIAS:
            _on_alias(row, step, job_id, now)
        case Operation.RELEASE_ADDRESS:
            row.held_to = now
        case Operation.UPDATE_MAILBOX | Operation.UPDATE_IDENTITY | Operation.UPDATE_REWRITE | Operation.ERASE_PERSON:
            pass
        case _:
            _on_stage(row, step.operation, step, now)


_StageOperation = Literal[
    Operation.BLOCK_MAILBOX,
    Operation.SUSPEND_MAILBOX,
    Operation.REOPEN_MAILBOX,
    Operation.BLOCK_IDENTITY,
    Operation.SUSPEND_IDENTITY,
    Operation.REOPEN_IDENTITY,
    Operation.SET_AUTOREPLY,
    Operation.END_AUTOREPLY,
    Operation.CREATE_FORWARDING,
    Operation.DELETE_FORWARDING,
]


def _on_stage(row: AddressRow, operation: _StageOperation, step: Step, now: datetime) -> None:
    """Keep what the way back needs, or forget it once it is given back."""
    match operation:
        case Operation.BLOCK_MAILBOX | Operation.BLOCK_IDENTITY:
            row.blocked_at = now
            _keep(row, DOORS, step.before)
        case Operation.SUSPEND_MAILBOX | Operation.SUSPEND_IDENTITY:
            _keep(row, DOORS, step.before)
        case Operation.REOPEN_MAILBOX | Operation.REOPEN_IDENTITY:
            row.blocked_at = None
            _forget(row, DOORS)
        case Operation.SET_AUTOREPLY:
            _keep(row, step.before, step.before)
        case Operation.END_AUTOREPLY:
            _forget(row, [name for name in row.former_fields or {} if name not in DOORS])
        case Operation.CREATE_FORWARDING:
            row.forwards_to = step.target
        case Operation.DELETE_FORWARDING:
            row.forwards_to = None
        case _:
            assert_never(operation)


def _made(row: AddressRow, job_id: int, now: datetime) -> None:
    row.provenance, row.job_id, row.exists_since = Provenance.CREATED, job_id, now
    row.blocked_at = row.former_fields = row.forwards_to = None  # those were another's


def _on_alias(row: AddressRow, step: Step, job_id: int, now: datetime) -> None:
    deleted = step.operation is Operation.DELETE_ALIAS
    if row.person_id is not None:
        row.alias_to = None if deleted else _destination(step)
    if row.role not in (Role.SHARED, Role.ALIAS):
        return  # of a primary or an identity, the ledger tells of the mailbox or identity, which is not there now
    if deleted:
        row.exists_since, row.provenance = None, Provenance.RESERVED
        row.held_to = now if row.withdrawn_at else None
    elif step.operation is Operation.CREATE_ALIAS:
        row.provenance, row.job_id, row.exists_since = Provenance.CREATED, job_id, now


def _destination(step: Step) -> str | None:
    listed = step.after.get("destinations")
    return listed[0] if isinstance(listed, tuple) and listed else None


def _keep(row: AddressRow, names: Iterable[str], found: Mapping[str, FieldValue]) -> None:
    # Writing again what drifted must not forget how it was before we first wrote it, hence that order.
    row.former_fields = {**{name: found.get(name) for name in names}, **(row.former_fields or {})}


def _forget(row: AddressRow, names: Iterable[str]) -> None:
    gone = {*names}
    row.former_fields = {name: was for name, was in (row.former_fields or {}).items() if name not in gone} or None


def _note_written(row: AddressRow, step: Step, ignored: Sequence[str]) -> None:
    """Keep the fields as they are at the host now by our own hand; what is made or gone begins anew."""
    if step.operation in _INSIDE:
        return  # of forwardings the ledger knows where they lead, and that is all of them that is written
    verb, _, _ = step.operation.partition("-")
    if verb in ("create", "delete"):
        row.written = None
    drift.note_written(row, {name: value for name, value in step.after.items() if name not in ignored})


def _forget_mailbox(session: Session, mailbox: AddressRow) -> None:
    """The host deletes identities and forwardings with their mailbox. The addresses stay promised to their holder."""
    assert mailbox.person_id is not None
    for row in addresses.of_person(session, mailbox.person_id):
        row.former_fields = row.forwards_to = None
        if row.role == Role.ALIAS:
            continue  # it stands at the host, whatever it names
        row.exists_since, row.written, row.provenance = None, None, Provenance.RESERVED
        if row is not mailbox:
            row.blocked_at = None  # the mailbox keeps its own, from which the later stages count
