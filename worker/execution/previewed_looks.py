"""How many looks lanes would take at what they make: the rule of ``person`` and ``shared``, for a preview.

What is made for the first time is looked for in the domain's lists, where these are read anyway or where several wait.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from worker.execution.indexes import SEVERAL
from worker.execution.look import CALLS_OF_A_LOOK
from worker.mail import SharedKey, bare, domain_of, is_rewrite
from worker.planning.urgency import Urgency
from worker.store import addresses, jobs
from worker.store.addresses import Provenance
from worker.store.database import Session
from worker.store.tables import AddressRow


@dataclass(slots=True)
class Looks:
    """Counts the reading calls of one preview's lanes, in their order."""

    known_domains: Collection[str]
    """The domains that had been read into the ledger before; of others the first job to come reads each."""
    _listed: set[str] = field(default_factory=set)
    _joiners: int = 0

    def at_mailbox(self, session: Session, primary: AddressRow, now: datetime) -> int:
        """Return the calls of a lane that looks whether its person's mailbox is there."""
        if primary.provenance != Provenance.RESERVED or primary.exists_since is not None:
            return 1
        self._joiners += 1
        if self._is_listed(primary.domain):
            return 0
        due = jobs.due_count(session, now, at_most=self._joiners + SEVERAL, urgency=Urgency.JOINER)
        if due < self._joiners + SEVERAL:  # those before, this one, and several that wait
            return 1
        self._listed.add(primary.domain)
        return CALLS_OF_A_LOOK

    def at_list(self, key: SharedKey, holder: AddressRow) -> int:
        """Return the calls of a lane that looks whether a shared address or a rewrite is there."""
        was_made = holder.exists_since is not None or addresses.is_ours(holder)
        return 0 if not was_made and not is_rewrite(key) and self._is_listed(domain_of(bare(key))) else 1

    def _is_listed(self, domain: str) -> bool:
        return domain in self._listed or domain not in self.known_domains
