"""What a policy may not say although each of its keys is well formed: the checks that span several keys."""

from collections.abc import Iterator

from worker.mail import Address, InvalidAddress, domain_of
from worker.policy.document import Policy, StageAction
from worker.policy.parts import parts
from worker.policy.rewrite_checks import rewrites
from worker.policy.rules import Rule
from worker.policy.variables import unknown_variables
from worker.toml.lines import Finding, KeyPath


def contradictions(policy: Policy) -> Iterator[Finding]:
    """Yield what contradicts itself in a policy whose keys are each well formed."""
    yield from _domains(policy)
    yield from _patterns(policy)
    yield from _protected(policy)
    yield from _overrides(policy)
    yield from _groups(policy)
    yield from rewrites(policy, _protected_addresses(policy))
    yield from _stages(policy)
    yield from _leaving_fallback(policy)
    yield from unknown_variables(policy)
    for path, rule in parts(policy, Rule):
        yield from (((*path, *inner), reason) for inner, reason in rule.contradictions())


def _domains(policy: Policy) -> Iterator[Finding]:
    seen: set[str] = set()
    everyone_at: int | None = None
    for index, section in enumerate(policy.domains):
        if section.name in seen:
            yield ("domains", index, "name"), f"{section.name} is listed already; join the two rules with any = [...]"
        if everyone_at is not None:
            reason = f"nobody is left for this rule: domains[{everyone_at}] takes everyone; move it to the end"
            yield ("domains", index, "people"), reason
        elif section.people.is_everyone:
            everyone_at = index
        seen.add(section.name)


def _patterns(policy: Policy) -> Iterator[Finding]:
    for index, pattern in enumerate(policy.naming.patterns):
        if pattern.shortest > policy.naming.longest:
            reason = f"leaves no room for a name and a number in {policy.naming.longest} characters (naming.longest)"
            yield ("naming", "patterns", index), f"'{pattern}' {reason}"


def _overrides(policy: Policy) -> Iterator[Finding]:
    for index, override in enumerate(policy.overrides):
        here: KeyPath = ("overrides", index, "mailbox")
        if not override.mailbox:
            yield here, "must not be empty"
        for name in override.mailbox.keys() - policy.mailbox.keys():
            reason = "[mailbox] does not set this field, so it could not be taken back; say there what others have"
            yield (*here, name), reason


def _protected(policy: Policy) -> Iterator[Finding]:
    for index, local in enumerate(policy.naming.protected):
        reason = _not_ours(policy, local)
        if reason:
            yield ("naming", "protected", index), reason


def _groups(policy: Policy) -> Iterator[Finding]:
    seen = set()
    for index, group in enumerate(policy.groups):
        here: KeyPath = ("groups", index, "address")
        reason = _not_ours(policy, group.address)
        if reason:
            yield here, reason
            continue
        full = policy.address_of(group.address)
        if full in seen:
            yield here, f"{group.address!r} is the address of another group already"
        if full in _protected_addresses(policy):
            yield here, f"{group.address!r} is in naming.protected; take it out there first"
        seen.add(full)
        yield from _fallback(policy, index)


def _fallback(policy: Policy, index: int) -> Iterator[Finding]:
    group = policy.groups[index]
    if group.fallback is None:
        return
    reason = _not_ours(policy, group.fallback)
    full = policy.address_of(group.address)
    if not reason:
        fallback = policy.address_of(group.fallback, domain_of(full))
        if fallback == full:
            reason = "a group cannot be its own fallback"
        elif domain_of(fallback) != domain_of(full):
            reason = f"{group.fallback!r} is not an address of {domain_of(full)}, as the group is"
        elif _comes_back(policy, full):
            reason = f"comes back to {group.address!r} through fallbacks of groups; name a mailbox"
    if reason:
        yield ("groups", index, "fallback"), reason


def _comes_back(policy: Policy, full: Address) -> bool:
    """Tell of a group whose fallbacks end in a ring whether it is the last of these in the file."""
    ring: list[Address] = []
    here: Address | None = full
    while here is not None and here not in ring:
        ring.append(here)
        group = policy.shared.get(here)
        named = group.fallback if group else None
        here = None if named is None or _not_ours(policy, named) else policy.address_of(named, domain_of(here))
    order = list(policy.shared)
    return here == full and full == max(ring, key=order.index)


def _leaving_fallback(policy: Policy) -> Iterator[Finding]:
    # A protected address may take over: it is only named as a destination, which does not touch it.
    if policy.leaving.fallback is not None and (reason := _not_ours(policy, policy.leaving.fallback)):
        yield ("leaving", "fallback"), reason


def _protected_addresses(policy: Policy) -> set[Address]:
    usable = (text for text in policy.naming.protected if not _not_ours(policy, text))
    return {policy.address_of(text, domain) for text in usable for domain in policy.mail_domains}


def _not_ours(policy: Policy, text: str) -> str | None:
    try:
        full = policy.address_of(text)
    except InvalidAddress as error:
        return str(error)
    if domain_of(full) not in policy.mail_domains:
        return f"{text!r} is not an address of {' or '.join(policy.mail_domains)}"
    return None


_AFTER = {
    StageAction.DELETE_MAILBOX: (StageAction.BLOCK,),
    StageAction.ALIAS_TO_MANAGER: (StageAction.DELETE_MAILBOX,),
    StageAction.RELEASE_ADDRESS: (StageAction.DELETE_MAILBOX,),
    StageAction.PURGE: (StageAction.RELEASE_ADDRESS,),
}
"""What must have been done before: an address is no alias while a mailbox has it, and given up last."""

_BEFORE = {
    StageAction.AUTOREPLY: StageAction.DELETE_MAILBOX,
    StageAction.FORWARD_TO_MANAGER: StageAction.DELETE_MAILBOX,
    StageAction.ALIAS_TO_MANAGER: StageAction.RELEASE_ADDRESS,
}
"""What comes to nothing once another was done: without a mailbox none answers, and no address is left for an alias."""


def _stages(policy: Policy) -> Iterator[Finding]:
    done: list[StageAction] = []
    stages = policy.leaving.stages
    for index, stage in enumerate(stages):
        if index and stage.after.length < stages[index - 1].after.length:
            yield ("leaving", "stages", index, "after"), "must not be earlier than the stage before it"
        for position, action in enumerate(stage.do):
            reason = _out_of_place(policy, action, done)
            if reason:
                yield ("leaving", "stages", index, "do", position), reason
            done.append(action)
    if stages and StageAction.BLOCK not in done:
        yield ("leaving", "stages"), "one stage must do 'block'"


def _out_of_place(policy: Policy, action: StageAction, done: list[StageAction]) -> str | None:
    """Return why an action cannot follow those that are done."""
    if action in done:
        return f"'{action}' is done already"
    for needed in _AFTER.get(action, ()):
        if needed not in done:
            return f"'{action}' must come after '{needed}'"
    if (end := _BEFORE.get(action)) in done:
        return f"'{action}' must come before '{end}'"
    if action is StageAction.RELEASE_ADDRESS and _at_once(policy, StageAction.ALIAS_TO_MANAGER, action):
        return f"'{action}' must be later than 'alias-to-manager', not at once"
    if action is StageAction.AUTOREPLY and policy.leaving.autoreply is None:
        return "'autoreply' needs a subject and a body under [leaving.autoreply]"
    return None


def _at_once(policy: Policy, one: StageAction, other: StageAction) -> bool:
    offsets = [policy.leaving.offset_of(action) for action in (one, other)]
    lengths = {offset.length for offset in offsets if offset is not None}
    return None not in offsets and len(lengths) == 1
