"""Signatures of deliveries: one verifier over presets, which say what is signed, how, and where the headers are.

Our own, because the vendors' libraries raise half a dozen kinds of errors on forged headers and ask the clock
themselves; they are the oracles of the tests instead.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import SecretStr

from worker.sources.delivery import Delivery
from worker.sources.keys import SecretForm, SecretUnfit, is_signed_by, key_of, public_key_of
from worker.sources.signed_bytes import BODY_ALONE, SignedBytes

Algorithm = Literal["sha256", "sha512"]
Encoding = Literal["hex", "base64", "base64url"]
TimestampUnit = Literal["s", "ms", "iso"]

TOLERANCE = timedelta(minutes=5)
"""How far the sender's timestamp may be from our time, either way, where nothing else is said."""

_LONGEST_HEADER = 4096
_MOST_SIGNATURES = 16  # of one delivery; a rotation needs two
_ID = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}")
_DIGITS = {"s": re.compile(r"[0-9]{1,12}"), "ms": re.compile(r"[0-9]{1,15}")}
_LONGEST_INSTANT = 40


class BadSignature(Exception):
    """The delivery does not prove that the source sent it just now. The reason quotes nothing that was sent."""


@dataclass(frozen=True, slots=True)
class Preset:
    """How a sender signs. Names of headers are found whatever their case."""

    header: str
    """Where the signature is, or several of them between ``separator``."""
    algorithm: Algorithm = "sha256"
    """The hash of the HMAC."""
    encoding: Encoding = "hex"
    prefix: str = ""
    """What each signature begins with; parts of the header that do not are passed over."""
    separator: str | None = None
    public_prefix: str | None = None
    """The prefix of ed25519 signatures, for secrets that are public keys (``whpk_``)."""
    signed: SignedBytes = BODY_ALONE
    timestamp_header: str | None = None
    timestamp_prefix: str = ""
    """What the timestamp begins with where it is one part of a header, as in ``t=1774994400, v1=...``."""
    timestamp_unit: TimestampUnit = "s"
    tolerance: timedelta = TOLERANCE
    id_header: str | None = None
    """The header that stays the same across retries."""
    secret: SecretForm = SecretForm.TEXT
    greeting: tuple[str, str] | None = None
    """The header and its value with which the sender tries a hook and tells of nobody."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a delivery that a secret of its source signed says of itself."""

    id: str | None
    """The same across retries; None where the sender sends none."""
    sent_at: datetime | None
    """When this attempt was signed; None where the sender does not tell."""


def verify(preset: Preset, delivery: Delivery, secrets: Iterable[SecretStr]) -> Proof:
    """Return the proof of a delivery that one of the secrets signed, within the tolerance of when it was received.

    Every secret is tried in constant time, so that several may hold during a rotation. Raises BadSignature, and
    nothing else, on everything that is missing, malformed, stale or forged.
    """
    sent = {name.lower(): value for name, value in delivery.headers.items()}
    signatures = _parts(preset, _header(sent, preset.header))
    message_id = _id(preset, sent)
    timestamp = _timestamp(preset, sent)
    sent_at = None if timestamp is None else _instant(preset, timestamp, delivery.received_at)
    signed = preset.signed.fill(delivery.body, message_id, timestamp)
    matches = [_matches(preset, secret, signed, signatures) for secret in secrets]
    if not any(matches):
        raise BadSignature("no signature matches")
    return Proof(message_id, sent_at)


def claim(preset: Preset, delivery: Delivery) -> Proof:
    """Return what a delivery says of itself that was verified when it came. Raises BadSignature where it does not."""
    sent = {name.lower(): value for name, value in delivery.headers.items()}
    timestamp = _timestamp(preset, sent)
    seconds = None if timestamp is None else _seconds(preset.timestamp_unit, timestamp)
    return Proof(_id(preset, sent), None if seconds is None else datetime.fromtimestamp(seconds, UTC))


def sign(
    preset: Preset, body: bytes, secret: SecretStr, at: datetime, message_id: str = "msg_made_here"
) -> dict[str, str]:
    """Return the headers that a sender adds. Raises SecretUnfit if the secret is malformed or only a public key."""
    headers = {preset.id_header: message_id} if preset.id_header else {}
    timestamp = _written(preset.timestamp_unit, at)
    signed = preset.signed.fill(body, message_id, timestamp)
    values = [preset.prefix + _mac(preset, key_of(preset.secret, secret), signed)]
    if preset.timestamp_header and preset.timestamp_header.lower() == preset.header.lower():
        values.insert(0, preset.timestamp_prefix + timestamp)
    elif preset.timestamp_header:
        headers[preset.timestamp_header] = preset.timestamp_prefix + timestamp
    return headers | {preset.header: (preset.separator or "").join(values)}


