"""From a person's names to addresses: every address the policy would give them, in order of preference."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worker.mail import Address, InvalidAddress, address, domain_of, is_local_part, local_part_of
from worker.policy.document import Policy
from worker.policy.names import Facts, names_of, text_of
from worker.policy.pattern import Pattern, parse_address_pattern
from worker.policy.transliteration import LANGUAGES, ascii_name, language_in

HIGHEST_NUMBER = 9999
LONGEST_LOCAL_PART = 64
_SEPARATORS = re.compile(r"([._+-])[._+-]+")
_ABSENT = "\0"  # stands for a missing name while a pattern is filled, so that the separator before it goes with it
_ABSENT_PART = re.compile(r"[._+-]*\0")
_WHOLE_NAME = parse_address_pattern("{given}{family}")


class NoUsableName(ValueError):
    """No address can be made from what is known of the person."""


class UnknownDomain(ValueError):
    """The stated work address belongs to a domain that is none of the organisation's."""


def home_of(facts: Facts, policy: Policy) -> str:
    """Return the domain in which a person should have a mailbox: of a usable ``workEmail``, else by the rules."""
    try:
        pinned = pinned_address(facts, policy)
    except (NoUsableName, UnknownDomain):
        pinned = None
    return domain_of(pinned) if pinned else policy.domain_for(facts)


def candidates(facts: Facts, policy: Policy, domain: str | None = None) -> Iterator[Address]:
    """Return the addresses a person may get, best first: patterns without a number, then numbers up to 9999.

    They are of the domain where the person should have a mailbox, unless another one is named: identities are of their
    mailbox's domain, wherever that should be. A ``workEmail`` pins: it is then the only one. Protected addresses and
    those of groups are left out. Which one is free, the caller knows. Raises NoUsableName or UnknownDomain at once,
    with a sentence that holds no name.
    """
    pinned = pinned_address(facts, policy)
    domain = domain or home_of(facts, policy)
    if pinned:
        return iter((pinned,) if domain_of(pinned) == domain else ())
    choice = _choice(facts, policy, _language(facts, policy), policy.naming.longest)
    if not choice.numbered:
        raise NoUsableName("no address can be made from givenName, familyName or displayName")
    return _free_of_barred(choice.locals(), domain, policy)


def fits(held: Iterable[Address], facts: Facts, policy: Policy, domain: str | None = None) -> bool:
    """Tell whether one of these addresses is a candidate of the current name, so that no new one is needed.

    In whatever language the name is read and however long it may be: nobody is given a new address because a locale or
    the policy's ``longest`` changed.

    The domain is as for ``candidates``; where the stated ``workEmail`` is of another, none is needed there. False where
    there are no candidates at all, for which ``candidates`` then says the reason.
    """
    try:
        pinned = pinned_address(facts, policy)
    except (NoUsableName, UnknownDomain):
        return False
    if pinned:
        return pinned in held or domain_of(pinned) != (domain or domain_of(pinned))
    domain = domain or policy.domain_for(facts)
    ours = [local_part_of(one) for one in held if domain_of(one) == domain and one not in _barred(policy)]
    return any(choice.has(local) for choice in _choices(facts, policy) for local in ours)


def usable_patterns(facts: Facts, policy: Policy) -> tuple[Pattern, ...]:
    """Return the policy's patterns that give this name a local part, in order."""
    language, longest = _language(facts, policy), policy.naming.longest
    letters = {name: ascii_name(value, language) for name, value in names_of(facts).values().items()}
    return tuple(pattern for pattern in policy.naming.patterns if _is_usable(pattern, letters, longest))


@dataclass(frozen=True, slots=True)
class _Choice:
    """The patterns that give a local part for a person, and the letters they are filled with."""

    letters: dict[str, str]
    plain: tuple[Pattern, ...]
    numbered: tuple[Pattern, ...]
    longest: int
    """The most characters of a local part."""

    def locals(self) -> Iterator[str]:
        yield from (_local(pattern, self.letters, "", self.longest) for pattern in self.plain)
        for pattern in self.numbered:
            for number in range(2, HIGHEST_NUMBER + 1):
                yield _local(pattern, self.letters, str(number), self.longest)

    def has(self, local: str) -> bool:
        """Tell whether ``locals`` has this one, trying only the numbers that are written in it."""
        if any(_local(pattern, self.letters, "", self.longest) == local for pattern in self.plain):
            return True
        numbers = _numbers_in(local)
        return any(
            _local(pattern, self.letters, number, self.longest) == local
            for pattern in self.numbered
            for number in numbers
        )


