"""Names of any script to the letters, digits and hyphens of a local part."""

import re
import unicodedata

from anyascii import anyascii

_OUTSIDE = re.compile(r"[^a-z0-9]+")
_APOSTROPHES = re.compile(r"['`]")  # what anyascii makes of typographic ones, soft signs and okinas
# anyascii goes letter by letter; these pairs stand for one sound (ISO 843, as in Greek passports).
_PAIRS = (("ου", "ou"), ("ού", "ou"))  # noqa: RUF001 - Greek letters are meant


def ascii_name(name: str) -> str:
    """Return a name in lower-case ASCII; blanks, hyphens and whatever else separates become single hyphens.

    Apostrophes vanish (O'Brien, Solovyov's soft sign). Empty if nothing in the name can be written so.
    """
    text = unicodedata.normalize("NFC", name.lower())
    for pair, letters in _PAIRS:
        text = text.replace(pair, letters)
    plain = _APOSTROPHES.sub("", anyascii(text).lower())
    return _OUTSIDE.sub("-", plain).strip("-")
