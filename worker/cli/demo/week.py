"""What is delivered: the sample week, whose times are filled in from the clock, or the events of a file."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

from worker.cli.documents import read_events

_DATE = re.compile(r"\{today([+-]\d{1,5})d\}")
_AGO = re.compile(r"(\d{1,3})([dh])")
_HOURS = {"d": 24, "h": 1}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request to the intake: a body and how it is sent."""

    name: str
    """The event's own id, or its number in the file: for sentences, and as the message's id, which retries keep."""
    body: bytes
    day: int = 1
    """Deliveries of a day are sent in order; the next day begins when all of this one is done."""
    note: str | None = None
    """What happened, in words."""
    forged: bool = False
    """It is signed with a secret that is not the source's."""
    repeated: bool = False
    """The same was delivered before."""


def sample_week(now: datetime) -> tuple[Delivery, ...]:
    """Return the sample week as if it ended at ``now`` (aware, UTC)."""
    text = files("worker.cli.demo").joinpath("week.ndjson").read_text(encoding="utf-8")
    sent: dict[str, Delivery] = {}
    week = []
    for line in map(json.loads, text.splitlines()):
        delivery = _again(sent[line["again"]], line) if "again" in line else _delivery(line, now)
        sent[delivery.name] = delivery
        week.append(delivery)
    return tuple(week)


def events_of(path: Path) -> tuple[Delivery, ...]:
    """Return the canonical events of a file, in any form that `submit` reads, each as a delivery of its own.

    What the events say is not checked: that is the intake's business. Raises Failed with file and line, OSError.
    """
    read = enumerate(read_events(str(path)), start=1)
    return tuple(Delivery(f"event {number}", json.dumps(one).encode()) for number, one in read)


def _again(before: Delivery, line: Mapping[str, object]) -> Delivery:
    return replace(before, day=_day(line), note=_note(line), repeated=True)


def _delivery(line: Mapping[str, object], now: datetime) -> Delivery:
    event = {
        "specversion": "1.0",
        "id": line["id"],
        "source": "urn:example:hr",
        "type": line["type"],
        "subject": line["subject"],
        "time": (now - _ago(str(line["ago"]))).isoformat(timespec="seconds"),
        "data": line["data"],
    }
    body = _dated(json.dumps(event, ensure_ascii=False), now).encode()
    return Delivery(str(line["id"]), body, _day(line), _note(line), forged=line.get("forged") is True)


def _dated(text: str, now: datetime) -> str:
    return _DATE.sub(lambda found: (now.date() + timedelta(days=int(found[1]))).isoformat(), text)


def _ago(text: str) -> timedelta:
    match = _AGO.fullmatch(text)
    assert match is not None, f"{text!r} is neither days (6d) nor hours (1h)"
    return timedelta(hours=int(match[1]) * _HOURS[match[2]])


def _day(line: Mapping[str, object]) -> int:
    day = line["day"]
    assert isinstance(day, int)
    return day


def _note(line: Mapping[str, object]) -> str | None:
    note = line.get("note")
    return note if isinstance(note, str) else None