def _language(facts: Facts, policy: Policy) -> str:
    return language_in(text_of(facts, "locale")) or policy.organisation.language or ""


def _choices(facts: Facts, policy: Policy) -> Iterator[_Choice]:
    """Yield what the name gives now, then what it gave or may have given under another locale or length."""
    languages = dict.fromkeys((_language(facts, policy), *LANGUAGES))
    lengths = dict.fromkeys((policy.naming.longest, LONGEST_LOCAL_PART))
    return (_choice(facts, policy, language, longest) for longest in lengths for language in languages)


def _choice(facts: Facts, policy: Policy, language: str, longest: int) -> _Choice:
    letters = {name: ascii_name(value, language) for name, value in names_of(facts).values().items()}
    usable = [pattern for pattern in policy.naming.patterns if _is_usable(pattern, letters, longest)]
    if not usable and _is_usable(_WHOLE_NAME, letters, longest):
        usable = [_WHOLE_NAME]  # the last resort, for somebody whose one name suits no pattern
    plain = tuple(pattern for pattern in usable if not pattern.numbered)
    numbered = tuple(pattern for pattern in usable if pattern.numbered)
    return _Choice(letters, plain, numbered or tuple(pattern.with_number() for pattern in plain[:1]), longest)


def _is_usable(pattern: Pattern, letters: dict[str, str], longest: int) -> bool:
    """Tell whether a pattern gives a local part; where a name is missing, another one must be spelled out.

    So Sukarno is ``sukarno`` under ``{given}.{family}``, and never ``s`` under ``{given[0]}.{family}``.
    """
    complete = all(letters[variable.name] for variable in pattern.variables)
    spelled_out = any(letters[variable.name] and not variable.initial for variable in pattern.variables)
    return (complete or spelled_out) and is_local_part(_local(pattern, letters, str(HIGHEST_NUMBER), longest))


def _local(pattern: Pattern, letters: dict[str, str], number: str, longest: int) -> str:
    """Fill a pattern, and shorten the names until the whole is short enough; empty if it never is."""
    for letters_each in range(longest, 0, -1):
        cut = {name: value[:letters_each].strip("-") or _ABSENT for name, value in letters.items()}
        filled = _ABSENT_PART.sub("", pattern.render({**cut, "n": number}))
        local = _SEPARATORS.sub(r"\1", filled).strip("._+-")
        if len(local) <= longest:
            return local
    return ""


def _numbers_in(local: str) -> set[str]:
    """Return every number from 2 to the highest that is written somewhere in a local part."""
    pieces = {local[start : start + length] for start in range(len(local)) for length in range(1, 5)}
    return {piece for piece in pieces if piece.isdigit() and piece[0] != "0" and piece != "1"}


def pinned_address(facts: Facts, policy: Policy) -> Address | None:
    """Return the address that ``workEmail`` states; None if it states none. Raises NoUsableName or UnknownDomain."""
    stated = text_of(facts, "workEmail")
    if not stated:
        return None
    try:
        pinned = address(stated)
    except InvalidAddress as error:
        raise NoUsableName("workEmail is not a valid address") from error
    if domain_of(pinned) not in policy.mail_domains:
        raise UnknownDomain(f"workEmail is not an address of {' or '.join(policy.mail_domains)}")
    if pinned in _barred(policy):
        raise NoUsableName("workEmail is an address that the policy protects or gives to a group")
    return pinned


def _free_of_barred(locals_: Iterable[str], domain: str, policy: Policy) -> Iterator[Address]:
    seen = set(_barred(policy))
    for local in locals_:
        candidate = address(f"{local}@{domain}")
        if candidate not in seen:
            seen.add(candidate)
            yield candidate


def _barred(policy: Policy) -> frozenset[Address]:
    return policy.protected | policy.shared.keys()
