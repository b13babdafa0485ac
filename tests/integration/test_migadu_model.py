"""Any sequence of the client's calls leaves the stand-in in the state of a small model, and shows it so."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from worker.mail import Address, address
from worker.migadu import (
    MigaduClient,
    MigaduError,
    NotFound,
    Password,
    Refused,
    ThreadClients,
    Write,
    alias_at,
    aliases_of,
    create,
    delete,
    forwarding_at,
    forwardings_of,
    identity_at,
    listed,
    mailbox_at,
    mailboxes_of,
    rewrite_at,
    rewrites_of,
    update,
)
from worker.sandbox import RunningSandbox

DOMAIN = "example.org"
NAMES = st.sampled_from(["Ada", "Bob", "Ada King", "Zoë Ünsal"])
LOCALS = st.sampled_from(["a", "b", "c", "d.e"]).map(lambda local: address(f"{local}@{DOMAIN}"))
OUTSIDE = st.sampled_from(["x", "y"]).map(lambda local: address(f"{local}@home.example"))
SLUGS = st.sampled_from(["one", "two", "three"])
RULES = st.sampled_from(["one-*", "two-*"])
DESTINATIONS = st.frozensets(LOCALS, max_size=3)


@dataclass(slots=True)
class Box:
    """What the model knows of a mailbox."""

    name: str
    may_send: bool
    identities: dict[Address, str] = field(default_factory=dict)
    forwardings: dict[Address, bool] = field(default_factory=dict)


@dataclass(slots=True)
class Model:
    """What the host should hold."""

    boxes: dict[Address, Box] = field(default_factory=dict)
    aliases: dict[Address, frozenset[Address]] = field(default_factory=dict)
    rewrites: dict[str, tuple[str, frozenset[Address]]] = field(default_factory=dict)

    def is_taken(self, wanted: Address) -> bool:
        """Tell whether a mailbox, an identity or an alias has an address: all of a domain share one namespace."""
        return (
            wanted in self.boxes
            or wanted in self.aliases
            or any(wanted in box.identities for box in self.boxes.values())
        )

    def as_told(self) -> dict[str, object]:
        """Return it in the form in which host and client are compared with it."""
        return {
            "mailboxes": {
                each: (box.name, box.may_send, dict(box.identities), dict(box.forwardings))
                for each, box in self.boxes.items()
            },
            "aliases": dict(self.aliases),
            "rewrites": dict(self.rewrites),
        }


class Calls(RuleBasedStateMachine):
    """Calls made of the client and of the model alike."""

    sandbox: RunningSandbox
    migadu: MigaduClient

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        httpx.post(f"{self.sandbox.url}/_sandbox/reset", trust_env=False).raise_for_status()

    def _expect(self, write: Write[Any], expected: type[MigaduError] | None, change: Callable[[], object]) -> None:
        """Send a write; it must come to what the model says, and if it is well the model changes too."""
        raised = None
        try:
            self.migadu.send(write)
        except MigaduError as error:
            raised = type(error)

        assert raised is expected
        if raised is None:
            change()

    @rule(at=LOCALS, name=NAMES, may_send=st.booleans())
    def create_mailbox(self, at: Address, name: str, may_send: bool) -> None:  # noqa: FBT001
        """Make a mailbox."""
        write = create(mailbox_at(at), {"name": name, "may_send": may_send}, Password("Sup3r_s3cr3T"))
        taken = self.model.is_taken(at)
        self._expect(write, Refused if taken else None, lambda: self.model.boxes.update({at: Box(name, may_send)}))

    @rule(at=LOCALS, name=NAMES | st.none(), may_send=st.booleans() | st.none())
    def update_mailbox(self, at: Address, name: str | None, may_send: bool | None) -> None:  # noqa: FBT001
        """Change some fields of a mailbox, and leave the others."""
        box = self.model.boxes.get(at)
        told = {"name": name, "may_send": may_send}
        changes = {key: value for key, value in told.items() if value is not None}

        def change() -> None:
            assert box is not None
            box.name, box.may_send = changes.get("name", box.name), changes.get("may_send", box.may_send)

        self._expect(update(mailbox_at(at), changes), None if box else NotFound, change)

    @rule(at=LOCALS)
    def delete_mailbox(self, at: Address) -> None:
        """Delete a mailbox with all that is its own; lists that name it keep naming it."""
        self._expect(
            delete(mailbox_at(at)), None if at in self.model.boxes else NotFound, lambda: self.model.boxes.pop(at)
        )

    @rule(at=LOCALS, new=LOCALS, name=NAMES)
    def create_identity(self, at: Address, new: Address, name: str) -> None:
        """Add an address to a mailbox."""
        box = self.model.boxes.get(at)
        expected = NotFound if box is None else Refused if self.model.is_taken(new) else None
        self._expect(
            create(identity_at(at, new), {"name": name}), expected, lambda: box and box.identities.update({new: name})
        )

    @rule(at=LOCALS, known=LOCALS, name=NAMES)
    def update_identity(self, at: Address, known: Address, name: str) -> None:
        """Rename an identity."""
        box = self.model.boxes.get(at)
        expected = None if box and known in box.identities else NotFound
        self._expect(
            update(identity_at(at, known), {"name": name}),
            expected,
            lambda: box and box.identities.update({known: name}),
        )

    @rule(at=LOCALS, known=LOCALS)
    def delete_identity(self, at: Address, known: Address) -> None:
        """Take an address from a mailbox."""
        box = self.model.boxes.get(at)
        expected = None if box and known in box.identities else NotFound
        self._expect(delete(identity_at(at, known)), expected, lambda: box and box.identities.pop(known))

    @precondition(lambda self: self.model.boxes)
    @rule(at=LOCALS, to=OUTSIDE, is_active=st.booleans())
    def create_forwarding(self, at: Address, to: Address, is_active: bool) -> None:  # noqa: FBT001
        """Forward a mailbox's mail."""
        box = self.model.boxes.get(at)
        expected = NotFound if box is None else Refused if to in box.forwardings else None
        write = create(forwarding_at(at, to), {"is_active": is_active})
        self._expect(write, expected, lambda: box and box.forwardings.update({to: is_active}))

    @precondition(lambda self: any(box.forwardings for box in self.model.boxes.values()))
    @rule(at=LOCALS, to=OUTSIDE, is_active=st.booleans())
    def update_forwarding(self, at: Address, to: Address, is_active: bool) -> None:  # noqa: FBT001
        """Switch a forwarding."""
        box = self.model.boxes.get(at)
        expected = None if box and to in box.forwardings else NotFound
        write = update(forwarding_at(at, to), {"is_active": is_active})
        self._expect(write, expected, lambda: box and box.forwardings.update({to: is_active}))

    @precondition(lambda self: any(box.forwardings for box in self.model.boxes.values()))
    @rule(at=LOCALS, to=OUTSIDE)
    def delete_forwarding(self, at: Address, to: Address) -> None:
        """Stop a forwarding."""
        box = self.model.boxes.get(at)
        expected = None if box and to in box.forwardings else NotFound
        self._expect(delete(forwarding_at(at, to)), expected, lambda: box and box.forwardings.pop(to))

    @rule(at=LOCALS, to=DESTINATIONS)
    def create_alias(self, at: Address, to: frozenset[Address]) -> None:
        """Make an alias; an empty list is refused, and nobody checks that a destination exists."""
        expected = Refused if not to or self.model.is_taken(at) else None
        write = create(alias_at(at), {"destinations": listed(to)})
        self._expect(write, expected, lambda: self.model.aliases.update({at: to}))

    @rule(at=LOCALS, to=DESTINATIONS)
    def update_alias(self, at: Address, to: frozenset[Address]) -> None:
        """Replace an alias's list."""
        expected = NotFound if at not in self.model.aliases else None if to else Refused
        write = update(alias_at(at), {"destinations": listed(to)})
        self._expect(write, expected, lambda: self.model.aliases.update({at: to}))

    @rule(at=LOCALS)
    def delete_alias(self, at: Address) -> None:
        """Delete an alias."""
        expected = None if at in self.model.aliases else NotFound
        self._expect(delete(alias_at(at)), expected, lambda: self.model.aliases.pop(at))

    @rule(slug=SLUGS, pattern=RULES, to=DESTINATIONS)
    def create_rewrite(self, slug: str, pattern: str, to: frozenset[Address]) -> None:
        """Make a rewrite."""
        expected = Refused if not to or slug in self.model.rewrites else None
        write = create(rewrite_at(DOMAIN, slug), {"local_part_rule": pattern, "destinations": listed(to)})
        self._expect(write, expected, lambda: self.model.rewrites.update({slug: (pattern, to)}))

    @rule(slug=SLUGS, new=SLUGS, pattern=RULES)
    def rename_rewrite(self, slug: str, new: str, pattern: str) -> None:
        """Give a rewrite another name and rule; a name that another has is refused."""
        known = self.model.rewrites.get(slug)
        expected = NotFound if known is None else Refused if new != slug and new in self.model.rewrites else None

        def change() -> None:
            _, to = self.model.rewrites.pop(slug)
            self.model.rewrites[new] = (pattern, to)

        self._expect(update(rewrite_at(DOMAIN, slug), {"name": new, "local_part_rule": pattern}), expected, change)

    @rule(slug=SLUGS)
    def delete_rewrite(self, slug: str) -> None:
        """Delete a rewrite."""
        expected = None if slug in self.model.rewrites else NotFound
        self._expect(delete(rewrite_at(DOMAIN, slug)), expected, lambda: self.model.rewrites.pop(slug))

    @invariant()
    def the_host_holds_what_the_model_says(self) -> None:
        """The stand-in's own state, read past the client, is the model's."""
        (domain,) = httpx.get(f"{self.sandbox.url}/_sandbox/state", trust_env=False).json()["domains"]

        assert {
            "mailboxes": {box["address"]: _box_held(box) for box in domain["mailboxes"]},
            "aliases": {each["address"]: frozenset(each["destinations"]) for each in domain["aliases"]},
            "rewrites": {
                each["name"]: (each["local_part_rule"], frozenset(each["destinations"])) for each in domain["rewrites"]
            },
        } == self.model.as_told()

    @invariant()
    def the_client_shows_what_the_model_says(self) -> None:
        """The indexes, read by the client, are the model's; an index of forwardings agrees with its mailbox."""
        boxes = self.migadu.index(mailboxes_of(DOMAIN))

        assert {
            "mailboxes": {
                box.address: (
                    box.name,
                    box.fields["may_send"],
                    {identity.address: identity.name for identity in box.identities},
                    {each.address: each.fields["is_active"] for each in self.migadu.index(forwardings_of(box.address))},
                )
                for box in boxes
            },
            "aliases": {each.address: each.destinations for each in self.migadu.index(aliases_of(DOMAIN))},
            "rewrites": {
                each.name: (each.local_part_rule, each.destinations) for each in self.migadu.index(rewrites_of(DOMAIN))
            },
        } == self.model.as_told()


def _box_held(box: dict[str, Any]) -> tuple[object, ...]:
    return (
        box["name"],
        box["may_send"],
        {each["address"]: each["name"] for each in box["identities"]},
        {each["address"]: each["is_active"] for each in box["forwardings"]},
    )


@pytest.fixture
def machine() -> Iterator[type[Calls]]:
    """The calls, with a stand-in to make them of."""
    with RunningSandbox() as sandbox, ThreadClients() as clients:
        Calls.sandbox = sandbox
        Calls.migadu = MigaduClient(sandbox.api_url, "admin@example.org", "sandbox-key", http=clients.client())
        yield Calls


def test_any_sequence_of_calls_ends_in_the_models_state(machine: type[Calls]) -> None:
    """Whatever is made, changed and deleted in whatever order, client, host and model agree after each call."""
    run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=30))
