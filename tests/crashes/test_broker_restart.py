"""A broker that dies in the middle of the work, and comes back: the workers that run go on, and are not restarted."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.crashes.bells import Bells
from tests.crashes.depth import Broker, Crew, RealStage
from tests.crashes.scenarios import SCENARIOS
from tests.crashes.scene import differing
from tests.end_to_end.installation import wait_until
from tests.end_to_end.own_redis import OwnRedis, own_redis
from tests.end_to_end.rabbit import Node

JOIN, LEAVE = (each for each in SCENARIOS if each.name in ("join", "leave"))
_DIES_AT, _COMES_BACK_AT = 2, 8
"""After how many calls."""


@pytest.fixture(params=["rabbitmq", "redis"])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of the test's own, which lives afterwards."""
    with ExitStack() as running:
        if request.param == "redis":
            yield running.enter_context(own_redis(tmp_path_factory.mktemp("redis")))
            return
        node: Node = request.getfixturevalue("own_rabbit")
        running.callback(partial(_revive, node))
        yield node


def _revive(node: Node) -> None:
    with suppress(Exception):
        node.connect(timeout_s=2).close()
        return
    node.start()


def test_a_broker_that_dies_and_comes_back_is_survived_by_the_workers_that_run(
    real_stages: Callable[..., RealStage], broker: Broker
) -> None:
    """While it is away the work under way goes on, and once it is back its bells are heard again."""
    away = False

    def meanwhile(crew: Crew) -> None:
        nonlocal away
        if crew.calls >= _DIES_AT and not came_back and not away:
            broker.kill()
            away = True
        elif crew.calls >= _COMES_BACK_AT and away:
            broker.start()
            away = False
            came_back.append(crew.calls)

    came_back: list[int] = []
    played = real_stages(LEAVE, broker).play(meanwhile=meanwhile, afterwards=_bells_are_heard)

    assert len(came_back) == 1
    assert played.ended == ()
    assert differing(real_stages(LEAVE).whole.outcome, {"after all": played.outcome}) == {}
    assert played.writes == real_stages(LEAVE).whole.writes


def test_a_worker_that_starts_while_the_broker_is_away_works(
    real_stages: Callable[..., RealStage], tmp_path: Path
) -> None:
    """It waits for bells until there is a broker, and for nothing else."""
    played = real_stages(JOIN, OwnRedis(tmp_path)).play()

    assert differing(real_stages(JOIN).whole.outcome, {"without a broker": played.outcome}) == {}


def _bells_are_heard(_: Crew, bells: Bells) -> None:
    bells.ring(times=20)
    wait_until(lambda: bells.waiting() == 0)
