"""Stories heard late, in any order and again, by real processes: a few of them, or every one if asked."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.stories import pure, real
from tests.stories.retold import retold
from tests.stories.story import InTime, Story, stories
from tests.stories.test_stories import AT_A_TIME


def test_stories_heard_at_any_times_end_as_told_end_to_end(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whenever, however often and in whatever order a story's events are heard, the mail host ends up as it says."""
    asked, given = request.config.getoption("--retold"), request.config.getoption("--retold-seed")
    seed = random.randrange(2**32) if given < 0 else given
    sys.stdout.write(f"repeat with --retold={asked} --retold-seed={seed}\n")
    chosen = _chosen(asked, seed)
    empty = real.empty_database(tmp_path_factory.mktemp("empty"))
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        played = {each.name: pool.submit(real.play, each, tmp_path_factory.mktemp(each.name), empty) for each in chosen}
    differences = {name: "\n".join(each.result()) for name, each in played.items()}

    assert differences == dict.fromkeys(differences, "")


def _chosen(asked: str, seed: int) -> list[Story]:
    """Return stories, each heard in a way of its own that only the seed and its name decide."""
    everything = stories()
    size = len(everything) if asked == "all" else int(asked)
    sample = random.Random(seed).sample(everything, size)
    chosen = [retold(each, random.Random(f"{seed} {each.name}"), set(InTime)) for each in sample]
    assert [pure.play(each) for each in chosen] == [[]] * size
    return chosen
