"""The play: a day's events are delivered in their order; the next day begins when all of it has settled."""

from collections.abc import Sequence
from itertools import groupby

import httpx

from worker.cli.demo.delivering import Answer, deliver
from worker.cli.demo.scene import Scene
from worker.cli.demo.settling import settle
from worker.cli.demo.telling import Telling
from worker.cli.demo.week import Delivery


def play(
    scene: Scene, client: httpx.Client, deliveries: Sequence[Delivery], telling: Telling
) -> tuple[list[Answer], bool]:
    """Deliver everything. Returns the answers, and whether every day settled; after one that did not we stop."""
    answers: list[Answer] = []
    last_day = deliveries[-1].day
    for day, of_day in groupby(deliveries, key=lambda delivery: delivery.day):
        telling.day(day, last_day)
        for delivery in of_day:
            answers.append(deliver(scene, client, delivery))
            telling.delivered(answers[-1])
        if not settle(scene.deployment, telling.standing):
            return answers, False
        telling.settled()
    return answers, True
