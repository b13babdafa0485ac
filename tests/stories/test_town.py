"""What holds of every story beyond what it says: its events may come in any order, and what is done can be undone."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stories.citizen import Citizen
from tests.stories.pure import Town
from tests.stories.retold import retold
from tests.stories.story import PASSING, InTime, Story, Told, stories
from worker.policy import load_policy

ALL = stories()
EACH = pytest.mark.parametrize("story", ALL, ids=[story.name for story in ALL])
DONE_AND_UNDONE: Mapping[str, tuple[tuple[str, Mapping[str, Any]], tuple[str, ...]]] = {
    "suspended": (("suspended", {}), ("resumed",)),
    "dismissed": (("left", {"immediate": True}), ("leaving_cancelled",)),
    "left yesterday": (("left", {"lastWorkingDay": "2026-03-01"}), ("leaving_cancelled",)),
    "moved to another department": (("updated", {"department": "Elsewhere"}), ("updated", "department")),
    "moved to another country": (("updated", {"country": "FR"}), ("updated", "country")),
    "made an intern": (("updated", {"userType": "intern"}), ("updated", "userType")),
    "given another manager": (("updated", {"manager": "E7"}), ("updated", "manager")),
    "renamed": (("renamed", {"familyName": "Noether"}), ("renamed", "familyName")),
    "called otherwise": (("renamed", {"nickName": "Emmy"}), ("renamed", "nickName")),
}
"""By what it is called: what is told of somebody, and what takes it back; facts are given back as they were."""


UNTIL_ALL_IS_DONE = timedelta(days=500)
SEEDS = st.integers(0, 2**32 - 1)
TRIES = 60


def founded(story: Story) -> Town:
    """Return the story's town before anything happened."""
    return Town(load_policy(story.policy), story.seed)


@EACH
@settings(max_examples=3)
@given(data=st.data())
def test_events_of_a_moment_in_any_order(story: Story, data: st.DataObject) -> None:
    """However the events of each moment are ordered, repeated and spread over jobs, the story ends as it says."""
    town, known = founded(story), list[Told]()
    for moment in story.moments:
        town.at(replace(moment, told=(), reconcile=False))
        known += moment.told
        again = data.draw(st.lists(st.sampled_from(known), max_size=3)) if known else []
        _hear(town, data.draw(st.permutations([*moment.told, *again])), data)
        town.at(replace(moment, told=(), by_hand=()))

    assert _end(town) == _end(_played(story))


@EACH
@settings(max_examples=3)
@given(data=st.data())
def test_a_whole_story_heard_of_at_its_end(story: Story, data: st.DataObject) -> None:
    """Told late, all at once and in any order, a story ends in one state; in the told one, if it says so."""
    if _has_hands(story):
        return
    told = [each for moment in story.moments for each in moment.told]
    in_order, shuffled = founded(story), founded(story)
    for town in (in_order, shuffled):
        town.live_until(story.moments[-1].at)
    _hear(in_order, told, None)
    _hear(shuffled, data.draw(st.permutations(told)), None)

    assert _end(shuffled) == _end(in_order)
    assert story.late == (_end(in_order) == _end(_played(story))), "the story should say so"


@EACH
@settings(max_examples=6)
@given(seed=SEEDS)
def test_a_story_heard_at_any_times_ends_as_told(story: Story, seed: int) -> None:
    """Each event late by any time, in any order, again and again, while stages come due: the story ends as it says."""
    heard = _played(retold(story, Random(seed), set(InTime)))

    assert _end(heard) == _end(_played(story))


@EACH
@settings(max_examples=3)
@given(seed=SEEDS)
def test_once_all_is_done_it_does_not_matter_when_it_was_heard(story: Story, seed: int) -> None:
    """However late, where nothing is left that is due the state is the told one, down to whose the addresses are."""
    heard, told = _played(retold(story, Random(seed), set(InTime) - PASSING)), _played(story)
    for town in (heard, told):
        town.live_until(story.moments[-1].at + UNTIL_ALL_IS_DONE)
        town.settle()

    assert _end(heard) == _end(told)


@EACH
def test_what_is_said_to_be_needed_in_time_is(story: Story) -> None:
    """For each reason of a story its events, heard late, end it otherwise by some chance: none is spared for nothing.

    What is changed by hand must be there, which needs no proof.
    """
    reasons = {told.in_time for moment in story.moments for told in moment.told} - {None}
    for reason in reasons - {InTime.BY_HAND}:
        late = (retold(story, Random(seed), set(InTime) - {reason}) for seed in range(TRIES))
        assert any(_end(_played(each)) != _end(_played(story)) for each in late), reason
    assert story.late or _has_hands(story) or reasons, "why is it not late?"


