"""Workers that are processes, killed or stopped around their calls, on PostgreSQL and RabbitMQ."""

from collections import Counter
from collections.abc import Callable
from signal import SIGKILL, SIGQUIT, SIGTERM, Signals

import pytest

from tests.crashes.conftest import Sample
from tests.crashes.depth import KILLS, Played, RealStage
from tests.crashes.scenarios import SCENARIOS
from tests.crashes.scene import Scenario, differing
from tests.end_to_end.gate import Point, Where

PLAYED = ("join", "rename", "move", "leave", "swap_of_names")
EACH_SCENARIO = pytest.mark.parametrize(
    "scenario", [each for each in SCENARIOS if each.name in PLAYED], ids=lambda scenario: scenario.name
)
SWAP_OF_NAMES, LEAVE = (
    pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each.name == name], ids=[name])
    for name in ("swap_of_names", "leave")
)


@pytest.fixture
def stage(scenario: Scenario, real_stages: Callable[[Scenario], RealStage]) -> RealStage:
    """The scenario, at its beginning."""
    return real_stages(scenario)


@EACH_SCENARIO
def test_a_process_killed_around_a_call_leaves_nothing_undone_and_nothing_done_twice(
    stage: RealStage, sample: Sample
) -> None:
    """Mail host, address ledger, steps and jobs end as without the crash, at whichever call it came."""
    whole = stage.whole
    points = [Point(number, where) for number in range(whole.calls) for where in KILLS]
    tried = [points[n] for n in sample.of_processes.of(range(len(points)))]
    print(f"{len(tried)} of {len(points)} points, seed {sample.seed}")  # noqa: T201 - shown where it fails
    played = {str(point): stage.play(point) for point in tried}

    assert not whole.outcome.unsettled
    assert [each.ended for each in played.values()] == [(-SIGKILL,)] * len(tried)
    assert differing(whole.outcome, {where: each.outcome for where, each in played.items()}) == {}


@SWAP_OF_NAMES
def test_a_process_killed_beside_another_leaves_nothing_undone_and_nothing_done_twice(
    stage: RealStage, sample: Sample
) -> None:
    """Of two workers at once one dies at one of its first calls, and the other takes over what it had begun."""
    whole = stage.whole
    points = [Point(number, where) for number in range(2) for where in KILLS]
    tried = [points[n] for n in sample.of_processes.of(range(len(points)))]
    played = {str(point): _until_killed(stage, point) for point in tried}
    killed = sum(len(each.ended) for each in played.values())
    print(f"{killed} of {len(points)} points, seed {sample.seed}")  # noqa: T201 - shown where it fails

    assert killed > 0
    assert differing(whole.outcome, {where: each.outcome for where, each in played.items()}) == {}


def _until_killed(stage: RealStage, point: Point) -> Played:
    """Play with two workers until the first of them comes to the point, which is not sure: the other may be quicker."""
    plays = (stage.play(point, None, MAILROSTER_WORKER_THREADS="1") for _ in range(3))
    return next((played for played in plays if played.ended), stage.whole)


@LEAVE
def test_a_process_that_is_stopped_finishes_its_call_and_gives_its_lane_back(stage: RealStage, sample: Sample) -> None:
    """TERM while a call is under way: it is answered, no other follows, and another worker waits for no lease."""
    whole = stage.whole
    tried = [Point(number, Where.UNDER_WAY, (SIGTERM,)) for number in sample.of_processes.of(range(1, whole.calls - 1))]
    print(f"{len(tried)} of {whole.calls} calls, seed {sample.seed}")  # noqa: T201 - shown where it fails
    played = {str(point): stage.play(point) for point in tried}

    assert [(each.ended, each.kept) for each in played.values()] == [((0,), (0,))] * len(tried)
    assert [each.writes - whole.writes for each in played.values()] == [Counter()] * len(tried)
    assert differing(whole.outcome, {where: each.outcome for where, each in played.items()}) == {}


@LEAVE
@pytest.mark.parametrize("signals", [(SIGQUIT,), (SIGTERM, SIGQUIT)], ids=["at once", "after all"])
def test_a_process_that_is_to_end_at_once_ends_as_in_a_crash(stage: RealStage, signals: tuple[Signals, ...]) -> None:
    """QUIT waits for nothing, and what was under way is settled by whoever comes next."""
    whole = stage.whole
    played = stage.play(Point(3, Where.UNANSWERED, signals))

    assert played.ended == (1,)
    assert played.kept[0] > 0, "it gave nothing back"
    assert differing(whole.outcome, {"ended at once": played.outcome}) == {}
