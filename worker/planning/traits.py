"""Traits: what a person and a mailbox may have in common, worked out once for each of them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from worker.events import FactValue
from worker.mail import Address, InvalidAddress, Mailbox, address, domain_of, local_part_of
from worker.planning.fields import RECOVERY
from worker.planning.name_words import Words, names_of_person, spellings_of, words_of
from worker.policy import NoUsableName, Policy, UnknownDomain, candidates, display_name
from worker.policy.names import text_of

Facts = Mapping[str, FactValue]
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class PersonTraits:
    """What may be found of a person in a mailbox."""

    key: int
    facts: Facts
    stated: Address | None
    """The ``workEmail``, where it is a valid address."""
    first: Address | None
    """What the policy would give if every address were free."""
    others: frozenset[Address]
    """What the policy's other patterns would give, those with a number apart."""
    stems: frozenset[str]
    """What those with a number would give, without it."""
    personal: str | None
    words: frozenset[Words]
    spellings: frozenset[Words]

    @property
    def keys(self) -> frozenset[str]:
        """Whatever a mailbox may share: of two without a common key, nothing speaks for a match."""
        addresses = {each for each in (self.stated, self.first, *self.others) if each}
        return _keys(addresses, self.stems, self.personal, self.spellings)


@dataclass(frozen=True, slots=True)
class MailboxTraits:
    """What may be found of a mailbox in a person."""

    address: Address
    identities: frozenset[Address]
    recovery: str | None
    stem: str
    words: Words
    spellings: frozenset[Words]

    @classmethod
    def of(cls, mailbox: Mailbox) -> "MailboxTraits":
        """Work out a mailbox's traits."""
        recovery = mailbox.fields.get(RECOVERY)
        return cls(
            address=mailbox.address,
            identities=frozenset(identity.address for identity in mailbox.identities),
            recovery=_mail(recovery) if isinstance(recovery, str) else None,
            stem=_stem(mailbox.address),
            words=words_of(mailbox.name),
            spellings=spellings_of(mailbox.name),
        )

    @property
    def keys(self) -> frozenset[str]:
        """Whatever a person may share."""
        return _keys({self.address, *self.identities}, {self.stem}, self.recovery, self.spellings)


class PolicyAddresses:
    """The addresses that each pattern of a policy gives by itself, for many people."""

    def __init__(self, policy: Policy) -> None:
        """Prepare a policy of its own for each pattern."""
        patterns = policy.naming.patterns
        numbered = [each for each in patterns if each.numbered] or [patterns[0].with_number()]
        self.policy = policy
        self._plain = [_only(policy, pattern) for pattern in patterns if not pattern.numbered]
        self._numbered = [_only(policy, pattern) for pattern in numbered]

    def traits_of(self, key: int, facts: Facts) -> PersonTraits:
        """Work out a person's traits."""
        full, more = names_of_person(facts, display_name(facts, self.policy))
        first = _first(facts, self.policy)
        return PersonTraits(
            key=key,
            facts=facts,
            stated=_stated(facts),
            first=first,
            others=frozenset(_given(facts, self._plain)) - {first},
            stems=frozenset(map(_stem, _given(facts, self._numbered))),
            personal=_mail(text_of(facts, "personalEmail")),
            words=frozenset(map(words_of, full)),
            spellings=frozenset[Words]().union(*map(spellings_of, full | more)),
        )


def _only(policy: Policy, pattern: object) -> Policy:
    naming = policy.naming.model_copy(update={"patterns": (pattern,)})
    return policy.model_copy(update={"naming": naming})


def _given(facts: Facts, policies: Iterable[Policy]) -> set[Address]:
    return {found for policy in policies if (found := _first(facts, policy)) is not None}


def _first(facts: Facts, policy: Policy) -> Address | None:
    try:
        return next(candidates(facts, policy), None)
    except (NoUsableName, UnknownDomain):
        return None


def _stated(facts: Facts) -> Address | None:
    try:
        return address(text_of(facts, "workEmail"))
    except InvalidAddress:
        return None


def _mail(text: str) -> str | None:
    return text.strip().casefold() or None


def _stem(full: Address) -> str:
    return f"{_DIGITS.sub('', local_part_of(full))}@{domain_of(full)}"


def _keys(
    addresses: Iterable[Address], stems: Iterable[str], personal: str | None, spellings: Iterable[Words]
) -> frozenset[str]:
    keys = {*(f"address {each}" for each in addresses), *(f"stem {each}" for each in stems)}
    keys.update(f"name {' '.join(words)}" for words in spellings)
    return frozenset(keys | ({f"recovery {personal}"} if personal else set()))
