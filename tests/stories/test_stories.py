"""Every story, played twice: by the pure rooms, and by real processes, several at a time because each mostly waits."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.stories import pure, real
from tests.stories.story import Story, stories

AT_A_TIME = 8
Played = dict[str, Future[list[str]]]
"""By the name of a story: what was otherwise than told."""
ALL = stories()
EACH = pytest.mark.parametrize("story", ALL, ids=[story.name for story in ALL])


@pytest.fixture(scope="session")
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[list[str]]]]:
    """Play all stories that this session asks for, beside one another."""
    chosen: list[Story] = [
        item.callspec.params["story"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_story_end_to_end"
    ]
    empty = real.empty_database(tmp_path_factory.mktemp("empty"))
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {
            story.name: pool.submit(real.play, story, tmp_path_factory.mktemp(story.name), empty) for story in chosen
        }
        pool.shutdown(cancel_futures=True)


@EACH
def test_story_by_the_pure_rooms(story: Story) -> None:
    """Desired, planned and applied as values, the story ends as told at each of its instants."""
    assert "\n".join(pure.play(story)) == ""


@EACH
def test_story_end_to_end(story: Story, played: Played) -> None:
    """The mail host holds what the story says at each of its instants."""
    assert "\n".join(played[story.name].result()) == ""
