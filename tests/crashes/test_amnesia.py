"""A broker that forgets, repeats itself, or is not heard at all: what is in the database is done, and done once."""

from collections.abc import Callable
from pathlib import Path

from tests.crashes.bells import RANG_AGAIN, lost
from tests.crashes.depth import DEAF, TWICE, RealStage
from tests.crashes.scenarios import SCENARIOS
from tests.crashes.scene import Scenario, differing
from tests.end_to_end.rabbit import Node

ROOT = Path(__file__).parents[2]
(SCENARIO,) = (each for each in SCENARIOS if each.name == "swap_of_names")


def test_bells_that_are_lost_or_doubled_or_never_heard_change_nothing(
    real_stages: Callable[[Scenario], RealStage], own_rabbit: Node
) -> None:
    """Queues purged again and again, each bell rung twice, or none heard but sweeps: the same calls, the same end."""
    stage = real_stages(SCENARIO)
    purged: list[int] = []
    whole = stage.whole
    played = {
        "purged": stage.play(meanwhile=lambda _: purged.append(lost(own_rabbit)), MAILROSTER_WORKER_THREADS="1"),
        "twice": stage.play(celery=TWICE, PYTHONPATH=str(ROOT)),
        "never": stage.play(celery=DEAF),
    }

    assert sum(purged) > 0
    assert RANG_AGAIN in played["twice"].logs
    assert differing(whole.outcome, {name: each.outcome for name, each in played.items()}) == {}
    assert {name for name, each in played.items() if each.writes != whole.writes} == set()
