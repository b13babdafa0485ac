"""What 100,000 people cost the pure rooms: from their records to what each should have, and to the plan for it.

Each size runs in a process of its own, so that its memory is its own. The floor is reading the same people's events as
JSON, which no deployment can do without; growth compares the time per person at the largest and the smallest size.
Seconds are the processor's, whatever else runs.
"""

import json
import multiprocessing
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from worker.events import parse_event
from worker.mail import Address, Mailbox
from worker.planning import ObservedPerson, plan_person
from worker.policy import Manager, PersonView, Policy, candidates, desired, load_policy
from worker.roster import Person, Record, fold, profile

SIZES = (1_000, 10_000, 100_000)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney")
PRECEDENCE = {"hr": 10}
POLICY = """
[organisation]
domain = "example.org"

[mailbox]
may_send = true
footer_active = true
footer_plain_body = "{displayName}, {department}"

[[overrides]]
people = { userType = "Intern" }
mailbox = { may_send = false }

[leaving]
fallback = "hr"
autoreply = { subject = "{displayName} has left", body = "Please write to {manager.address}." }

[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups", "autoreply", "forward-to-manager"]

[[leaving.stages]]
after = "30d"
do = ["delete-mailbox", "alias-to-manager"]

[[leaving.stages]]
after = "120d"
do = ["release-address"]
""" + "".join(
    f'[[groups]]\naddress = "team{number}"\nmembers = {{ department = "Team {number}*" }}\n' for number in range(20)
)


def measure() -> dict[str, object]:
    """Return people per second, peak memory and growth, for organisations of growing size."""
    measured = [_in_a_process_of_its_own(size) for size in SIZES]
    smallest, largest = measured[0], measured[-1]
    return {
        "sizes": measured,
        "growth_of_time_per_person": round(
            (largest["desired_s"] + largest["plan_s"])
            / largest["people"]
            / ((smallest["desired_s"] + smallest["plan_s"]) / smallest["people"]),
            2,
        ),
    }


def _in_a_process_of_its_own(size: int) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measured, (size,))


def _measured(size: int) -> dict[str, Any]:
    policy = load_policy(POLICY)
    before_mb = _peak_mb()
    spent = {"floor": 0.0, "desired": 0.0, "plan": 0.0}
    calls = 0
    for body, record in _people(size):
        began = time.process_time()
        json.loads(body)
        read_at = time.process_time()
        view = _view(record, policy)
        decision = desired(view, policy, NOW)
        decided_at = time.process_time()
        calls += plan_person(decision.state.mailbox, _observed(view)).cost
        ended_at = time.process_time()
        spent["floor"] += read_at - began
        spent["desired"] += decided_at - read_at
        spent["plan"] += ended_at - decided_at
    both_s = spent["desired"] + spent["plan"]
    return {
        "people": size,
        "calls_planned": calls,
        "desired_s": round(spent["desired"], 3),
        "plan_s": round(spent["plan"], 3),
        "people_per_s": round(size / both_s),
        "times_the_floor": round(both_s / spent["floor"], 1),
        "grew_by_mb": round(_peak_mb() - before_mb, 1),
    }


def _people(size: int) -> Iterator[tuple[bytes, Record]]:
    """Yield people one by one, as a store reads them page by page: of ten, eight work, one joins, one leaves."""
    for number in range(size):
        subject = f"E{number}"
        facts: dict[str, object] = {
            "givenName": f"Given{number % 997}",
            "familyName": f"Family{number}",
            "displayName": f"Given{number % 997} Family{number}",
            "personalEmail": f"{number}@home.example",
            "department": f"Team {number % 25}",
            "userType": "Intern" if number % 20 == 0 else "Employee",
            "timezone": ZONES[number % len(ZONES)],
            "hireDate": "2026-03-01" if number % 10 == 0 else "2020-01-01",
        }
        told = [_event("joined", subject, NOW - timedelta(days=60), facts)]
        if number % 10 == 1:
            told.append(_event("left", subject, NOW - timedelta(days=20), {"lastWorkingDay": "2026-02-27"}))
        record = Record("hr", subject)
        for document in told:
            event = parse_event(document, now=NOW)
            record = fold(record, event, event.time)
        yield json.dumps(told).encode(), record


def _event(kind: str, subject: str, at: datetime, facts: dict[str, object]) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": f"{subject}-{kind}",
        "source": "urn:example:hr",
        "type": f"person.{kind}",
        "subject": subject,
        "time": at.isoformat(),
        "data": facts,
    }


def _view(record: Record, policy: Policy) -> PersonView:
    known = profile(Person(record.subject, (record,)), PRECEDENCE)
    exists = known.facts["hireDate"] != "2026-03-01"
    manager = Manager(Address("grace.hopper@example.org"), "Grace Hopper")
    address = next(candidates(known.facts, policy))
    received = frozenset({address}) if exists else frozenset[Address]()
    return PersonView(known, address=address, mailbox_exists=exists, received=received, manager=manager)


def _observed(view: PersonView) -> ObservedPerson:
    if not view.mailbox_exists or view.address is None:
        return ObservedPerson(None)
    return ObservedPerson(Mailbox(view.address, str(view.profile.facts["displayName"]), {"may_send": True}))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
