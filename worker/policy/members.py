"""Who belongs to a group: a rule over stated facts."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator

from worker.events.canonical import FactValue

Scalar = str | int | float | bool


def _scalar(value: object) -> Scalar:
    if not isinstance(value, str | int | float):
        raise ValueError("must be text, a number, or true or false")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


_Values = Annotated[
    tuple[Annotated[Scalar, PlainValidator(_scalar, json_schema_input_type=Scalar)], ...],
    Field(min_length=1),
    BeforeValidator(_as_list, json_schema_input_type=Scalar | list[Scalar]),
]

Members = Mapping[str, _Values]
"""By fact: the values of which it must have one."""


def belongs(facts: Mapping[str, FactValue], members: Mapping[str, tuple[Scalar, ...]]) -> bool:
    """Tell whether a person with these facts is a member: every fact named has one of its values.

    A fact that is a list matches if one of its entries does. No rule at all matches everyone.
    """
    return all(_matches(facts.get(name), values) for name, values in members.items())


def _matches(stated: FactValue, values: tuple[Scalar, ...]) -> bool:
    entries = stated if isinstance(stated, tuple) else (stated,)
    return any(_same(entry, value) for entry in entries for value in values)


def _same(stated: FactValue, value: Scalar) -> bool:
    # True equals 1 in Python; on a roster they are different things.
    return stated == value and isinstance(stated, bool) == isinstance(value, bool)
