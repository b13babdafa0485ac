"""How many points of each scenario are tried: a sample with a seed that is told, or all of them."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.crashes.depth import Broker, RealStage
from tests.crashes.scene import Scenario, Stage
from tests.end_to_end.rabbit import Node, own_node
from tests.servers import fresh_database
from worker.sandbox import RunningSandbox
from worker.store import schema


@dataclass(frozen=True, slots=True)
class Sample:
    """Draws some of all points; with ``size`` None it takes all."""

    size: int | None
    seed: int

    def of(self, points: Sequence[int]) -> list[int]:
        """Return the points to try, in their order."""
        if self.size is None or self.size >= len(points):
            return list(points)
        return sorted(random.Random(self.seed).sample(list(points), self.size))

    @property
    def of_processes(self) -> "Sample":
        """Draws a third of the points, at least one: where processes are started for each."""
        return self if self.size is None else replace(self, size=max(self.size // 3, 1))

    def seeds(self, plenty: int) -> range:
        """Return seeds for what has no last point: as many as points are tried, or plenty where those are all."""
        return range(self.seed, self.seed + (plenty if self.size is None else self.size))


@pytest.fixture
def sample(request: pytest.FixtureRequest) -> Sample:
    """The sample of this run; a failing test shows its seed."""
    asked: str = request.config.getoption("--crash-points")
    return Sample(None if asked == "all" else int(asked), random.randrange(2**32))


@pytest.fixture
def stage(scenario: Scenario, sandbox: RunningSandbox, tmp_path: Path, sqlite_template: Path) -> Stage:
    """The scenario, at its beginning."""
    return Stage(scenario, sandbox, tmp_path, sqlite_template)


@pytest.fixture(scope="session")
def own_rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A RabbitMQ of these tests' own, whose queues they may empty and whose bells nobody else hears."""
    with own_node(tmp_path_factory.mktemp("rabbit")) as running:
        yield running


@pytest.fixture(scope="session")
def _migrated_once(postgres_url: str) -> Iterator[str]:
    with fresh_database(postgres_url) as url:
        schema.upgrade(url)
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def real_stages(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, own_rabbit: Node, _migrated_once: str
) -> Iterator[Callable[..., RealStage]]:
    """Gives the stage of a scenario, made once; on the RabbitMQ of these tests, or on the broker that is named."""
    with ExitStack() as databases:

        @cache
        def made(scenario: Scenario, broker: Broker = own_rabbit) -> RealStage:
            beginning = databases.enter_context(fresh_database(postgres_url, template=_migrated_once))
            return RealStage(scenario, tmp_path_factory.mktemp("stage"), broker, beginning)

        yield made
