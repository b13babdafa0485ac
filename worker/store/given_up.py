"""Given up: which addresses people had, for many questions at once; as ``addresses.quarantined_until`` answers one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.mail import Address
from worker.store import erased
from worker.store.tables import AddressRow


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What was given up by people who had mail there."""

    by_address: Mapping[Address, list[tuple[int, datetime]]]
    """Who gave it up, and when."""
    by_an_erased: Callable[[Address], datetime | None]

    def barred_until(self, address: Address, person: int, reuse_after: timedelta, now: datetime) -> datetime | None:
        """Return until when an address is barred for a person because it was somebody else's; None if it is not."""
        others = [at for who, at in self.by_address.get(address, ()) if who != person]
        last = max((at for at in (*others, self.by_an_erased(address)) if at is not None), default=None)
        return None if last is None or last <= now - reuse_after else last + reuse_after


def given_up(session: Session, domains: Iterable[str]) -> GivenUp:
    """Return what was given up in these domains; what was only promised received no mail, and does not count."""
    rows = session.execute(
        select(AddressRow.address, AddressRow.person_id, AddressRow.held_to).where(
            AddressRow.domain.in_(sorted(domains)),
            AddressRow.held_to.is_not(None),
            AddressRow.person_id.is_not(None),
            AddressRow.job_id.is_not(None),
        )
    )
    found: dict[Address, list[tuple[int, datetime]]] = {}
    for address, who, at in rows:
        if who is not None and at is not None:  # as was asked for
            found.setdefault(Address(address), []).append((who, at))
    return GivenUp(found, erased.releases(session))
