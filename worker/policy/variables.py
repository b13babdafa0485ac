"""The variables of a policy's texts: whether each is something that may be known of a person."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from worker.policy.document import Policy
from worker.policy.lines import Finding, KeyPath
from worker.policy.texts import Text


def unknown_variables(policy: Policy) -> Iterator[Finding]:
    """Yield every variable that no text may use, wherever in the policy the text stands.

    Known are the facts of the canonical event and those that a rule of this policy asks for.
    """
    facts = frozenset(name for group in policy.groups for name in group.members)
    for path, text in _texts(policy, ()):
        yield from ((path, reason) for reason in text.problems(facts))


def _texts(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, Text]]:
    if isinstance(value, Text):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _texts(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, (*path, name))
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, index))
