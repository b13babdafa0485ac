"""What the mail host holds and what it was asked, as its control tells it: the rim where its JSON becomes values."""

from dataclasses import dataclass

import httpx
from pydantic import BaseModel, ConfigDict

from worker.mail import DOORS


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class ShownIdentity(_Shown):
    """A further address of a mailbox."""

    address: str
    name: str


class ShownMailbox(_Shown):
    """A mailbox as the sandbox shows it."""

    address: str
    name: str
    may_send: bool
    may_receive: bool
    may_access_imap: bool
    may_access_pop3: bool
    may_access_managesieve: bool
    identities: tuple[ShownIdentity, ...]

    @property
    def is_blocked(self) -> bool:
        """Whether no door lets anybody in."""
        return not any(getattr(self, door) for door in DOORS)


class ShownAlias(_Shown):
    """A shared address and who gets its mail."""

    address: str
    destinations: tuple[str, ...]


class ShownDomain(_Shown):
    """A domain with everything in it."""

    mailboxes: tuple[ShownMailbox, ...]
    aliases: tuple[ShownAlias, ...]


class _State(_Shown):
    domains: tuple[ShownDomain, ...]


class _Call(_Shown):
    method: str


class _Calls(_Shown):
    calls: tuple[_Call, ...]


@dataclass(frozen=True, slots=True)
class MailHost:
    """Everything the mail host holds, by address, and the methods of all calls it was asked, in order."""

    mailboxes: dict[str, ShownMailbox]
    aliases: dict[str, tuple[str, ...]]
    methods: tuple[str, ...]
    document: object
    """The state exactly as the sandbox gave it."""

    def knows(self, address: str) -> bool:
        """Tell whether an address exists in any role."""
        identities = (identity.address for mailbox in self.mailboxes.values() for identity in mailbox.identities)
        return address in {*self.mailboxes, *self.aliases, *identities}

    def groups_of(self, address: str) -> list[str]:
        """Return the aliases that deliver to a mailbox, sorted."""
        return sorted(alias for alias, destinations in self.aliases.items() if address in destinations)


def read_mail_host(client: httpx.Client, sandbox_url: str) -> MailHost:
    """Ask a sandbox for its state and its calls. Raises httpx.HTTPError."""
    state = client.get(f"{sandbox_url}/_sandbox/state").raise_for_status()
    calls = client.get(f"{sandbox_url}/_sandbox/calls").raise_for_status()
    domains = _State.model_validate_json(state.content).domains
    return MailHost(
        mailboxes={mailbox.address: mailbox for domain in domains for mailbox in domain.mailboxes},
        aliases={alias.address: alias.destinations for domain in domains for alias in domain.aliases},
        methods=tuple(call.method for call in _Calls.model_validate_json(calls.content).calls),
        document=state.json(),
    )
