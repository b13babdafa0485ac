"""The policy as a document: what each section of the policy file may say, with its defaults.

These models become the JSON Schema for editors, so every field carries its description. ``load_policy`` makes them.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from worker.events.canonical import FactValue
from worker.mail import Address, SharedKey, address, rewrite_key
from worker.policy.drift_terms import DriftAction, ReconciledFields
from worker.policy.mailbox_fields import Fields, MailboxFields
from worker.policy.offset import Offset
from worker.policy.pattern import parse_address_pattern, parse_display_pattern
from worker.policy.rules import Rule
from worker.policy.state import Credential
from worker.policy.values import (
    AddressPattern,
    DisplayPattern,
    DomainName,
    LanguageCode,
    LocalPartRule,
    OffsetText,
    Period,
    Slug,
    SomeText,
    TimezoneName,
)


class Existing(StrEnum):
    """What to do when the address a joiner should get exists at the host already."""

    HOLD = "hold"
    NEXT_NAME = "next-name"
    ADOPT = "adopt"


class Renaming(StrEnum):
    """How a new name reaches the addresses."""

    IDENTITY = "identity"
    ALIAS = "alias"
    DISPLAY_ONLY = "display-only"


class StageAction(StrEnum):
    """What a stage of leaving does."""

    BLOCK = "block"
    LEAVE_GROUPS = "leave-groups"
    AUTOREPLY = "autoreply"
    FORWARD_TO_MANAGER = "forward-to-manager"
    DELETE_MAILBOX = "delete-mailbox"
    ALIAS_TO_MANAGER = "alias-to-manager"
    """Each address the person held becomes an alias for whoever stands in."""
    RELEASE_ADDRESS = "release-address"
    """The aliases go, and the addresses are given up: others may have them after ``naming.reuse_after``."""
    PURGE = "purge"


IRREVERSIBLE = frozenset(
    {StageAction.DELETE_MAILBOX, StageAction.ALIAS_TO_MANAGER, StageAction.RELEASE_ADDRESS, StageAction.PURGE}
)
"""What no return of the person takes back as it was: mail is lost, or others have read it or got the address."""


class Section(BaseModel):
    """A section of the policy file: fixed once read, and no key is accepted that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class OrganisationSection(Section):
    """Whose mailboxes these are."""

    domain: DomainName = Field(description="The mail domain, as the host knows it.")
    timezone: TimezoneName = Field(
        "UTC", description="IANA zone in which dates count for people who state none of their own."
    )
    language: LanguageCode | None = Field(
        None,
        description='Language by which names become addresses for people who state no locale, such as "de": Müller is '
        "mueller then. Without one, marks are dropped: muller.",
    )


class DomainSection(Section):
    """A further mail domain, and the rule that says whose addresses are there."""

    name: DomainName = Field(description="The mail domain, as the host knows it.")
    people: Rule = Field(description="The rule that says who gets an address there; the first that matches counts.")


class NamingSection(Section):
    """From names to addresses."""

    patterns: tuple[AddressPattern, ...] = Field(
        tuple(map(parse_address_pattern, ("{given}.{family}", "{given[0]}.{family}", "{given}.{family}{n}"))),
        min_length=1,
        description="Local parts in order of preference; the first free one is taken, those with {n} last.",
    )
    display: DisplayPattern = Field(
        parse_display_pattern("{preferred} {family}"), description="The name that correspondents see."
    )
    reuse_after: OffsetText = Field(
        Offset(days=365), description="How long an address that was given up stays barred for others."
    )
    longest: int = Field(
        64, ge=8, le=64, strict=True, description="The most characters before the @; longer names are cut."
    )
    protected: tuple[str, ...] = Field(
        ("postmaster", "abuse", "admin"), description="Local parts that are never given to anybody and never touched."
    )


class JoiningSection(Section):
    """How somebody gets a mailbox."""

    lead: OffsetText = Field(Offset(days=2), description="The mailbox is made this long before hireDate.")
    credential: Credential = Field(
        Credential.INVITATION, description="The first password: an invitation to personalEmail, or a random one."
    )
    existing: Existing = Field(Existing.HOLD, description="What to do with an address that exists already.")


class OverrideSection(Section):
    """What is different for some people's mailboxes."""

    people: Rule = Field(description="The rule that says for whom.")
    mailbox: Annotated[Fields, MailboxFields] = Field(
        description="Fields of [mailbox] with the values that these people shall have instead. Each must be set there, "
        "too: that is what they get back when the rule ceases to match."
    )


