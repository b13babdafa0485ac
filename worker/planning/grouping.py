"""Many plans told in few lines: grouped by what is done to which kind of object, and by the field that changes.

So thousands of steps read as "37 mailboxes: may_access_pop3 true -> false".
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from worker.mail import FieldValue, counted
from worker.planning.step import Operation, Step

_MOST_VALUES = 5
"""A field that takes more different values than this in one plan is rather personal than a default."""
_DONE: Final = {
    "create": "made",
    "update": "changed",
    "block": "blocked",
    "suspend": "suspended",
    "reopen": "reopened",
    "delete": "deleted",
    "set": "set",
    "end": "ended",
    "erase": "erased",
    "release": "released",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """The least part of a step that is counted: an operation on an object, of an update one field that it changes."""

    operation: Operation
    target: str
    mailbox: str | None
    of_list: bool
    """The object is a shared address, which is called a list."""
    field: str = ""
    before: FieldValue = None
    after: FieldValue = None

    @property
    def call(self) -> tuple[str, ...]:
        """The call that it is made by: deeds of one update share theirs."""
        return (self.operation, self.target, self.mailbox or "")


@dataclass(frozen=True, slots=True)
class Group:
    """Deeds that differ by their object alone."""

    operation: Operation
    noun: str
    """What it is done to: mailbox, list, identity, ..."""
    count: int
    held: int
    """How many of these would not be made before somebody decides."""
    field: str = ""
    """Of an update, the field that changes."""
    before: FieldValue = None
    after: FieldValue = None
    is_valued: bool = False
    """Whether all have the same ``before`` and ``after``."""

    def __str__(self) -> str:
        held = f" ({self.held} of them held)" if self.held else ""
        objects = counted(self.count, self.noun)
        if not self.field:
            return f"{objects} {_DONE.get(self._verb, self._verb)}{held}"
        values = f" {_written(self.before)} -> {_written(self.after)}" if self.is_valued else " changes"
        return f"{objects}: {self.field}{values}{held}"

    @property
    def _verb(self) -> str:
        return self.operation.value.partition("-")[0]


def deeds_of(steps: Iterable[Step], *, of_list: bool) -> Iterator[Deed]:
    """Yield what the steps of one subject do."""
    for step in steps:
        one = Deed(step.operation, step.target, step.mailbox, of_list)
        if not step.operation.value.startswith("update-"):
            yield one
            continue
        for name in sorted({*step.before, *step.after}):
            before, after = step.before.get(name), step.after.get(name)
            if before != after:
                yield Deed(one.operation, one.target, one.mailbox, of_list, name, before, after)


def grouped(deeds: Mapping[Deed, bool]) -> tuple[Group, ...]:
    """Return the groups of these deeds, the largest first. The mapping says of each whether it would be made now."""
    alike: dict[tuple[Operation, str, str], dict[tuple[FieldValue, FieldValue], Counter[bool]]]
    alike = defaultdict(lambda: defaultdict(Counter))
    for deed, goes in deeds.items():
        alike[deed.operation, _noun(deed), deed.field][deed.before, deed.after][goes] += 1
    found = [
        Group(operation, noun, counted.total(), counted[False], field, *values, is_valued=bool(field) and is_valued)
        for (operation, noun, field), by_values in alike.items()
        for values, counted, is_valued in _by_values(field, by_values)
    ]
    return tuple(sorted(found, key=lambda group: (-group.count, group.operation, group.field, str(group.after))))


def _by_values(
    field: str, by_values: Mapping[tuple[FieldValue, FieldValue], Counter[bool]]
) -> Iterator[tuple[tuple[FieldValue, FieldValue], Counter[bool], bool]]:
    """Yield a line for each pair of values, or one for all where they are many, or a list, or a person's name."""
    is_personal = field in ("name", "destinations") or len(by_values) > _MOST_VALUES
    if is_personal:
        yield (None, None), sum(by_values.values(), Counter()), False
    else:
        yield from ((values, counted, True) for values, counted in by_values.items())


def _noun(deed: Deed) -> str:
    noun = deed.operation.value.partition("-")[2]
    return "list" if deed.of_list and noun == "alias" else noun


def _written(value: FieldValue) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(value) or "nobody"
        case _:
            return repr(value) if value == "" or "\n" in str(value) else str(value)
