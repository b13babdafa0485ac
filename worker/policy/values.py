"""The values of a policy file: how a text of it becomes what it means, or is refused with the reason.

As types of fields they take part in the JSON Schema, in which each is the text that stands in the file.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema

from worker.mail import is_local_part
from worker.mail.address import domain_name
from worker.policy.instants import is_zone
from worker.policy.offset import Offset, parse_offset
from worker.policy.pattern import Pattern, parse_address_pattern, parse_display_pattern
from worker.policy.texts import Text, parse_text
from worker.policy.transliteration import language_in

# An address has 254 characters at most (RFC 5321): 64 before the @, so the domain may have this many.
_LONGEST_DOMAIN = 189


def _domain(text: str) -> str:
    name = domain_name(text)
    if len(name) > _LONGEST_DOMAIN:
        raise ValueError(f"must not have more than {_LONGEST_DOMAIN} characters")
    return name


def _timezone(name: str) -> str:
    if not is_zone(name):
        raise ValueError(f"{name!r} is not a known time zone; write one such as 'Europe/Berlin'")
    return name


def _language(code: str) -> str:
    language = language_in(code)
    if language is None:
        raise ValueError(f"{code!r} is not a language; write its code, such as 'de'")
    return language


_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_SLUG = 50  # what keys of rewrites are kept in holds this and the longest domain


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text) or len(text) > _LONGEST_SLUG:
        raise ValueError(f"must be small letters, digits and single hyphens, {_LONGEST_SLUG} at most")
    return text


def _local_part_rule(text: str) -> str:
    rule = text.strip().lower()
    if not is_local_part(rule.replace("*", "x")):
        raise ValueError(f"{text!r} is not a local part with * for anything, such as 'support-*'")
    return rule


def _some_time(offset: Offset) -> Offset:
    if not offset.length:
        raise ValueError("must be longer than zero")
    return offset


def _some_text(text: Text) -> Text:
    if not text.text.strip():
        raise ValueError("must not be empty")
    return text


DomainName = Annotated[str, AfterValidator(_domain)]
TimezoneName = Annotated[str, AfterValidator(_timezone)]
LanguageCode = Annotated[str, AfterValidator(_language)]
Slug = Annotated[str, AfterValidator(_slug)]
LocalPartRule = Annotated[str, AfterValidator(_local_part_rule)]

_OFFSET_SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[0-9]+[dh]$", "examples": ["30d", "12h"]})
OffsetText = Annotated[Offset, PlainValidator(parse_offset), PlainSerializer(str), _OFFSET_SCHEMA]
Period = Annotated[OffsetText, AfterValidator(_some_time), _OFFSET_SCHEMA]
AddressPattern = Annotated[
    Pattern, PlainValidator(parse_address_pattern), PlainSerializer(str), WithJsonSchema({"type": "string"})
]
DisplayPattern = Annotated[
    Pattern, PlainValidator(parse_display_pattern), PlainSerializer(str), WithJsonSchema({"type": "string"})
]
TextWithVariables = Annotated[
    Text, PlainValidator(parse_text), PlainSerializer(str), WithJsonSchema({"type": "string"})
]
SomeText = Annotated[TextWithVariables, AfterValidator(_some_text)]