class GroupSection(Section):
    """A shared address and the rule that says who belongs to it."""

    address: str = Field(
        description="A local part of the organisation's domain, or a full address of one of the policy's domains."
    )
    members: Rule = Field(description="The rule that says who belongs to it. Empty: everyone who has a mailbox.")
    fallback: str | None = Field(
        None, description="Who gets the mail while nobody is a member: an address of the same domain."
    )
    internal: bool | None = Field(
        None,
        strict=True,
        description="True: only colleagues can write to it; false: everybody; not named: as it is at the host.",
    )


class RewriteSection(Section):
    """A pattern of addresses and the rule that says who gets what is sent to any of them."""

    name: Slug = Field(description="What the mail host calls it.")
    local_part_rule: LocalPartRule = Field(description="What stands before the @, with * for anything.")
    members: Rule = Field(description="The rule that says who gets the mail. Empty: everyone who has a mailbox.")
    fallback: str | None = Field(
        None, description="Who gets the mail while nobody is a member: an address of the same domain."
    )
    order: int = Field(
        0, ge=0, strict=True, description="Where several patterns fit an address, the lowest is asked first."
    )
    domain: DomainName | None = Field(None, description="Whose addresses; not named: the organisation's domain.")


class RenamingSection(Section):
    """What a new name changes."""

    strategy: Renaming = Field(
        Renaming.IDENTITY,
        description="The new address becomes an identity or an alias of the mailbox, or only the display name changes.",
    )


class Stage(Section):
    """Something that happens a while after a departure."""

    after: OffsetText = Field(description="Counted from the departure; irreversible actions also from the block.")
    do: tuple[StageAction, ...] = Field(min_length=1, description="What happens then.")


class AutoreplySection(Section):
    """What correspondents of somebody who left are answered."""

    subject: SomeText = Field(
        description="The subject of the answer; it knows the variables of the texts under [mailbox]."
    )
    body: SomeText = Field(description="Its text, likewise.")


class LeavingSection(Section):
    """What happens to the mailbox of somebody who left, and when."""

    autoreply: AutoreplySection | None = Field(None, description="What the stage action autoreply answers.")

    stages: tuple[Stage, ...] = Field(
        (
            Stage(after=Offset(), do=(StageAction.BLOCK, StageAction.LEAVE_GROUPS)),
            Stage(after=Offset(days=30), do=(StageAction.DELETE_MAILBOX,)),
        ),
        description="In ascending order; no action twice; none that takes back or needs another before that one.",
    )
    fallback: str | None = Field(
        None, description="Who takes over where no manager can: a local part, or a full address of the organisation."
    )

    def offset_of(self, action: StageAction) -> Offset | None:
        """Return how long after a departure this happens; None if it never does."""
        return next((stage.after for stage in self.stages if action in stage.do), None)


class BrakeWindow(Section):
    """A brake: it stops operations whose number within a window exceeds the larger of floor and share."""

    floor: int = Field(ge=0, strict=True, description="So many are always let through.")
    share: float = Field(ge=0, le=1, description="Or this share of the population, if that is more.")
    per: Period = Field(description="The length of the sliding window.")

    def allowed(self, population: int) -> int:
        """Return how many operations within a window are let through, for so many objects that there are."""
        return max(self.floor, math.floor(self.share * population))


