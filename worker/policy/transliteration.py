"""Names of any script to the letters, digits and hyphens of a local part, by the language of whoever bears them."""

import re
import unicodedata
from collections.abc import Mapping

from anyascii import anyascii

_OUTSIDE = re.compile(r"[^a-z0-9]+")
_APOSTROPHES = re.compile(r"['`]")  # what anyascii makes of typographic ones, soft signs and okinas
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_].*)?", re.IGNORECASE | re.DOTALL)
# anyascii goes letter by letter; these pairs stand for one sound (ISO 843, as in Greek passports).
_PAIRS = {"ου": "ou", "ού": "ou"}  # noqa: RUF001 - Greek letters are meant

# German, Danish and Norwegian passports spell these letters out (ICAO Doc 9303-3, section 6 A), as do glibc's locales
# de_DE, da_DK and nb_NO, and long habit. Norway's language council knows the plain letters, too (a, o, a: NS 4129,
# "Æ, ø og å i internasjonal sammenheng", sprakradet.no), and calls neither flawless; one rule for one passport it is.
_GERMAN = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}
_DANISH = {"æ": "ae", "ø": "oe", "å": "aa", "ä": "ae", "ö": "oe"}
# Whoever is not in the table loses the marks: Turkish ü u, ş s, ğ g, ç c and the i without a dot. So, too, Swedish å a,
# ä a, ö o, which is the habit in Swedish domain names although the passports there spell out (M. Dufberg of the Swedish
# registry on ICANN's list latingp, 10 October 2018; Språktidningen, "Å, ä och ö blir allt oftare till a och o"), and
# Finnish, for which glibc's fi_FI has no rule either.
_BY_LANGUAGE: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("de", "gsw", "lb"), _GERMAN),
    **dict.fromkeys(("da", "nb", "nn", "no"), _DANISH),
}
LANGUAGES = ("", "de", "da")
"""One language of each rule; the empty one drops all marks."""


def language_in(locale: str) -> str | None:
    """Return the language of a locale such as ``de-AT`` or ``tr_TR``, lower-case; None if this is no locale."""
    named = _LANGUAGE.fullmatch(locale.strip())
    return named[1].lower() if named else None


def ascii_name(name: str, language: str = "") -> str:
    """Return a name in lower-case ASCII; blanks, hyphens and whatever else separates become single hyphens.

    The language decides what letters with marks become; of one without a rule, the marks are dropped. Apostrophes
    vanish (O'Brien, Solovyov's soft sign). Empty if nothing in the name can be written so.
    """
    text = unicodedata.normalize("NFC", name.lower())
    for written, letters in (*_PAIRS.items(), *_BY_LANGUAGE.get(language, {}).items()):
        text = text.replace(written, letters)
    plain = _APOSTROPHES.sub("", anyascii(text).lower())
    return _OUTSIDE.sub("-", plain).strip("-")
