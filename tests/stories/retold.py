"""A story as it might have been heard: late, in any order and more than once, while time goes on.

A story tells when things happened and what must come of them; who passes the word on may be slow. So each of its events
is heard at any later instant, before and after others, and again. Those that the story marks as ``in_time`` are heard
when it tells them, and may be heard again later.
"""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from random import Random

from tests.stories.story import InTime, Moment, Story, Told

_BETWEEN = 4
"""At how many instants something may be heard beside the story's own."""
_AGAIN = 1 / 3


def retold(story: Story, chance: Random, in_time: AbstractSet[InTime]) -> Story:
    """Return the story with its events heard as chance has it, what is marked with these reasons apart.

    Nobody looks but at the end, where all is as it says.
    """
    heard = _heard(story, chance, in_time)
    told_then = {moment.at: moment for moment in story.moments}
    moments = []
    for at in sorted(heard):
        moment = told_then.get(at, Moment(at, (), (), reconcile=False, mail=None, needs=None))
        told = tuple(chance.sample(heard[at], len(heard[at])))
        moments.append(replace(moment, told=told, mail=None, needs=None))
    end = story.moments[-1]
    return replace(story, moments=(*moments[:-1], replace(moments[-1], mail=end.mail, needs=end.needs)))


def _heard(story: Story, chance: Random, in_time: AbstractSet[InTime]) -> dict[datetime, list[Told]]:
    first, last = story.moments[0].at, story.moments[-1].at
    heard: dict[datetime, list[Told]] = {moment.at: [] for moment in story.moments}
    heard |= {first + (last - first) * (chance.randrange(1000) / 1000): [] for _ in range(_BETWEEN)}
    instants = sorted(heard)
    for moment in story.moments:
        for told in moment.told:
            at = moment.at if told.in_time in in_time else chance.choice(instants[instants.index(moment.at) :])
            heard[at].append(told)
            while chance.random() < _AGAIN:
                heard[chance.choice(instants[instants.index(at) :])].append(told)
    return heard
