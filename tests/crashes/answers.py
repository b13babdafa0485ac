"""Answers that get lost: one call of a scenario is applied by the host, and what it says of it never arrives whole."""

from itertools import count
from typing import Any

import httpx

from tests.integration.office import Office

LOSSES = ("drop-after-apply", "500-after-apply", "504-after-apply")
"""The faults of the sandbox (`contracts.md` 7) after which nobody has told us what the host did."""


def calls_counted(office: Office) -> list[str]:
    """Return a list that grows by each call that is sent from now on."""
    sent: list[str] = []
    office.clients.client().event_hooks = {"request": [lambda request: sent.append(request.method)]}
    return sent


def lose_answer(office: Office, number: int, loss: str) -> None:
    """Have the answer to one call be lost, counted from 0 on."""
    numbers = count()

    def spoil(_: httpx.Request) -> Any:
        if next(numbers) == number:
            office.fail({"match": {}, "times": 1, "fault": loss})

    office.clients.client().event_hooks = {"request": [spoil]}
