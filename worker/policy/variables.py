"""The variables of a policy's texts: whether each is something that may be known of a person."""

from collections.abc import Iterator

from worker.policy.document import Policy
from worker.policy.parts import parts
from worker.policy.rules import Rule
from worker.policy.texts import Text
from worker.toml.lines import Finding


def unknown_variables(policy: Policy) -> Iterator[Finding]:
    """Yield every variable that no text may use, wherever in the policy the text stands.

    Known are the facts of the canonical event and those that a rule of this policy asks for.
    """
    facts = frozenset[str]().union(*(rule.names for _, rule in parts(policy, Rule)))
    for path, text in parts(policy, Text):
        yield from ((path, reason) for reason in text.problems(facts))
