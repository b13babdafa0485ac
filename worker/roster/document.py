"""A record as a JSON document, which is how it is kept. The form is our own and follows the values of ``record``."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

from worker.roster.record import EmploymentKind, EmploymentStatement, Record, Stated, Version, Withdrawal

if TYPE_CHECKING:
    from worker.events import FactValue

_VersionText = list[str]
"""Time in ISO 8601, source and id."""


class _StatedDocument(TypedDict):
    value: str | float | bool | list[str] | None
    version: _VersionText


class _StatementDocument(TypedDict):
    kind: str
    version: _VersionText
    received_at: str
    hire_date: str | None
    last_working_day: str | None
    left_at: str | None
    immediate: bool


class _WithdrawalDocument(TypedDict):
    fact: str
    version: _VersionText


class _RecordDocument(TypedDict):
    facts: dict[str, _StatedDocument]
    employment: list[_StatementDocument]
    suspended: _StatedDocument | None
    purged: _StatedDocument | None
    withdrawn: NotRequired[list[_WithdrawalDocument]]


def to_document(record: Record) -> dict[str, object]:
    """Return what a record states as JSON values, its own key apart; equal records give equal documents."""
    statements = [_write_statement(statement) for statement in record.employment]
    document: _RecordDocument = {
        "facts": {name: _write_stated(stated) for name, stated in sorted(record.facts.items())},
        "employment": sorted(statements, key=lambda statement: (statement["version"], statement["kind"])),
        "suspended": _write_stated(record.suspended) if record.suspended else None,
        "purged": _write_stated(record.purged) if record.purged else None,
    }
    if record.withdrawn:
        document["withdrawn"] = [
            {"fact": each.fact, "version": _write_version(each.version)} for each in sorted(record.withdrawn)
        ]
    return cast("dict[str, object]", document)


def from_document(source: str, subject: str, document: Mapping[str, object]) -> Record:
    """Return the record of a document that ``to_document`` made. Anything else raises KeyError or ValueError."""
    kept = cast("_RecordDocument", document)
    return Record(
        source=source,
        subject=subject,
        facts={name: _read_stated(stated) for name, stated in kept["facts"].items()},
        employment=frozenset(_read_statement(statement) for statement in kept["employment"]),
        suspended=_read_stated(kept["suspended"]) if kept["suspended"] else None,
        purged=_read_stated(kept["purged"]) if kept["purged"] else None,
        withdrawn=frozenset(
            Withdrawal(each["fact"], _read_version(each["version"])) for each in kept.get("withdrawn", ())
        ),
    )


def _write_stated(stated: Stated) -> _StatedDocument:
    value = list(stated.value) if isinstance(stated.value, tuple) else stated.value
    return {"value": value, "version": _write_version(stated.version)}


def _read_stated(kept: _StatedDocument) -> Stated:
    value: FactValue = tuple(kept["value"]) if isinstance(kept["value"], list) else kept["value"]
    return Stated(value, _read_version(kept["version"]))


def _write_statement(statement: EmploymentStatement) -> _StatementDocument:
    return {
        "kind": statement.kind.value,
        "version": _write_version(statement.version),
        "received_at": statement.received_at.isoformat(),
        "hire_date": statement.hire_date.isoformat() if statement.hire_date else None,
        "last_working_day": statement.last_working_day.isoformat() if statement.last_working_day else None,
        "left_at": statement.left_at.isoformat() if statement.left_at else None,
        "immediate": statement.immediate,
    }


def _read_statement(kept: _StatementDocument) -> EmploymentStatement:
    return EmploymentStatement(
        kind=EmploymentKind(kept["kind"]),
        version=_read_version(kept["version"]),
        received_at=datetime.fromisoformat(kept["received_at"]),
        hire_date=date.fromisoformat(kept["hire_date"]) if kept["hire_date"] else None,
        last_working_day=date.fromisoformat(kept["last_working_day"]) if kept["last_working_day"] else None,
        left_at=datetime.fromisoformat(kept["left_at"]) if kept["left_at"] else None,
        immediate=kept["immediate"],
    )


def _write_version(version: Version) -> _VersionText:
    return [version.time.isoformat(), version.source, version.id]


def _read_version(kept: _VersionText) -> Version:
    time, source, event_id = kept
    return Version(datetime.fromisoformat(time), source, event_id)
