"""How the policy's mailbox fields are checked: by Migadu's name, each with the type the host expects."""

import re
from collections.abc import Mapping
from datetime import date

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from worker.mail import WRITABLE_FIELDS, FieldValue
from worker.policy.texts import Text, parse_text

Fields = Mapping[str, FieldValue | Text]
"""Mailbox fields by Migadu's name, as the policy says them: those that people read are texts with variables."""

HTML_FIELDS = frozenset({"footer_html_body"})
"""Texts in which a ``<`` begins a tag."""

TEXT_FIELDS = HTML_FIELDS | {"footer_plain_body", "autorespond_subject", "autorespond_body"}

KNOWN_VALUES: Mapping[str, tuple[str, ...]] = {
    "spam_action": ("none", "subject", "folder", "drop"),
    "spam_aggressiveness": (
        "most_permissive",
        "more_permissive",
        "permissive",
        "default",
        "strict",
        "stricter",
        "strictest",
    ),
}
"""What the host is known to take (`migadu-behaviour.md` 1.3). It publishes no list, so others are not refused."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d")

_SCHEMAS: dict[type, CoreSchema] = {
    bool: core_schema.bool_schema(strict=True),
    int: core_schema.int_schema(strict=True, ge=0),
    str: core_schema.str_schema(strict=True),
    tuple: core_schema.tuple_variable_schema(core_schema.str_schema(strict=True)),
}
_TEXT = core_schema.no_info_after_validator_function(
    parse_text, _SCHEMAS[str], serialization=core_schema.to_string_ser_schema()
)


def _day(text: str) -> str:
    try:
        if text:  # nothing ends it
            date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        raise ValueError("must be a day such as '2026-12-31'") from None
    return text


_EXPIRY = core_schema.no_info_after_validator_function(_day, _SCHEMAS[str])


def _schema(name: str, kind: type) -> CoreSchema:
    if name in TEXT_FIELDS:
        return _TEXT
    return _EXPIRY if name.endswith("expires_on") else _SCHEMAS[kind]


class MailboxFields:
    """Marks a mapping as writable mailbox fields, so that pydantic checks names and types and describes them."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        fields = {
            name: core_schema.typed_dict_field(_schema(name, kind), required=False)
            for name, kind in WRITABLE_FIELDS.items()
        }
        return core_schema.typed_dict_schema(fields, extra_behavior="forbid")
