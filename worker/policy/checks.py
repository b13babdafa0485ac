"""What a policy may not say although each of its keys is well formed: the checks that span several keys."""

from collections.abc import Iterator, Mapping

from worker.mail import InvalidAddress, domain_of
from worker.policy.document import Policy, StageAction
from worker.policy.lines import Finding, KeyPath
from worker.policy.parts import parts
from worker.policy.rules import Rule
from worker.policy.variables import unknown_variables

_LATER: Mapping[tuple[str, ...], frozenset[str]] = {
    ("leaving", "stages", "do"): frozenset({"purge"}),
}


def unavailable(document: Mapping[str, object]) -> Iterator[Finding]:
    """Yield what the format knows and this version cannot do yet, so that it is not mistaken for a typing error."""
    if "rewrites" in document:
        yield ("rewrites",), "[[rewrites]] is not available in this version"
    for path, value in _leaves(document, ()):
        names = tuple(step for step in path if isinstance(step, str))
        if isinstance(value, str) and value in _LATER.get(names, ()):
            yield path, f"'{value}' is not available in this version"


def contradictions(policy: Policy) -> Iterator[Finding]:
    """Yield what contradicts itself in a policy whose keys are each well formed."""
    yield from _protected(policy)
    yield from _groups(policy)
    yield from _stages(policy)
    yield from unknown_variables(policy)
    for path, rule in parts(policy, Rule):
        yield from (((*path, *inner), reason) for inner, reason in rule.contradictions())


def _leaves(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    else:
        yield path, value


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
        if full in _readable(policy, policy.naming.protected):
            yield here, f"{group.address!r} is in naming.protected; take it out there first"
        seen.add(full)
        yield from _fallback(policy, index)


def _fallback(policy: Policy, index: int) -> Iterator[Finding]:
    group = policy.groups[index]
    if group.fallback is None:
        return
    reason = _not_ours(policy, group.fallback)
    if not reason and policy.address_of(group.fallback) == policy.address_of(group.address):
        reason = "a group cannot be its own fallback"
    if reason:
        yield ("groups", index, "fallback"), reason


def _readable(policy: Policy, texts: tuple[str, ...]) -> set[str]:
    return {policy.address_of(text) for text in texts if not _not_ours(policy, text)}


def _not_ours(policy: Policy, text: str) -> str | None:
    try:
        full = policy.address_of(text)
    except InvalidAddress as error:
        return str(error)
    # The host turns destinations of other domains into its own (`migadu-behaviour.md` 1.6), so none may be named.
    if domain_of(full) != policy.organisation.domain:
        return f"{text!r} is not an address of {policy.organisation.domain}"
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
