"""What a signature is over: literal text, the delivery's id and timestamp, and its body, as ``{timestamp}.{body}``."""

import re
from dataclasses import dataclass
from typing import Self

_PART = re.compile(r"\{(\w*)\}|([^{}]+)")
_NAMES = ("id", "timestamp", "body")


@dataclass(frozen=True, slots=True)
class SignedBytes:
    """A template of the signed bytes. Make it with ``parse``."""

    parts: tuple[str | bytes, ...]
    """Names of what is filled in, and literal bytes."""

    @classmethod
    def parse(cls, template: object) -> Self:
        """Read a template, which must hold the body once. Raises ValueError with a clear sentence."""
        if not isinstance(template, str) or len(template) > 200:
            raise ValueError('must be text such as "{timestamp}.{body}"')
        found = list(_PART.finditer(template))
        if "".join(part[0] for part in found) != template:
            raise ValueError("must not hold a lone { or }")
        names = [part[1] for part in found if part[1] is not None]
        if any(name not in _NAMES for name in names):
            raise ValueError("may hold {id}, {timestamp} and {body}, and other text")
        if names.count("body") != 1:
            raise ValueError("must hold {body} once: otherwise anybody could change it")
        return cls(tuple(part[1] if part[2] is None else part[2].encode() for part in found))

    @property
    def has_id(self) -> bool:
        """Tell whether the delivery's id is signed."""
        return "id" in self.parts

    @property
    def has_timestamp(self) -> bool:
        """Tell whether the delivery's timestamp is signed."""
        return "timestamp" in self.parts

    def fill(self, body: bytes, message_id: str | None, timestamp: str | None) -> bytes:
        """Return the signed bytes of a delivery."""
        values = {"body": body, "id": (message_id or "").encode(), "timestamp": (timestamp or "").encode()}
        return b"".join(part if isinstance(part, bytes) else values[part] for part in self.parts)


BODY_ALONE = SignedBytes.parse("{body}")
