"""The JSON Schema of the policy file, so that editors complete keys and mark mistakes."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from worker.policy.document import Policy
from worker.policy.offset import Offset
from worker.policy.pattern import Pattern
from worker.policy.texts import Text


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of the policy file; its descriptions are those of the fields."""
    return Policy.model_json_schema(schema_generator=_AsWritten)


class _AsWritten(GenerateJsonSchema):
    """Shows defaults as they would be written in the file."""

    def encode_default(self, dft: object) -> object:
        if isinstance(dft, Offset | Pattern | Text):
            return str(dft)
        if isinstance(dft, tuple):
            return [self.encode_default(entry) for entry in dft]
        return super().encode_default(dft)
