"""A policy that is not in force, compared with the one that is: what the change alone brings, before it is deployed.

Both are previewed on one look at the mail host. What both would do is left out of the difference: it comes anyway.
"""

from dataclasses import dataclass

from worker.execution.context import Execution
from worker.execution.preview import Preview, Question, calls_take_s, look_for, preview_on
from worker.intake import Intake
from worker.intake.policy_change import change_of_policy
from worker.planning.grouping import Deed, Group, grouped
from worker.planning.policy_change import PolicyChange
from worker.planning.step import NO_CALLS
from worker.policy import load_policy


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change of policy alone brings."""

    brings: tuple[Group, ...]
    """What would be done, and would not be under the policy in force."""
    spares: tuple[Group, ...]
    """What the policy in force would do, and the other one not."""
    anyway: tuple[Group, ...]
    """What both would do."""
    writes: int
    """Calls that the change alone adds."""
    reads: int
    seconds: float
    subjects: frozenset[tuple[str, str]]
    """Kind and key of those for whom the two plans differ."""
    admission: PolicyChange
    """What putting the policy into force would take away at once, and whether that would be held."""

    @property
    def calls(self) -> int:
        """All calls that the change alone adds."""
        return self.writes + self.reads


def compare(
    execution: Execution, intake: Intake, question: Question, in_force: str, other: str
) -> tuple[Preview, Difference]:
    """Return the preview under the text of another policy, and how it differs from that under the one in force.

    Raises as ``preview``.
    """
    policies = load_policy(in_force), load_policy(other)
    seen = look_for(execution, *policies)
    before = preview_on(execution, intake, question, in_force, seen)
    known, reads = _deeds(before), before.reads
    del before  # for tens of thousands, one is enough in memory
    after = preview_on(execution, intake, question, other, seen)
    wanted = _deeds(after)
    brings = {deed: goes for deed, (goes, _) in wanted.items() if deed not in known}
    spares = {deed: goes for deed, (goes, _) in known.items() if deed not in wanted}
    calls = {deed.call for deed, goes in brings.items() if goes and deed.operation not in NO_CALLS} - {
        deed.call for deed in known
    }
    more_reads = max(after.reads - reads, 0)
    return after, Difference(
        brings=grouped(brings),
        spares=grouped(spares),
        anyway=grouped({deed: goes for deed, (goes, _) in wanted.items() if deed in known}),
        writes=len(calls),
        reads=more_reads,
        seconds=calls_take_s(execution, len(calls) + more_reads),
        subjects=frozenset({wanted[deed][1] for deed in brings} | {known[deed][1] for deed in spares}),
        admission=change_of_policy(intake, *policies),
    )


def _deeds(found: Preview) -> dict[Deed, tuple[bool, tuple[str, str]]]:
    return {
        deed: (each.goes_ahead, (each.kind.value, each.key))
        for each in found.subjects
        if each.is_asked_for
        for deed in each.deeds
    }
