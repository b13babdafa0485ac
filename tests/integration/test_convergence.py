"""Convergence: many workers and any order end at the mail host where one worker and the right order end."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.office import POLICY, Office
from worker.execution import run_next
from worker.intake import accept, apply_next
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.schema import upgrade

PEOPLE = 12
WORKERS = 6
DEPARTMENTS = ("Engineering", "Support", "Sales")
NO_BRAKES = '[brakes]\nblock = { floor = 99, share = 1.0, per = "24h" }\n'
MINUTE = timedelta(minutes=1)


@pytest.fixture
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Another deployment, with a mail host of its own, where one worker does everything in order."""
    url = f"sqlite:///{tmp_path_factory.mktemp('calm') / 'mailroster.db'}"
    upgrade(url)
    with RunningSandbox() as sandbox, closing(Database(url)) as database, closing(Office(database, sandbox)) as opened:
        yield opened


def test_many_workers_in_any_order_end_where_one_does_in_order(office: Office, calm: Office) -> None:
    """Moves, renames, suspensions, departures and rehires, shuffled and doubled, under six workers at once."""
    names = [f"Given{chr(97 + number)} Family{chr(97 + number)}" for number in range(PEOPLE)]
    for each in (office, calm):
        each.activate(POLICY + NO_BRAKES)
        each.employ(*names, department="Engineering")
        each.move(60 * MINUTE)
    seed = random.randrange(2**32)
    told = _changes(calm, random.Random(seed))

    accept(calm.intake, "hr", told)
    calm.drain()
    _in_a_crowd(office, told, random.Random(seed))

    assert _lasting(office) == _lasting(calm), f"seed {seed}"
    assert office.outstanding() == []


def _lasting(office: Office) -> dict[str, Any]:
    """Return what the host holds, but for identities of people who are shut out.

    Who was renamed before anybody heard of the departure has one more, and keeps it: what was made is not taken away.
    """
    state = office.mail_state()
    for box in state["mailboxes"].values():
        if not box["may_access_imap"]:
            del box["identities"]
    return state


def _changes(office: Office, chance: random.Random) -> list[dict[str, Any]]:
    """Return three changes of each person, a minute apart, and at most one new name."""
    start = office.clock.now() - 30 * MINUTE
    told = []
    for number in range(1, PEOPLE + 1):
        renames = 0
        for turn in range(3):
            kind = chance.choice(("updated", "suspended", "resumed", "left", "joined", "renamed"))
            kind = "updated" if kind == "renamed" and renames else kind
            renames += kind == "renamed"
            facts = {
                "updated": {"department": chance.choice(DEPARTMENTS)},
                "renamed": {"familyName": f"Other{chr(96 + number)}"},
                "joined": {"givenName": f"Given{chr(96 + number)}", "department": chance.choice(DEPARTMENTS)},
            }.get(kind, {})
            told.append(office.event(kind, f"E{number}", time=start + turn * MINUTE, **facts))
    return told


def _in_a_crowd(office: Office, told: list[dict[str, Any]], chance: random.Random) -> None:
    deliveries = [*told, *chance.sample(told, len(told) // 3)]
    chance.shuffle(deliveries)
    delivered = threading.Event()

    def work(number: int) -> None:
        execution = replace(office.execution, worker=f"worker {number}")
        while True:
            last = delivered.is_set()
            if not (apply_next(office.intake) or run_next(execution)) and last:
                return

    with ThreadPoolExecutor(WORKERS) as pool:
        working = [pool.submit(work, number) for number in range(WORKERS)]
        for one in deliveries:
            accept(office.intake, "hr", [one])
        delivered.set()
        for each in working:
            each.result(timeout=120)
    office.work_on(2 * MINUTE)  # what waited a moment for somebody else's lock
