"""The state: everything the stand-in holds as one JSON document, which can be seeded again (`contracts.md` 7)."""

from datetime import date

from worker.sandbox.wire import Fields
from worker.sandbox.world import Domain, World


def state_of(world: World, today: date) -> Fields:
    """Return everything the world holds, objects as the API shows them."""
    return {"domains": [_state_of_domain(domain, today) for domain in world.domains.values()]}


def _state_of_domain(domain: Domain, today: date) -> Fields:
    return {
        **domain.entry.shown(today),
        "dns_ok": domain.dns_ok,
        "mailboxes": [mailbox.shown(today) for mailbox in domain.mailboxes.values()],
        "aliases": [alias.shown(today) for alias in domain.aliases.values()],
        "rewrites": [rewrite.shown(today) for rewrite in domain.rewrites.values()],
    }
