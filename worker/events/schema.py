"""The schema of the canonical event as pydantic models: which attribute is read how (`contracts.md` section 4).

The models stand at the rim; past ``parsing`` only the values of ``canonical`` are known.
"""
# ruff: noqa: N815 - the fields bear the names of the wire, which are SCIM's

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from worker.events import reading, times
from worker.events.canonical import EventType, FactValue

MOST_ATTRIBUTES = 200
_LONGEST_NAME = 100

Line = Annotated[str | None, PlainValidator(reading.line)]
ShortLine = Annotated[str | None, PlainValidator(reading.short_line)]
IsoDate = Annotated[str | None, PlainValidator(times.iso_date)]
Key = Annotated[str, PlainValidator(reading.identifier)]


class Facts(BaseModel):
    """The attributes of ``data``; those we do not know are kept as facts too."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Annotated[FactValue, PlainValidator(reading.fact)]] = Field(init=False)

    givenName: ShortLine = None
    familyName: ShortLine = None
    middleName: ShortLine = None
    displayName: ShortLine = None
    nickName: ShortLine = None
    title: Line = None
    department: Line = None
    division: Line = None
    costCenter: Line = None
    organization: Line = None
    employeeNumber: ShortLine = None
    manager: ShortLine = None
    userType: Line = None
    timezone: Annotated[str | None, PlainValidator(times.zone_name)] = None
    locale: ShortLine = None
    workEmail: Annotated[str | None, PlainValidator(reading.work_address)] = None
    personalEmail: Annotated[str | None, PlainValidator(reading.personal_address)] = None
    location: Line = None
    country: Annotated[str | None, PlainValidator(reading.country_code)] = None
    hireDate: IsoDate = None
    lastWorkingDay: IsoDate = None
    leftAt: Annotated[str | None, PlainValidator(times.instant_text)] = None
    groups: Annotated[tuple[str, ...] | None, PlainValidator(reading.texts)] = None
    immediate: Annotated[bool, PlainValidator(reading.truth)] = False


FACTS = frozenset(Facts.model_fields) - {"immediate"}
"""The names of the facts that the canonical event knows; others are kept as they are called."""


def _attributes(value: object) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise reading.Refused(f"an object is expected, not {reading.kind_of(value)}")
    if len(value) > MOST_ATTRIBUTES:
        raise reading.Refused(f"may have {MOST_ATTRIBUTES} attributes, this one has {len(value):,}")
    if not all(name.isprintable() and 0 < len(name) <= _LONGEST_NAME for name in value):
        raise reading.Refused(f"names of attributes are 1 to {_LONGEST_NAME} printable characters")
    return value


def _no_binary(_: object) -> None:
    raise reading.Refused("binary data is not accepted; send a JSON object as data")


class Envelope(BaseModel):
    """A CloudEvents 1.0 object; extension attributes are ignored, as CloudEvents asks for."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    specversion: Annotated[str, PlainValidator(reading.specversion)]
    id: Key
    source: Key
    type: Annotated[EventType, PlainValidator(reading.event_type)]
    subject: Annotated[str, PlainValidator(reading.subject)]
    time: Annotated[datetime, PlainValidator(times.instant)]
    datacontenttype: Annotated[str | None, PlainValidator(reading.content_type)] = None
    data_base64: Annotated[None, PlainValidator(_no_binary)] = None
    data: Annotated[Facts, BeforeValidator(_attributes)] = Facts()
