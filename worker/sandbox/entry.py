"""One object as the API shows it, and a list of them. Most calls only show, so their JSON is written once and kept.

Entries are never changed, only replaced: a copy of the world may share them, and their JSON stays true.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from worker.sandbox.wire import Fields, Json, dump

Times = Mapping[str, datetime | None]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An object: its plain fields as shown, its times as instants (UTC), and other objects shown inside it by key.

    Passwords are checked and dropped; nothing here ever holds one.
    """

    fields: Fields
    times: Times = field(default_factory=dict)
    children: Mapping[str, Mapping[str, "Entry"]] = field(default_factory=dict)
    _kept: dict[date, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The JSON of the last day it was shown on: a time of today is displayed differently tomorrow."""

    def shown(self, today: date) -> Fields:
        """Return the object as the API shows it on that day, children inside."""
        return {
            **self.fields,
            **{name: shown_time(at, today) for name, at in self.times.items()},
            **{name: [child.shown(today) for child in those.values()] for name, those in self.children.items()},
        }

    def json(self, today: date) -> bytes:
        """Return the same as JSON."""
        kept = self._kept.get(today)
        if kept is None:
            kept = dump(self.shown(today))
            self._kept.clear()
            self._kept[today] = kept
        return kept

    def changed(self, fields: Fields, **times: datetime | None) -> "Entry":
        """Return the object with some fields and times replaced."""
        return replace(self, fields={**self.fields, **fields}, times={**self.times, **times})

    def with_child(self, kind: str, key: str, child: "Entry") -> "Entry":
        """Return the object with a child added or replaced."""
        return replace(self, children={**self.children, kind: {**self.children[kind], key: child}})

    def without_child(self, kind: str, key: str) -> "Entry":
        """Return the object without one of its children."""
        rest = {other: child for other, child in self.children[kind].items() if other != key}
        return replace(self, children={**self.children, kind: rest})


class Listing:
    """The JSON of a list, kept for as long as the entries in it are the same: joining a thousand takes its time."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._of: tuple[date, list[Entry]] | None = None
        self._kept = b""

    def json(self, entries: list[Entry], today: date) -> bytes:
        """Return the list under its key. Entries that did not change are the same objects, so comparing is cheap."""
        if self._of != (today, entries):
            self._of = today, entries
            self._kept = b'{"%b":[%b]}' % (self._key, b",".join([entry.json(today) for entry in entries]))
        return self._kept


def shown_time(at: datetime | None, today: date) -> Json:
    """Return an instant as Migadu displays it: HH:MM (UTC) today, dd/mm/yy before (`migadu-behaviour.md` 1.3)."""
    if at is None:
        return None
    return at.strftime("%H:%M" if at.date() == today else "%d/%m/%y")
