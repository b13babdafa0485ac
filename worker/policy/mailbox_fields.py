"""How the policy's mailbox fields are checked: by Migadu's name, each with the type the host expects."""

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from worker.mail import WRITABLE_FIELDS

_SCHEMAS: dict[type, CoreSchema] = {
    bool: core_schema.bool_schema(strict=True),
    int: core_schema.int_schema(strict=True, ge=0),
    str: core_schema.str_schema(strict=True),
    tuple: core_schema.tuple_variable_schema(core_schema.str_schema(strict=True)),
}


class MailboxFields:
    """Marks a mapping as writable mailbox fields, so that pydantic checks names and types and describes them."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        fields = {
            name: core_schema.typed_dict_field(_SCHEMAS[kind], required=False) for name, kind in WRITABLE_FIELDS.items()
        }
        return core_schema.typed_dict_schema(fields, extra_behavior="forbid")
