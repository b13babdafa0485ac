"""The pure town's mail host: what it makes of a new mailbox, what is changed there by hand, and how it shows it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tests.stories.story import ByHand
from worker.mail import Address, Alias, Forwarding, Identity, Mailbox, Rewrite, domain_of, local_part_of
from worker.planning.observed import ObservedPerson

AS_MADE: Mapping[str, Any] = {
    "may_send": True,
    "may_receive": True,
    "may_access_imap": True,
    "may_access_pop3": True,
    "may_access_managesieve": False,
    "is_internal": False,
}
"""What the host gives a new mailbox that says nothing else (`migadu-behaviour.md` 5)."""
_BOX_AS_MADE: Mapping[str, Any] = {
    **AS_MADE,
    "autorespond_active": None,
    "autorespond_subject": "Autoreply: {{subject}}",
    "footer_active": None,
}
_NOW = "now"


def as_the_host_shows(after: ObservedPerson, before: ObservedPerson) -> ObservedPerson:
    """Return what is observed after some steps, with what the host adds to a mailbox that they made."""
    if after.mailbox is None or before.mailbox is not None:
        return after
    return replace(after, mailbox=replace(after.mailbox, fields={**_BOX_AS_MADE, **after.mailbox.fields}))


def seeded(seed: Mapping[str, Any]) -> tuple[dict[Address, Mailbox], dict[Address, Alias]]:
    """Return the mailboxes and aliases of a seed."""
    boxes, aliases = {}, {}
    for domain in seed["domains"]:
        at = domain["name"]
        for box in domain["mailboxes"]:
            address = Address(f"{box['local_part']}@{at}")
            identities = (_identity(f"{each['local_part']}@{at}", each) for each in box["identities"])
            boxes[address] = Mailbox(address, box["name"], _BOX_AS_MADE, frozenset(identities))
        for alias in domain["aliases"]:
            address = Address(f"{alias['local_part']}@{at}")
            aliases[address] = Alias(address, frozenset(map(Address, alias["destinations"])))
    return boxes, aliases


def changed_by_hand(mailbox: Mailbox, what: ByHand) -> Mailbox | None:
    """Return a mailbox as somebody leaves it who changes it, or something in it, at the host; None: they delete it."""
    domain, _, _, *inside = what.path.split("/")
    match what.method, inside:
        case "DELETE", []:
            return None
        case "PUT", []:
            fields = {name: value for name, value in what.body.items() if name != "name"}
            return replace(mailbox, name=what.body.get("name", mailbox.name), fields={**mailbox.fields, **fields})
        case "POST", ["identities"]:
            made = _identity(f"{what.body['local_part']}@{domain}", what.body)
            return replace(mailbox, identities=mailbox.identities | {made})
        case "DELETE", ["identities", local]:
            kept = (each for each in mailbox.identities if each.address != f"{local}@{domain}")
            return replace(mailbox, identities=frozenset(kept))
        case "POST", ["forwardings"]:
            to = Forwarding(Address(what.body["address"]))
            return replace(mailbox, forwardings=mailbox.forwardings | {to})
    raise AssertionError(f"a story cannot {what.method} {what.path} yet")


def state_of(boxes: Iterable[Mailbox], aliases: Iterable[Alias], rewrites: Iterable[Rewrite]) -> dict[str, Any]:
    """Return what the host holds as the sandbox shows its state (`contracts.md` 7)."""
    shown, listed, rewritten = list(boxes), list(aliases), list(rewrites)
    domains = sorted({*(domain_of(each.address) for each in (*shown, *listed)), *(each.domain for each in rewritten)})
    return {
        "domains": [
            {
                "name": domain,
                "mailboxes": [_box(each) for each in shown if domain_of(each.address) == domain],
                "aliases": [
                    {
                        "address": each.address,
                        "destinations": each.destinations,
                        "is_internal": each.fields.get("is_internal"),
                    }
                    for each in listed
                    if domain_of(each.address) == domain
                ],
                "rewrites": [
                    {"name": each.name, "local_part_rule": each.local_part_rule, "destinations": each.destinations}
                    for each in rewritten
                    if each.domain == domain
                ],
            }
            for domain in domains
        ]
    }


def _identity(address: str, body: Mapping[str, Any]) -> Identity:
    use, fields = body.get("password_use", "none"), {**AS_MADE, **body}
    kept = {name: fields[name] for name in AS_MADE if name != "is_internal"}
    return Identity(Address(address), body["name"], use, kept)


def _box(box: Mailbox) -> dict[str, Any]:
    return {
        **_BOX_AS_MADE,
        **box.fields,
        "address": box.address,
        "local_part": local_part_of(box.address),
        "name": box.name,
        "identities": [
            {**AS_MADE, **each.fields, "address": each.address, "name": each.name, "password_use": each.password_use}
            for each in box.identities
        ],
        "forwardings": [
            {"address": each.address, "confirmed_at": each.confirmed_at and _NOW} for each in box.forwardings
        ],
    }
