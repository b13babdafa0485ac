"""Effects: what a confirmed step means for the address ledger."""

from datetime import datetime
from typing import assert_never

from worker.mail import DOORS
from worker.planning.step import Operation, Step
from worker.store import addresses
from worker.store.addresses import Provenance
from worker.store.database import Session
from worker.store.tables import AddressRow


def enter(session: Session, step: Step, job_id: int, now: datetime) -> None:
    """Enter a confirmed step into the ledger, in the transaction that confirms it. Idempotent."""
    row = addresses.held(session, step.target)
    if row is None:
        return
    match step.operation:
        case Operation.CREATE_MAILBOX | Operation.CREATE_IDENTITY | Operation.CREATE_ALIAS:
            row.provenance, row.job_id, row.exists_since = Provenance.CREATED, job_id, now
        case Operation.BLOCK_MAILBOX:
            row.blocked_at = now
            row.former_doors = row.former_doors or _doors(step)
        case Operation.SUSPEND_MAILBOX:
            row.former_doors = row.former_doors or _doors(step)
        case Operation.REOPEN_MAILBOX:
            row.blocked_at = row.former_doors = None
        case Operation.DELETE_MAILBOX:
            _forget_mailbox(session, row)
        case Operation.DELETE_IDENTITY | Operation.DELETE_ALIAS:
            row.exists_since, row.provenance = None, Provenance.RESERVED
        case Operation.UPDATE_MAILBOX | Operation.UPDATE_IDENTITY | Operation.UPDATE_ALIAS:
            pass
        case _:
            assert_never(step.operation)


def _doors(step: Step) -> dict[str, object]:
    # Closing again what drifted open must not forget the doors as they were before we first closed them, hence "or".
    return {door: step.before.get(door) for door in DOORS}


def _forget_mailbox(session: Session, mailbox: AddressRow) -> None:
    """The host deletes identities with their mailbox. The addresses stay promised to their holder."""
    assert mailbox.person_id is not None
    for row in addresses.of_person(session, mailbox.person_id):
        row.exists_since = row.blocked_at = row.former_doors = None
        row.provenance = Provenance.RESERVED