def check_secret(preset: Preset, secret: SecretStr) -> None:
    """Raise SecretUnfit unless signatures of this preset can be checked with the secret."""
    if preset.public_prefix is None or public_key_of(secret) is None:
        key_of(preset.secret, secret)


def _header(sent: Mapping[str, str], name: str, longest: int = _LONGEST_HEADER) -> str:
    value = sent.get(name.lower())
    if not value:
        raise BadSignature(f"the header {name} is missing")
    if len(value) > longest or not value.isascii():
        raise BadSignature(f"the header {name} is malformed")
    return value


def _parts(preset: Preset, header: str) -> list[str]:
    parts = header.split(preset.separator) if preset.separator else [header]
    if len(parts) > _MOST_SIGNATURES:
        raise BadSignature(f"the header {preset.header} is malformed")
    return [part.strip() for part in parts]


def _id(preset: Preset, sent: Mapping[str, str]) -> str | None:
    if preset.id_header is None or (not preset.signed.has_id and preset.id_header.lower() not in sent):
        return None
    message_id = _header(sent, preset.id_header)
    if not _ID.fullmatch(message_id):
        raise BadSignature(f"the header {preset.id_header} is malformed")
    return message_id


def _timestamp(preset: Preset, sent: Mapping[str, str]) -> str | None:
    if preset.timestamp_header is None:
        return None
    header = _header(sent, preset.timestamp_header)
    parts = _parts(preset, header) if preset.timestamp_prefix else [header]
    found = [part for part in parts if part.startswith(preset.timestamp_prefix)]
    if not found:
        raise BadSignature(f"the header {preset.timestamp_header} is malformed")
    return found[0].removeprefix(preset.timestamp_prefix)


def _instant(preset: Preset, timestamp: str, now: datetime) -> datetime:
    seconds = _seconds(preset.timestamp_unit, timestamp)
    if seconds is None:
        raise BadSignature(f"the header {preset.timestamp_header} is malformed")
    late_s = now.timestamp() - seconds
    if abs(late_s) > preset.tolerance.total_seconds():
        raise BadSignature("the timestamp is too old" if late_s > 0 else "the timestamp is in the future")
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(unit: TimestampUnit, timestamp: str) -> float | None:
    if unit != "iso":
        return int(timestamp) / (1000 if unit == "ms" else 1) if _DIGITS[unit].fullmatch(timestamp) else None
    try:
        instant = datetime.fromisoformat(timestamp[:_LONGEST_INSTANT])
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _written(unit: TimestampUnit, at: datetime) -> str:
    match unit:
        case "s":
            return str(int(at.timestamp()))
        case "ms":
            return str(int(at.timestamp() * 1000))
        case "iso":
            return at.isoformat()


def _matches(preset: Preset, secret: SecretStr, signed: bytes, signatures: Sequence[str]) -> bool:
    try:
        public = public_key_of(secret) if preset.public_prefix else None
        if preset.public_prefix and public is not None:
            given = _with_prefix(signatures, preset.public_prefix)
            return any(is_signed_by(public, signature, signed) for signature in given)  # nothing here is secret
        expected = _comparable(preset.encoding, _mac(preset, key_of(preset.secret, secret), signed))
    except SecretUnfit as error:
        raise BadSignature(str(error)) from None
    given = _with_prefix(signatures, preset.prefix)
    # All of them, so that how long it takes does not tell which one matched.
    matches = [hmac.compare_digest(expected, _comparable(preset.encoding, signature)) for signature in given]
    return any(matches)


def _with_prefix(signatures: Sequence[str], prefix: str) -> list[str]:
    return [signature.removeprefix(prefix) for signature in signatures if signature.startswith(prefix)]


def _comparable(encoding: Encoding, signature: str) -> bytes:
    """Return a signature so that equal ones are equal: hex in small letters, base64 without padding."""
    return (signature.lower() if encoding == "hex" else signature.rstrip("=")).encode()


def _mac(preset: Preset, key: bytes, signed: bytes) -> str:
    digest = hmac.digest(key, signed, preset.algorithm)
    match preset.encoding:
        case "hex":
            return binascii.hexlify(digest).decode()
        case "base64":
            return base64.b64encode(digest).decode()
        case "base64url":
            return base64.urlsafe_b64encode(digest).decode()