class BrakesSection(Section):
    """What stops mass changes until somebody approves them."""

    block: BrakeWindow = Field(BrakeWindow(floor=5, share=0.10, per=Offset(hours=24)), description="Blocks.")
    delete: BrakeWindow = Field(BrakeWindow(floor=3, share=0.05, per=Offset(hours=24)), description="Deletions.")
    immediate: BrakeWindow = Field(
        BrakeWindow(floor=20, share=0.20, per=Offset(hours=1)), description="Immediate revocations."
    )

    lists: BrakeWindow = Field(
        BrakeWindow(floor=3, share=0.10, per=Offset(hours=24)),
        description="Deletions of shared addresses: the floor alone lets no more than half of all go.",
    )

    def window(self, brake: str) -> BrakeWindow:
        """Return the window of a brake by its name (``block``, ``delete``, ...). Raises KeyError."""
        return {"block": self.block, "delete": self.delete, "immediate": self.immediate, "lists": self.lists}[brake]

    def allowed(self, brake: str, population: int) -> int:
        """Return how many operations of a brake are let through within its window, for so many objects that there are.

        Of lists the floor alone lets no more than half go, though always one: what a few are it would let go all.
        Raises KeyError.
        """
        window = self.window(brake)
        allowed = window.allowed(population)
        if brake != "lists":
            return allowed
        return max(math.floor(window.share * population), min(allowed, max(1, population // 2)))


class ReconcileSection(Section):
    """What is done about what somebody else changed at the mail host."""

    default: DriftAction = Field(
        DriftAction.REPAIR, description="For every field that is not named: write it back, report it, or accept it."
    )
    fields: Annotated[Mapping[str, DriftAction], ReconciledFields] = Field(
        {}, description="By field of the mail host, or by whole objects that may be gone, such as mailboxes."
    )

    def action_on(self, field: str) -> DriftAction:
        """Return what is done about a field, or about whole objects, that somebody else changed."""
        return self.fields.get(field, self.default)


class Policy(Section):
    """The whole policy. Made by ``load_policy``, which also checks what spans several sections."""

    organisation: OrganisationSection = Field(description="Whose mailboxes these are.")
    domains: tuple[DomainSection, ...] = Field(
        (), description="Further mail domains; whom no rule matches is in the organisation's."
    )
    naming: NamingSection = Field(NamingSection(), description="From names to addresses.")
    joining: JoiningSection = Field(JoiningSection(), description="How somebody gets a mailbox.")
    mailbox: Annotated[Fields, MailboxFields] = Field(
        {},
        description="Mailbox fields of the mail host that everyone shall have; those that are not named stay as the "
        "person has them. Footers and automatic replies know {displayName}, {address}, {manager.displayName}, ...",
    )
    overrides: tuple[OverrideSection, ...] = Field(
        (), description="Exceptions from [mailbox] by rule; where several match, later ones win."
    )
    groups: tuple[GroupSection, ...] = Field((), description="Shared addresses.")
    rewrites: tuple[RewriteSection, ...] = Field((), description="Patterns of shared addresses.")
    renaming: RenamingSection = Field(RenamingSection(), description="What a new name changes.")
    leaving: LeavingSection = Field(LeavingSection(), description="What happens after a departure.")
    brakes: BrakesSection = Field(BrakesSection(), description="What stops mass changes.")
    reconcile: ReconcileSection = Field(
        ReconcileSection(), description="What is done about what somebody else changed at the mail host."
    )

    @cached_property
    def hash(self) -> str:
        """The SHA-256 of what the policy says, defaults included; comments, order and white space do not count."""
        content: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @cached_property
    def shared(self) -> Mapping[Address, GroupSection]:
        """The groups by their full address."""
        return {self.address_of(group.address): group for group in self.groups}

    @cached_property
    def lists(self) -> Mapping[SharedKey, GroupSection | RewriteSection]:
        """Everything that has members, by its key: groups and rewrites."""
        groups: dict[SharedKey, GroupSection | RewriteSection] = dict(self.shared.items())
        return groups | {rewrite_key(f"{each.name}@{self.domain_of(each)}"): each for each in self.rewrites}

    def domain_of(self, rewrite: RewriteSection) -> str:
        """Return the domain of a rewrite."""
        return rewrite.domain or self.organisation.domain

    @cached_property
    def protected(self) -> frozenset[Address]:
        """The full addresses that are never given to anybody and never touched: a local part means all domains."""
        return frozenset(
            self.address_of(text, domain) for text in self.naming.protected for domain in self.mail_domains
        )

    @cached_property
    def mail_domains(self) -> tuple[str, ...]:
        """Every domain in which people may have addresses, in punycode, the organisation's first."""
        return tuple(dict.fromkeys((self.organisation.domain, *(section.name for section in self.domains))))

    def domain_for(self, facts: Mapping[str, FactValue]) -> str:
        """Return the domain in which a person with these facts is given an address: of the first rule that matches."""
        return next((each.name for each in self.domains if each.people.matches(facts)), self.organisation.domain)

    def address_of(self, text: str, domain: str | None = None) -> Address:
        """Complete a local part to a full address, of the organisation unless a domain is named.

        Raises InvalidAddress.
        """
        return address(text if "@" in text else f"{text}@{domain or self.organisation.domain}")
