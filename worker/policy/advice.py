"""Advice on a policy that is valid: what in it can do nothing, or not for everybody, and how to mend it.

Nothing here is an error: a rule that matches nobody today may do so tomorrow. What a file alone shows is found here;
what only the people on the roster show, in ``roster_advice``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from worker.policy.document import BrakeWindow, Policy, StageAction
from worker.policy.mailbox_fields import KNOWN_VALUES, Fields
from worker.policy.names import Facts
from worker.policy.naming import usable_patterns
from worker.toml.lines import KeyPath, key_of, line_of, lines_of

_MANY_YEARS: Final = 3650
NAMES: Final[tuple[tuple[str, Facts], ...]] = (
    ("one name only (Sukarno)", {"givenName": "Sukarno", "familyName": None}),
    ("Chinese names (李小龍)", {"givenName": "小龍", "familyName": "李"}),
    ("Cyrillic names (Иван Петров)", {"givenName": "Иван", "familyName": "Петров"}),
    ("Arabic names (محمد علي)", {"givenName": "محمد", "familyName": "علي"}),
    ("an apostrophe (Sinéad O'Brien)", {"givenName": "Sinéad", "familyName": "O'Brien"}),
    ("very long names (of 80 letters)", {"givenName": "Adeline" * 12, "familyName": "Wolfeschlegel" * 7}),
)
"""Kinds of names that patterns are tried on."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Something to look at, before it has a line."""

    path: KeyPath
    reason: str
    mend: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Something to look at: where, what it is, and what to do about it."""

    line: int | None
    key: str
    reason: str
    mend: str

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else ""
        return ": ".join(part for part in (where, self.key, self.reason) if part) + f"; {self.mend}"


def advice(policy: Policy, text: str, more: Iterable[Hint] = ()) -> tuple[Advice, ...]:
    """Return what there is to say of a policy, in the order of the lines of its text, with what others found."""
    lines = lines_of(text)
    found = (
        Advice(line_of(hint.path, lines), key_of(hint.path), hint.reason, hint.mend)
        for hint in (
            *_domains(policy),
            *_fields(policy),
            *_overrides(policy),
            *_groups(policy),
            *_stages(policy),
            *_names(policy),
            *more,
        )
    )
    return tuple(sorted(found, key=lambda one: (one.line or 0, one.key)))


def _domains(policy: Policy) -> Iterator[Hint]:
    for index, section in enumerate(policy.domains):
        for earlier, other in enumerate(policy.domains[:index]):
            if section.people.implies(other.people):
                reason = f"nobody is left for it: domains[{earlier}] matches everyone whom it asks for, and comes first"
                yield Hint(("domains", index, "people"), reason, f"move it before domains[{earlier}]")
                break


def _overrides(policy: Policy) -> Iterator[Hint]:
    for index, section in enumerate(policy.overrides):
        path: KeyPath = ("overrides", index)
        for later, other in enumerate(policy.overrides[index + 1 :], index + 1):
            if section.people.implies(other.people) and section.mailbox.keys() <= other.mailbox.keys():
                reason = f"overrides[{later}] matches the same people, sets the same fields, and the later one wins"
                yield Hint(path, reason, f"move it behind overrides[{later}]")
                break
        earlier = {name for other in policy.overrides[:index] for name in other.mailbox}
        same = all(policy.mailbox.get(name) == value for name, value in section.mailbox.items())
        if same and not earlier & section.mailbox.keys():
            yield Hint((*path, "mailbox"), "changes nothing: [mailbox] says the same", "take it out, or say otherwise")


def _fields(policy: Policy) -> Iterator[Hint]:
    sections: list[tuple[KeyPath, Fields]] = [(("mailbox",), policy.mailbox)]
    sections += [(("overrides", index, "mailbox"), each.mailbox) for index, each in enumerate(policy.overrides)]
    for path, fields in sections:
        for name, known in KNOWN_VALUES.items():
            if name in fields and fields[name] not in known:
                reason = f"the mail host is not known to take {fields[name]!r}"
                yield Hint((*path, name), reason, f"write one of {', '.join(map(repr, known))}")


def _groups(policy: Policy) -> Iterator[Hint]:
    for index, group in enumerate(policy.groups):
        for earlier, other in enumerate(policy.groups[:index]):
            if group.members == other.members:
                reason = f"has the members of groups[{earlier}]"
                yield Hint(("groups", index, "members"), reason, "take one out if they are meant to be one address")
                break
        fallback = policy.shared.get(policy.address_of(group.fallback)) if group.fallback else None
        if fallback is not None and fallback.fallback is None:
            reason = f"{group.fallback!r} is a group that is deleted when it has no member itself"
            yield Hint(("groups", index, "fallback"), reason, "give that group a fallback, or name a mailbox")


def _stages(policy: Policy) -> Iterator[Hint]:
    if not policy.leaving.stages:
        mend = "add one that does 'block', or take the line out for the default"
        yield Hint(("leaving", "stages"), "nobody who leaves is ever blocked", mend)
    gone = False
    for index, stage in enumerate(policy.leaving.stages):
        path: KeyPath = ("leaving", "stages", index)
        if stage.after.length.days > _MANY_YEARS:
            yield Hint((*path, "after"), f"comes {stage.after.length.days // 365} years later", "write fewer days")
        for position, action in enumerate(stage.do):
            if action is StageAction.LEAVE_GROUPS and gone:
                reason = "comes to nothing: without a mailbox nobody is in a group any more"
                yield Hint((*path, "do", position), reason, "do it in an earlier stage, or take it out")
            gone = gone or action is StageAction.DELETE_MAILBOX
    for name in ("block", "delete", "immediate", "lists"):
        if _always_holds(policy.brakes.window(name)):
            reason = "lets nothing through, so each waits for an approval"
            yield Hint(("brakes", name), reason, "raise the floor if that is not meant")


def _always_holds(window: BrakeWindow) -> bool:
    return not window.floor and not window.share


def _names(policy: Policy) -> Iterator[Hint]:
    usable = {kind: usable_patterns(facts, policy) for kind, facts in NAMES}
    nothing = [kind for kind, patterns in usable.items() if not patterns]
    if nothing:
        reason = f"no pattern gives an address to {', '.join(nothing)}"
        yield Hint(("naming", "patterns"), reason, "add one that needs less, such as {preferred}.{family}")
    seen: set[str] = set()
    for index, pattern in enumerate(policy.naming.patterns):
        if str(pattern) in seen:
            yield Hint(("naming", "patterns", index), "is listed already", "take it out")
        elif not any(pattern in patterns for patterns in usable.values()):
            reason = "gives an address to none of the kinds of names that were tried"
            yield Hint(("naming", "patterns", index), reason, "spell out a name that people have, such as {family}")
        seen.add(str(pattern))
