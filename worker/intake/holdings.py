"""What two people hold when they become one, or one becomes two again: addresses, and who is promised which."""

from datetime import datetime

from worker.mail import Address
from worker.store import addresses, merges
from worker.store.addresses import Role
from worker.store.database import Session
from worker.store.merges import Decision
from worker.store.tables import AddressRow, MergeRow

_OF = "address of person"


def take_over(session: Session, note: MergeRow, keep_id: int, other_id: int, now: datetime) -> list[str]:
    """Give a person what another holds or held, at most one of whom has a mailbox. Says a sentence for each address.

    The kept person's mailbox stays the primary one. An address of the other that once received mail becomes a further
    one of it; one that was only promised is given up. Where the kept person has no mailbox, the other's is theirs.
    """
    theirs, mine = addresses.history_of_person(session, other_id), addresses.of_person(session, keep_id)
    brings_mailbox = bool(addresses.at_host(session, other_id))
    # Whoever has the mailbox keeps the primary address; where nobody has one, the kept person's promise stands.
    has_primary = brings_mailbox or any(row.role == Role.PRIMARY for row in mine)
    yielding = mine if brings_mailbox else [row for row in theirs if row.held_to is None and has_primary]
    merges.note_addresses(session, note, [*theirs, *(mine if brings_mailbox else [])])
    said = [_yield(row, keep_id, now) for row in yielding]
    for row in theirs:
        if row.held_to is None and row not in yielding:
            said.append(f"{row.address} becomes {'a further' if row.role != Role.PRIMARY else 'the'} {_OF} {keep_id}")
        row.person_id = keep_id
    session.flush()
    return said


def _yield(row: AddressRow, keep_id: int, now: datetime) -> str:
    """Let an address make room for the primary one: it receives beside it, if it ever received mail."""
    if row.job_id is None:
        row.held_to = now
        return f"{row.address}, which was promised and never made, is given up"
    row.role = Role.IDENTITY
    return f"{row.address} becomes a further {_OF} {keep_id}"


def give_back(session: Session, merged: Decision, person_id: int, other_id: int, now: datetime) -> list[str]:
    """Put addresses back to where they were before a merge, where nothing has come of them since.

    What the kept person was given because of the merge goes, as a name that is taken back does.

    An address that was made a further one of the mailbox stays with it, and so does everything that was added to a
    mailbox since. One that somebody else was given meanwhile stays theirs.
    """
    said: list[str] = []
    returns_mailbox = False
    for former in merged.addresses:
        row = session.get(AddressRow, former["id"], with_for_update=True)
        if row is None or row.person_id != person_id:
            continue  # it went another way since, or whoever had it was erased
        if former["role"] == Role.PRIMARY and row.role == Role.IDENTITY and row.exists_since is not None:
            said.append(f"{row.address} receives in the mailbox of person {person_id} by now, and stays there")
            continue
        row.person_id, row.role = former["person"], former["role"]
        returns_mailbox |= former["person"] == other_id and row.role == Role.PRIMARY and row.exists_since is not None
        said += _hold_again(session, row, former["held_to"])
    addresses.withdraw(session, person_id, merged.added, now)
    if returns_mailbox:
        said += _with_the_mailbox(session, merged, person_id, other_id)
    session.flush()
    return said


def _hold_again(session: Session, row: AddressRow, held_to: str | None) -> list[str]:
    if held_to is not None or row.held_to is None:
        return [f"{row.address} is person {row.person_id}'s again"] if row.held_to is None else []
    if addresses.held(session, Address(row.address)) is not None:
        return [f"{row.address} was given to somebody else meanwhile"]
    row.held_to = None
    return [f"{row.address} is promised to person {row.person_id} again"]


def _with_the_mailbox(session: Session, merged: Decision, person_id: int, other_id: int) -> list[str]:
    """Let what was added to the mailbox since the merge go with it."""
    known = {former["id"] for former in merged.addresses}
    added = [row for row in addresses.at_host(session, person_id) if row.id not in known and row.role != Role.PRIMARY]
    for row in added:
        row.person_id = other_id
    return [f"{row.address} goes with the mailbox" for row in added]
