"""Excerpts of answers that may be stored: without secrets and without personal data from outside the domain."""

import html
import json
import re
from collections.abc import Iterable
from urllib.parse import unquote

EXCERPT_LENGTH = 300
_LOOKED_AT = 8192
_LONGEST = 320
"""Longer than any secret or address: so much before a cut may be the half of one, which nothing recognises."""
REDACTED = "[redacted]"

# JSON, also cut off or escaped into another string, and the key=value forms of error pages. Where a value's end is
# unclear, more is left out.
_PRIVATE_FIELD = re.compile(
    r"""(?P<key>(?>\b(?:password|password_recovery_email|name|autorespond_\w+|footer_\w+)\\?["']?\s*(?:=>|[:=])\s*))
        (?!\[redacted\])(?:\\?"(?:[^"\\]|\\.)*(?:"|$) | '[^']*(?:'|$) | [^\s,;&}\]"']+)""",
    re.VERBOSE | re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"\b(?P<key>Basic\s+)[A-Za-z0-9+/=_-]{4,}", re.IGNORECASE)
# Bounded, or a long run without an @ would take quadratic time.
_ADDRESS = re.compile(r"""[^\s"'<>,;:()\[\]\\@]{1,254}@(?P<domain>[^\s"'<>,;:()\[\]\\@/?&=]+)""")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def excerpt(body: bytes | bytearray, *, domain: str, secrets: Iterable[str] = ()) -> str:
    """Return the beginning of an answer, at most 300 characters, on one line and printable.

    Redacted are the values of private fields, each of ``secrets`` wherever it stands, and every address whose domain
    is not ``domain``. Redacting comes before cutting, so that no half of a secret is left.
    """
    # Twice: unescaping may turn the inside of a value into its end, or show a field that was escaped.
    text = _without_private_fields(body[:_LOOKED_AT].decode("utf-8", "replace"))
    text = unquote(html.unescape(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)))
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in (json.dumps(secret, ensure_ascii=False)[1:-1], secret):
            text = text.replace(form, REDACTED)
    text = _without_private_fields(text)
    text = _CREDENTIALS.sub(rf"\g<key>{REDACTED}", text)
    text = _ADDRESS.sub(lambda match: match[0] if match["domain"].rstrip(".").lower() == domain else REDACTED, text)
    if len(body) > _LOOKED_AT:
        text = text[:-_LONGEST]
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:EXCERPT_LENGTH]


def _without_private_fields(text: str) -> str:
    return _PRIVATE_FIELD.sub(rf"\g<key>{REDACTED}", text)
