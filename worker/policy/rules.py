"""Rules over stated facts: who belongs to a group, whose domain it is, for whom a field differs.

One form for all of them: ``{ department = ["Eng*", "R&D"], not = { userType = "contractor" } }``.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator

from worker.events.canonical import FactValue

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Glob:
    """A text with ``*`` for any characters and ``?`` for one; nothing else is special, and case counts."""

    text: str
    _pattern: re.Pattern[str] = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.text

    def matches(self, stated: FactValue) -> bool:
        """Tell whether a fact is a text of this form."""
        return isinstance(stated, str) and self._pattern.match(stated) is not None


def _value(value: object) -> Scalar | Glob:
    match value:
        case str() if not value.strip():
            raise ValueError('blank text matches nobody; for a fact that is empty, write not = { fact = "*" }')
        case float() if math.isnan(value):
            raise ValueError("nan matches nobody, for it equals nothing")
        case str() if "*" in value or "?" in value:
            return Glob(value, re.compile(translate(value.replace("[", "[[]"))))
        case str() | int() | float():
            return value
        case Glob():
            return value
        case _:
            raise ValueError("must be text, a number, or true or false")


def _as_list(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


_Value = Annotated[
    Scalar | Glob,
    PlainValidator(_value, json_schema_input_type=Scalar),
    PlainSerializer(lambda value: str(value) if isinstance(value, Glob) else value),
]
_Values = Annotated[
    tuple[_Value, ...],
    Field(min_length=1),
    BeforeValidator(_as_list, json_schema_input_type=Scalar | list[Scalar]),
]


class Rule(BaseModel):
    """Fact to value or list of values; texts may have `*` and `?`. All must match; `{}` matches everyone."""

    model_config = ConfigDict(frozen=True, extra="allow", arbitrary_types_allowed=True)
    __pydantic_extra__: dict[str, _Values] = Field(init=False)

    any: tuple["Rule", ...] | None = Field(None, min_length=1, description="Rules of which one must match.")
    all: tuple["Rule", ...] | None = Field(None, min_length=1, description="Rules that must all match.")
    not_: "Rule | None" = Field(None, alias="not", description="A rule that must not match.")

    @property
    def facts(self) -> Mapping[str, tuple[Scalar | Glob, ...]]:
        """The facts it names itself, with the values of which each must have one."""
        return self.__pydantic_extra__

    @property
    def names(self) -> frozenset[str]:
        """The facts it depends on, whether it names them itself or deeper within."""
        return frozenset(self.facts).union(*(inner.names for inner in self.inner))

    @property
    def is_everyone(self) -> bool:
        """It names nothing, so it matches whoever it is."""
        return not self.facts and not self.inner

    @property
    def inner(self) -> tuple["Rule", ...]:
        """The rules directly within it."""
        return (*(self.any or ()), *(self.all or ()), *((self.not_,) if self.not_ is not None else ()))

    def matches(self, facts: Mapping[str, FactValue]) -> bool:
        """Tell whether these facts satisfy the rule.

        A fact that is a list does if one of its entries does; one that is empty or unknown never does.
        """
        return (
            all(_has_one(facts.get(name), values) for name, values in self.facts.items())
            and (self.any is None or any(rule.matches(facts) for rule in self.any))
            and (self.all is None or all(rule.matches(facts) for rule in self.all))
            and (self.not_ is None or not self.not_.matches(facts))
        )

    def contradictions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield where a rule excludes everyone whom it asks for, and why, so that it can match nobody."""
        if self.not_ is not None and self.implies(self.not_):
            yield ("not",), "excludes everyone whom the rest of the rule asks for, so the rule matches nobody"
        for word, rules in (("any", self.any), ("all", self.all)):
            for index, rule in enumerate(rules or ()):
                yield from (((word, index, *path), reason) for path, reason in rule.contradictions())
        if self.not_ is not None:
            yield from ((("not", *path), reason) for path, reason in self.not_.contradictions())

    def implies(self, other: "Rule") -> bool:
        """Tell whether whoever has the facts that are named here surely matches another rule of facts alone."""
        if other.inner:
            return False
        return all(
            name in self.facts and all(any(_covers(theirs, ours) for theirs in values) for ours in self.facts[name])
            for name, values in other.facts.items()
        )


def _has_one(stated: FactValue, values: tuple[Scalar | Glob, ...]) -> bool:
    entries = stated if isinstance(stated, tuple) else (stated,)
    return any(_matches(entry, value) for entry in entries for value in values)


def _matches(stated: FactValue, value: Scalar | Glob) -> bool:
    if isinstance(value, Glob):
        return value.matches(stated)
    # True equals 1 in Python; on a roster they are different things.
    return stated == value and isinstance(stated, bool) == isinstance(value, bool)


def _covers(wide: Scalar | Glob, narrow: Scalar | Glob) -> bool:
    return wide == narrow if isinstance(narrow, Glob) else _matches(narrow, wide)
