"""Forwardings of a mailbox to addresses elsewhere, by Migadu's rules (`migadu-behaviour.md` 1.5, 3 and 5).

Mail would flow only after the click in a confirmation, which `confirm` stands for. A target on an active domain of the
same account needs none.
"""

from collections.abc import Mapping
from datetime import datetime

from worker.sandbox.asked import FORWARDINGS, Asked
from worker.sandbox.entry import Entry
from worker.sandbox.fields import defaults, external_address, read, refuse_past_days, written
from worker.sandbox.objects import FORWARDING, FORWARDING_TIMES
from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Fields, Json
from worker.sandbox.world import World, found

MOST = 10
"""Forwardings a mailbox may have. That there is a limit is documented, the number is assumed."""


def create_forwarding(asked: Asked) -> Entry:
    """Make a forwarding. Raises BadRequest: it exists, bad address, past date, too many."""
    mailbox, body = asked.mailbox, asked.body
    address = external_address(body.get("address"))
    if address in mailbox.children[FORWARDINGS]:
        raise BadRequest("there is a forwarding to this address")
    if len(mailbox.children[FORWARDINGS]) >= MOST:
        raise BadRequest("the mailbox has as many forwardings as it may")
    forwarding = _new(asked.world, address, _changes(body, {}, asked.now), asked.now)
    asked.store_mailbox(mailbox.with_child(FORWARDINGS, address, forwarding))
    return forwarding


def update_forwarding(asked: Asked, forwarding: Entry) -> Entry:
    """Change the fields that the body names; the address is not one of them. Raises BadRequest before that."""
    changed = forwarding.changed(_changes(asked.body, forwarding.fields, asked.now))
    asked.store_mailbox(asked.mailbox.with_child(FORWARDINGS, str(forwarding.fields["address"]), changed))
    return changed


def delete_forwarding(asked: Asked, forwarding: Entry) -> None:
    """Delete a forwarding. Made again it must be confirmed again."""
    asked.store_mailbox(asked.mailbox.without_child(FORWARDINGS, str(forwarding.fields["address"])))


def forwarding_to(world: World, given: Json, now: datetime) -> Mapping[str, Entry]:
    """Return the forwarding that a new mailbox's ``forwarding_to`` asks for, by its key. Raises BadRequest."""
    if given in (None, ""):
        return {}
    address = read("forwarding_to:", external_address, given)
    return {address: _new(world, address, {}, now)}


def confirm(world: World, mailbox_address: str, address: str, now: datetime) -> Entry:
    """Confirm a forwarding, as the click in its message does; clicking twice changes nothing. Raises NotFound."""
    local, _, name = mailbox_address.rpartition("@")
    domain = world.domain(name)
    mailbox = found(domain.mailboxes, local, "mailbox")
    forwarding = found(mailbox.children[FORWARDINGS], address, "forwarding")
    if forwarding.times["confirmed_at"] is None:
        forwarding = forwarding.changed({}, confirmed_at=now)
        domain.mailboxes[local.lower()] = mailbox.with_child(FORWARDINGS, address.lower(), forwarding)
    return forwarding


def _new(world: World, address: str, changes: Fields, now: datetime) -> Entry:
    target = world.domains.get(address.rpartition("@")[2])
    confirmed = target is not None and target.is_active
    times = {
        **dict.fromkeys(FORWARDING_TIMES),
        "confirmation_sent_at": None if confirmed else now,
        "confirmed_at": now if confirmed else None,
    }
    return Entry({"address": address, **defaults(FORWARDING), **changes}, times)


def _changes(body: Fields, current: Fields, now: datetime) -> dict[str, Json]:
    changes = written(FORWARDING, body)
    refuse_past_days(changes, current, now.date())
    return changes
