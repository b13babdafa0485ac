"""From a secret as a vendor shows it to the key that checks signatures."""

import base64
import binascii
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import SecretStr

_SHARED = "whsec_"
_PUBLIC = "whpk_"
_WEBHOOK_LENGTHS = range(24, 65)  # bytes of a secret: the specification's
_PUBLIC_LENGTH = 32


class SecretForm(StrEnum):
    """How the bytes of a key are written."""

    TEXT = "text"
    """The text itself, in UTF-8."""
    BASE64 = "base64"
    HEX = "hex"
    WEBHOOK = "webhook"
    """Standard Webhooks': ``whsec_`` and the base64 of 24 to 64 bytes, or ``whpk_`` and that of a public key."""


_FORMS = {
    SecretForm.TEXT: "a text",
    SecretForm.BASE64: "base64",
    SecretForm.HEX: "hexadecimal digits",
    SecretForm.WEBHOOK: "whsec_ and the base64 of 24 to 64 bytes, or whpk_ and the base64 of a public key",
}


class SecretUnfit(ValueError):
    """A secret is not one of its kind. The reason says what is expected and never quotes the secret."""


def key_of(form: SecretForm, secret: SecretStr) -> bytes:
    """Return the key of an HMAC. Raises SecretUnfit."""
    text = secret.get_secret_value()
    key = _decoded(form, text.removeprefix(_SHARED) if form is SecretForm.WEBHOOK else text)
    if not key or (form is SecretForm.WEBHOOK and len(key) not in _WEBHOOK_LENGTHS):
        raise SecretUnfit(f"a secret of this source must be {_FORMS[form]}")
    return key


def public_key_of(secret: SecretStr) -> Ed25519PublicKey | None:
    """Return the public key that a secret holds, None where it holds none. Raises SecretUnfit."""
    text = secret.get_secret_value()
    if not text.startswith(_PUBLIC):
        return None
    key = _decoded(SecretForm.BASE64, text.removeprefix(_PUBLIC))
    if len(key) != _PUBLIC_LENGTH:
        raise SecretUnfit("a public key of this source must be whpk_ and the base64 of 32 bytes")
    return Ed25519PublicKey.from_public_bytes(key)


def is_signed_by(key: Ed25519PublicKey, signature: str, signed: bytes) -> bool:
    """Tell whether a base64 ed25519 signature is over the bytes, by the private half of the key."""
    try:
        key.verify(_decoded(SecretForm.BASE64, signature), signed)
    except InvalidSignature:
        return False
    return True


def _decoded(form: SecretForm, text: str) -> bytes:
    """Return the bytes, none where the text is malformed: an error would quote it."""
    try:
        match form:
            case SecretForm.TEXT:
                return text.encode()
            case SecretForm.HEX:
                return binascii.unhexlify(text)
            case SecretForm.BASE64 | SecretForm.WEBHOOK:
                return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
