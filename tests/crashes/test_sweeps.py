"""Sweeps in several processes at once, over a backlog: the work is done once, and nobody stands in another's way."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sqlalchemy import text

from tests.crashes.backlog import BACKLOG
from tests.crashes.bells import Bells
from tests.crashes.conftest import Sample
from tests.crashes.depth import DEAF, Crew, RealStage
from tests.crashes.scene import Outcome, Scenario, differing

ROOT = Path(__file__).parents[2]
WORKERS = SWEEPERS = 3
LATENCY_S = 0.02
_CREATION = ("POST", "mailboxes")
_FAULTS = ("Traceback", "[error", "defect", "the sweep failed", "taken over", "busy", "could not reach")
"""What the log of a process must not hold."""


class Sweepers:
    """Processes that do nothing but sweep, and what the database noted of deadlocks until they ended."""

    deadlocks: int | None = None
    started = False

    def meanwhile(self, crew: Crew) -> None:
        """Start them, once everything is due."""
        if not self.started:
            self.started = True
            for _ in range(SWEEPERS):
                crew.installation.start("sweeper", module="tests.crashes.sweeper")

    def afterwards(self, crew: Crew, _: Bells) -> None:
        """End everybody, and look."""
        died = [each.returncode for each in crew.installation.processes if each.poll() is not None]
        assert died == [], crew.installation.logs()
        crew.installation.stop_all()
        with crew.office.database.read() as session:
            asked = text("select deadlocks from pg_stat_database where datname = current_database()")
            self.deadlocks = session.scalar(asked)


def test_sweeps_in_several_processes_at_once_do_a_backlog_once(
    real_stages: Callable[[Scenario], RealStage], sample: Sample
) -> None:
    """Leases of the dead, held jobs due again, people and events due: as if one process had done it; no deadlock."""
    stage, commands = real_stages(BACKLOG), {"bells are heard": (), "no bell is heard": DEAF}
    tried = [list(commands)[n] for n in sample.of_processes.of(range(len(commands)))]
    print(f"{tried}, seed {sample.seed}")  # noqa: T201 - shown where it fails

    assert {name: found for name in tried if (found := _complaints(stage, commands[name]))} == {}


def _complaints(stage: RealStage, celery: tuple[str, ...]) -> list[str]:
    sweepers = Sweepers()
    played = stage.play(
        *[None] * WORKERS,
        celery=celery,
        meanwhile=sweepers.meanwhile,
        afterwards=sweepers.afterwards,
        latency_s=LATENCY_S,
        PYTHONPATH=str(ROOT),
    )
    made, wanted = played.writes[_CREATION], stage.whole.writes[_CREATION]
    return [
        *([f"{made} mailboxes were made instead of {wanted}"] if made != wanted else []),
        *([f"{sweepers.deadlocks} deadlocks"] if sweepers.deadlocks != 0 else []),
        *(line for line in played.logs.splitlines() if any(each in line for each in _FAULTS)),
        *differing(_order_apart(stage.whole.outcome), {"": _order_apart(played.outcome)}).get("", []),
    ]


def _order_apart(outcome: Outcome) -> Outcome:
    """Leave out what depends on who comes first: how often a list was written for its members, and people's numbers."""
    of_lists = ("update-alias", "update-rewrite", "create-alias", "create-rewrite")
    kept = {step: many for step, many in outcome.confirmed.items() if step[0] not in of_lists}
    addresses = Counter((address, role, is_held) for address, role, _, is_held in outcome.addresses.elements())
    return replace(outcome, confirmed=Counter(kept), addresses=addresses)