@EACH
@settings(max_examples=5)
@given(data=st.data())
def test_what_is_done_is_undone(story: Story, data: st.DataObject) -> None:
    """Field by field all is as if nothing had been done, the password apart, and so it stays to the story's end."""
    turn = data.draw(st.integers(0, len(story.moments) - 1), label="after moment")
    town, twin = _played(story, turn), _played(story, turn)
    employed = [each for each in town.citizens.values() if _works_here(town, each)]
    if not employed:
        return
    someone = data.draw(st.sampled_from(employed), label="citizen")
    done, undone = DONE_AND_UNDONE[data.draw(st.sampled_from(sorted(DONE_AND_UNDONE)), label="what")]
    pause = timedelta(hours=data.draw(st.integers(0, 60), label="hours"))
    _do_and_undo(town, someone, done, undone, pause)
    for each in (town, twin):
        each.live_until(max(each.now, twin.now + 2 * pause))
        each.settle()

    assert _everything(town) == _everything(twin)

    to_come = [moment for moment in story.moments[turn + 1 :] if moment.at > town.now]
    if any(
        name in told.document["data"] for moment in to_come for told in moment.told for name in _hidden(told, undone)
    ):
        return
    for moment in to_come:
        town.at(moment)
        twin.at(moment)
    assert _end(town) == _end(twin)


def _hidden(told: Told, undone: tuple[str, ...]) -> tuple[str, ...]:
    """Return the facts of which a quieter source is not heard any more, since HR has stated them."""
    return undone[1:] if told.source != "hr" else ()


def _played(story: Story, last: int | None = None) -> Town:
    town = founded(story)
    for moment in story.moments[: None if last is None else last + 1]:
        town.at(moment)
    if last is not None:
        town.reconcile()  # else whatever is told next would also repair what was changed by hand
    return town


def _hear(town: Town, told: list[Told], data: st.DataObject | None) -> None:
    for each in told:
        town.hear(each)
        if data is not None and data.draw(st.booleans()):
            town.settle()
    town.settle()


def _has_hands(story: Story) -> bool:
    return any(moment.by_hand or moment.reconcile for moment in story.moments)


def _works_here(town: Town, citizen: Citizen) -> bool:
    return citizen.exists and not citizen.stuck and town.decision(citizen).state.phase == "active"


def _do_and_undo(
    town: Town,
    citizen: Citizen,
    done: tuple[str, Mapping[str, Any]],
    undone: tuple[str, ...],
    pause: timedelta,
) -> None:
    facts, held = town.roll.profile(citizen.key).facts, set(citizen.holds)
    what, told = done
    _tell(town, citizen, what, told, pause)
    back, *names = undone
    town.take_back_names(citizen, set(citizen.holds) - held)
    _tell(town, citizen, back, {name: facts.get(name) for name in names}, pause)


def _tell(town: Town, citizen: Citizen, what: str, facts: Mapping[str, Any], pause: timedelta) -> None:
    subject = next(
        subject for (source, subject), key in town.roll.owner.items() if (source, key) == ("hr", citizen.key)
    )
    town.live_until(town.now + timedelta(seconds=1))
    document = {"specversion": "1.0", "source": "urn:example:doubt", "type": f"person.{what}", "subject": subject}
    happens = {"id": f"{town.now:%s}", "time": town.now.isoformat(), "data": facts}
    town.hear(Told("hr", {**document, **happens}))
    town.settle()
    town.live_until(town.now + pause)


def _end(town: Town) -> tuple[str, list[str]]:
    return town.mail(), town.needs()


def _everything(town: Town) -> object:
    """Return all that is at the host and in the ledger, but for what is nothing either way and whether it is sealed.

    What is told at a second falls between two looks of the clock, so a block may be noted a few seconds later for it.
    """
    people = {
        key: replace(
            each,
            observed=replace(each.observed, sealed=False, mailbox=None),
            served=None,
            groups=frozenset(),
            blocked_at=each.blocked_at and each.blocked_at.replace(second=0),
        )
        for key, each in town.citizens.items()
    }
    return _without_nothing(town.state()), people, town.lists


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nothing(each) for name, each in value.items() if each is not None}
    return [_without_nothing(each) for each in value] if isinstance(value, list) else value
