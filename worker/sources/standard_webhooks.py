"""Standard Webhooks 1.0.0, scheme v1: HMAC-SHA256 over id, timestamp and body (`event-sources.md` 2.1).

Our own verifier, because the library raises half a dozen kinds of errors on forged headers and asks the clock itself.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pydantic import SecretStr

from worker.sources.body import BodyInvalid, parse

__all__ = ["TOLERANCE", "BadSignature", "BodyInvalid", "check_secret", "parse", "sign", "verify"]

TOLERANCE = timedelta(minutes=5)
"""How far the sender's timestamp may be from our time, either way."""

_SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with is public
_LENGTHS = range(24, 65)  # bytes of a secret: the specification's
_LONGEST_HEADER = 4096


class BadSignature(Exception):
    """The message does not prove that the source sent it just now. The reason quotes nothing that was sent."""


def verify(body: bytes, headers: Mapping[str, str], secrets: Iterable[SecretStr], now: datetime) -> str:
    """Return the ``webhook-id``, which stays the same across retries, of a message that one of the secrets signed.

    Headers are found whatever their case. Every secret is tried in constant time, so that two may hold during a
    rotation. Raises BadSignature, and nothing else, on everything that is missing, malformed, stale or forged.
    """
    sent = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (_header(sent, f"webhook-{part}") for part in ("id", "timestamp", "signature"))
    _check_time(timestamp, now)
    signed = _signed(message_id, timestamp, body)
    given = [text.encode() for text in signatures.split(" ")]
    matches = [
        hmac.compare_digest(expected, one)
        for expected in [_signature(_key(secret), signed) for secret in secrets]
        for one in given
    ]
    if not any(matches):
        raise BadSignature("no signature matches")
    return message_id


def sign(message_id: str, body: bytes, secret: SecretStr, at: datetime) -> dict[str, str]:
    """Return the three headers a sender adds. Raises BadSignature if the secret is malformed."""
    timestamp = str(int(at.timestamp()))
    signature = _signature(_key(secret), _signed(message_id, timestamp, body))
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature.decode()}


def check_secret(secret: SecretStr) -> None:
    """Raise BadSignature unless the secret is the base64 of 24 to 64 bytes, with or without ``whsec_`` before it."""
    _key(secret)


def _header(sent: Mapping[str, str], name: str) -> str:
    value = sent.get(name)
    if not value:
        raise BadSignature(f"the header {name} is missing")
    if len(value) > _LONGEST_HEADER or not _is_utf8(value):
        raise BadSignature(f"the header {name} is malformed")
    return value


def _is_utf8(text: str) -> bool:
    return not re.search("[\ud800-\udfff]", text)


def _check_time(timestamp: str, now: datetime) -> None:
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise BadSignature("the header webhook-timestamp is malformed")
    late_s = now.timestamp() - int(timestamp)
    if abs(late_s) > TOLERANCE.total_seconds():
        raise BadSignature("the timestamp is too old" if late_s > 0 else "the timestamp is in the future")


def _signed(message_id: str, timestamp: str, body: bytes) -> bytes:
    return b".".join((message_id.encode(), timestamp.encode(), body))


def _signature(key: bytes, signed: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))


def _key(secret: SecretStr) -> bytes:
    text = secret.get_secret_value().removeprefix(_SECRET_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadSignature("a secret of this source is not base64") from None  # the cause may quote it
    if len(key) not in _LENGTHS:
        raise BadSignature("a secret of this source is not 24 to 64 bytes long")
    return key
