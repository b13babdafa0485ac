"""The words of a name, made comparable: whatever their order, their script and what is written around them."""

import re
import unicodedata

from worker.policy.names import Facts, stated_names, text_of
from worker.policy.transliteration import ascii_name

Words = tuple[str, ...]
"""Words in alphabetical order."""

_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")  # "Ada Lovelace (Engineering)"
_BETWEEN = re.compile(r"[\s,;]+")
_TITLES = frozenset({"dr", "prof", "mr", "mrs", "ms", "herr", "frau"})
_AS_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "å": "aa", "ø": "oe", "æ": "ae"})


def words_of(text: str) -> Words:
    """Return the words of a name as they are written, but for case and order."""
    plain = _ASIDE.sub(" ", unicodedata.normalize("NFKC", text)).casefold()
    return tuple(sorted(filter(None, _BETWEEN.split(plain))))


def spellings_of(text: str) -> frozenset[Words]:
    """Return the words of a name in Latin letters, in the ways in which one and the same name is written.

    Umlauts as one letter or as two; titles left out; with and without single letters, which are middle names.
    """
    bare = _ASIDE.sub(" ", unicodedata.normalize("NFKC", text)).lower()
    return frozenset(
        filter(None, (words for each in (bare, bare.translate(_AS_SPELLED_OUT)) for words in _short(each)))
    )


def names_of_person(facts: Facts, display: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return what a person is called in full, and further forms: with the nickname, with the middle name."""
    names = stated_names(facts)
    full = {display, text_of(facts, "displayName"), f"{names.given} {names.family}"}
    more = {f"{names.given} {names.middle} {names.family}", f"{names.nick or names.given} {names.family}"}
    return _written(full), _written(more)


def _short(text: str) -> tuple[Words, Words]:
    words = sorted(word for word in ascii_name(text).split("-") if word and word not in _TITLES)
    spelled_out = [word for word in words if len(word) > 1]
    return tuple(words), tuple(spelled_out if len(spelled_out) > 1 else words)


def _written(names: set[str]) -> frozenset[str]:
    return frozenset(name.strip() for name in names if name.strip())
