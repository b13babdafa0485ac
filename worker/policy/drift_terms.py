"""What is done about a field that somebody else changed at the mail host: the words of the policy's ``[reconcile]``."""

from enum import StrEnum
from typing import get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from worker.mail import WRITABLE_FIELDS


class DriftAction(StrEnum):
    """What is done where the host shows neither what we last wrote nor what is wanted."""

    REPAIR = "repair"
    """What is wanted is written again."""
    REPORT = "report"
    """It is shown and left alone, by every job, until somebody sets it right or the policy says otherwise."""
    ACCEPT = "accept"
    """It is left alone and not shown, until roster or policy want something new for that field."""


OBJECTS = ("mailboxes", "identities", "aliases", "rewrites", "forwardings")
"""Whole objects, which somebody else may have deleted."""

_OF_OTHERS = ("name", "destinations", "local_part_rule", "order_num", "password_use")

RECONCILED_FIELDS = tuple(sorted({*_OF_OTHERS, *OBJECTS, *WRITABLE_FIELDS} - {"password_recovery_email"}))
"""What ``[reconcile] fields`` may name: fields by Migadu's names, and whole objects. A personal address is written once
and then theirs to change, so it is no drift."""


class ReconciledFields:
    """Marks a mapping from fields to what is done about them, so that pydantic checks names and words."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        (_, action) = get_args(source)
        word = handler.generate_schema(action)
        fields = {name: core_schema.typed_dict_field(word, required=False) for name in RECONCILED_FIELDS}
        return core_schema.typed_dict_schema(fields, extra_behavior="forbid")
