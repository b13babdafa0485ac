"""Deliveries as they came, sealed: readable only with the keys of the settings, whoever has the database.

Fernet (AES-128 in CBC mode with HMAC-SHA256) of what came, packed. The first key writes, each of them opens.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr


class Channel(StrEnum):
    """The way in, which says how a body is read."""

    HOOK = "hook"
    API = "api"
    BUS = "bus"


class CannotOpen(ValueError):
    """None of the keys opens this delivery: the one that sealed it is missing from MAILROSTER_RAW_KEY."""

    def __init__(self) -> None:
        """Say so; there is nothing to tell apart."""
        super().__init__(self.__class__.__doc__)


@dataclass(frozen=True, slots=True)
class Raw:
    """A delivery as it came."""

    channel: Channel
    headers: Mapping[str, str]
    """Those that its reading needs; none that authenticates."""
    body: bytes
    subjects: frozenset[str] = frozenset()
    """Of whom it speaks apart from its events."""


class Sealer:
    """Seals and opens deliveries."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        """Take the keys, of which the first one seals. Raises ValueError if one is malformed."""
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - it takes long to import

        self._fernet = MultiFernet([Fernet(key.get_secret_value()) for key in keys])

    def seal(self, raw: Raw) -> str:
        """Return a delivery as text that tells nothing but its size."""
        packed = {"headers": dict(raw.headers), "body": base64.b64encode(raw.body).decode("ascii")}
        return self._fernet.encrypt(zlib.compress(json.dumps(packed).encode())).decode("ascii")

    def open(self, channel: Channel, sealed: str) -> Raw:
        """Return what was sealed. Raises CannotOpen."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - as above

        try:
            packed = json.loads(zlib.decompress(self._fernet.decrypt(sealed)))
        except InvalidToken:
            raise CannotOpen from None
        return Raw(channel, packed["headers"], base64.b64decode(packed["body"]))
