"""The name that correspondents see."""

from worker.policy.document import Policy
from worker.policy.names import Facts, one_line, stated_names, text_of

LONGEST_DISPLAY_NAME = 200


def display_name(facts: Facts, policy: Policy) -> str:
    """Return the display name by the policy's pattern, in the person's own script, 200 characters at most.

    Where a name is missing that the pattern uses, the stated ``displayName`` stands in for the whole, else what the
    pattern gives without that name. Empty if no name is stated at all.
    """
    values = stated_names(facts).values()
    pattern = policy.naming.display
    rendered = pattern.render(values)
    if not all(values[variable.name] for variable in pattern.variables):
        spelled_out = any(values[variable.name] for variable in pattern.variables)
        rendered = text_of(facts, "displayName") or (rendered.strip(" ,;") if spelled_out else "")
    return one_line(rendered)[:LONGEST_DISPLAY_NAME].rstrip()
