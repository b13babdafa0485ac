"""A story as its file tells it: events with times, a policy, and what the mail host holds at several instants."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.stories.mail import seed_of
from worker.events import EventType
from worker.mail import domain_name

FOLDER = Path(__file__).parent / "data"
HOUSE_POLICY = (FOLDER.parent / "house.toml").read_text(encoding="utf-8")
_KEYS = {"story", "teaches", "policy", "exists", "late", "moments"}
_MOMENT_KEYS = {"at", "events", "by_hand", "reconcile", "mail", "needs"}


class InTime(StrEnum):
    """Why something else would come of an event that is heard late: all reasons that there are."""

    MADE = "made"
    """Who is first heard of after their last day gets no mailbox, not a closed one; their stages end in the same."""
    KEPT = "kept"
    """The same where no stage deletes the closed mailbox: it stays, or was never there."""
    COUNTED = "counted"
    """What cannot be undone counts from when its cause is heard of: it is done later, and is the same."""
    NAMED = "named"
    """Addresses go by what is known when they are given, and are kept: by names, homes, and who gave theirs up."""
    BY_HAND = "by hand"
    """Somebody changes at the mail host what must be there by then."""


PASSING = frozenset({InTime.MADE, InTime.COUNTED})
"""Reasons for a state that differs for a while: once all is done that is to come, it is the told one."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event: who tells it, when it happened, and what."""

    source: str
    document: Mapping[str, Any]
    in_time: InTime | None = None
    """Why it must be heard when it is told; None: heard at any later time, it ends in the same."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """What somebody does at the mail host itself, by its API."""

    method: str
    path: str
    """Below ``domains/``, as in ``example.org/mailboxes/ada.lovelace/identities``."""
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant at which something is told, done by hand, or looked at."""

    at: datetime
    """Aware, UTC; the file writes it by the organisation's clock."""
    told: tuple[Told, ...]
    by_hand: tuple[ByHand, ...]
    """Done before anything is told."""
    reconcile: bool
    """An operator has the drift repaired then, once what was told is done."""
    mail: str | None
    """What the mail host holds once all is done; None: nobody looks."""
    needs: tuple[str, ...] | None
    """Of each job that needs a person then, a part of its reason; None: nobody looks."""


@dataclass(frozen=True, slots=True)
class Story:
    """A file of ``data``."""

    name: str
    title: str
    policy: str
    domains: tuple[str, ...]
    """The mail domains that its policy names."""
    seed: Mapping[str, Any]
    """What the mail host holds before it begins, as a seed of the sandbox (`contracts.md` 7)."""
    late: bool
    """Heard of at its end, all at once and in any order, it ends in the same."""
    moments: tuple[Moment, ...]


def stories() -> list[Story]:
    """Return all stories, by name."""
    return [read_story(path) for path in sorted(FOLDER.glob("*.toml"))]


def read_story(path: Path) -> Story:
    """Read one file; raises ValueError for a key that no story has, or instants that go backwards."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    _refuse_unknown(path, document, _KEYS)
    policy = HOUSE_POLICY + document.get("policy", "")
    if "[organisation]" in document.get("policy", ""):
        policy = document["policy"]
    read = tomllib.loads(policy)
    zone = ZoneInfo(read["organisation"].get("timezone", "UTC"))
    named = (read["organisation"]["domain"], *(each["name"] for each in read.get("domains", ())))
    domains = tuple(map(domain_name, named))
    moments = tuple(_moments(path, document["moments"], zone))
    if any(later.at <= earlier.at for earlier, later in pairwise(moments)):
        raise ValueError(f"{path.name}: its moments are not in the order of time")
    seed = seed_of(document.get("exists", ""), domains)
    return Story(path.stem, document["story"], policy, domains, seed, document.get("late", False), moments)


def _moments(path: Path, told: list[dict[str, Any]], zone: ZoneInfo) -> Iterator[Moment]:
    number = 0
    for moment in told:
        _refuse_unknown(path, moment, _MOMENT_KEYS)
        at = instant(moment["at"], zone)
        events = []
        for one in moment.get("events", []):
            number += 1
            events.append(_told(one, number, at, zone))
        mail = moment.get("mail")
        needs = moment.get("needs")
        lines = None if mail is None else "".join(f"{line.rstrip()}\n" for line in mail.strip("\n").splitlines())
        by_hand = tuple(
            ByHand(each["method"], each["path"], each.get("body", {})) for each in moment.get("by_hand", [])
        )
        seen = None if needs is None else tuple(needs)
        yield Moment(at, tuple(events), by_hand, moment.get("reconcile", False), lines, seen)


def _told(one: dict[str, Any], number: int, at: datetime, zone: ZoneInfo) -> Told:
    facts = dict(one)
    what, who = facts.pop("what"), facts.pop("who")
    source, happened, empty = facts.pop("told_by", "hr"), facts.pop("happened", None), facts.pop("empty", [])
    in_time = facts.pop("in_time", None)
    document = {
        "specversion": "1.0",
        "id": f"{number:04}",
        "source": "urn:example:story",
        "type": str(EventType(f"person.{what.replace(' ', '_')}")),
        "subject": who,
        "time": (instant(happened, zone) if happened else at).isoformat(),
        "data": {**dict.fromkeys(empty), **facts},
    }
    return Told(source, document, InTime(in_time) if in_time else None)


def instant(text: str, zone: ZoneInfo) -> datetime:
    """Return "2026-03-02 09:00" of a clock on the wall as an instant; with an offset it is that."""
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)


def _refuse_unknown(path: Path, table: Mapping[str, object], known: set[str]) -> None:
    unknown = set(table) - known
    if unknown:
        raise ValueError(f"{path.name}: {', '.join(sorted(unknown))} is no key of a story")
