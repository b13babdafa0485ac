"""A change of policy as the API and ``--json`` show it: in a hold, and ahead of it in a plan."""

from worker.planning.policy_change import PolicyChange


def policy_change_object(change: PolicyChange) -> dict[str, object]:
    """Return what a change of policy alone would bring about, by brake, and whether that holds it."""
    return {
        "hash": change.policy,
        "inForce": change.in_force,
        "said": str(change),
        "held": change.exceeds,
        "counts": [
            {
                "brake": count.brake.value,
                "would": count.would,
                "allowed": count.allowed,
                "population": count.population,
                "givenUp": count.given_up,
                "erased": count.erased,
            }
            for count in change.counts
        ],
    }
