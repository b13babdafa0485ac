"""How long matching takes: thousands of people with thousands of mailboxes, with the namesakes that a country has."""

import random
import time
from collections.abc import Mapping

from worker.events import FactValue
from worker.mail import Address, Mailbox
from worker.planning.adoption import TAKEN, propose
from worker.planning.likeness import likenesses
from worker.planning.traits import PolicyAddresses
from worker.policy import load_policy

_POLICY = load_policy('[organisation]\ndomain = "example.org"\n')
_SIZES = (1_000, 2_500, 5_000, 10_000)
_SEED = 7


def measure() -> list[dict[str, object]]:
    """Return seconds and matches for growing organisations."""
    return [_measured(size) for size in _SIZES]


def _measured(size: int) -> dict[str, object]:
    people, boxes = _organisation(size)
    began = time.perf_counter()
    addresses = PolicyAddresses(_POLICY)
    traits = [addresses.traits_of(key, facts) for key, facts in enumerate(people)]
    known_at = time.perf_counter()
    found = likenesses(traits, boxes, _POLICY)
    alike_at = time.perf_counter()
    proposals = propose([box.address for box in boxes], found)
    ended_at = time.perf_counter()
    return {
        "people": size,
        "mailboxes": size,
        "traits_s": round(known_at - began, 2),
        "likenesses_s": round(alike_at - known_at, 2),
        "proposals_s": round(ended_at - alike_at, 2),
        "pairs": len(found),
        "matched": sum(each.standing in TAKEN for each in proposals),
    }


def _organisation(size: int) -> tuple[list[Mapping[str, FactValue]], list[Mailbox]]:
    chance = random.Random(_SEED)
    given = [f"Given{chr(97 + number % 26)}{chr(97 + number // 26)}" for number in range(200)]
    family = [f"Family{chr(97 + number % 26)}{chr(97 + number // 26)}" for number in range(600)]
    people: list[Mapping[str, FactValue]] = []
    boxes: list[Mailbox] = []
    used: dict[str, int] = {}
    for number in range(size):
        # Squares make some names common, as they are.
        first = given[int(len(given) * chance.random() ** 2)]
        last = family[int(len(family) * chance.random() ** 2)]
        mail = f"{number}@home.example"
        people.append({"givenName": first, "familyName": last, "personalEmail": mail})
        local = f"{first}.{last}".lower() if chance.random() < 0.9 else f"{first[-1]}{last}{number}".lower()
        used[local] = used.get(local, 0) + 1
        local += str(used[local]) if used[local] > 1 else ""
        recovery = mail if chance.random() < 0.5 else None
        boxes.append(Mailbox(Address(f"{local}@example.org"), f"{first} {last}", {"password_recovery_email": recovery}))
    return people, boxes
