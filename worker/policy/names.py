"""The names of a person, as their facts state them or as a display name lets us guess them."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from worker.events.canonical import FactValue

Facts = Mapping[str, FactValue]


@dataclass(frozen=True, slots=True)
class Names:
    """Names in their own script; empty where there is none."""

    given: str = ""
    family: str = ""
    middle: str = ""
    nick: str = ""

    def values(self) -> dict[str, str]:
        """Return them by the names that patterns use."""
        preferred = self.nick or self.given
        return {"given": self.given, "family": self.family, "middle": self.middle, "preferred": preferred}


def text_of(facts: Facts, attribute: str) -> str:
    """Return a fact that is text, with its white space collapsed; empty if it is unknown, empty or no text."""
    value = facts.get(attribute)
    return " ".join(value.split()) if isinstance(value, str) else ""


def one_line(text: str) -> str:
    """Drop control characters and half surrogates, which no header may hold, and collapse white space."""
    kept = "".join(" " if unicodedata.category(letter) in {"Cc", "Cs"} else letter for letter in text)
    return " ".join(kept.split())


def stated_names(facts: Facts) -> Names:
    """Return the names as they are stated and no more."""
    return Names(*(text_of(facts, name) for name in ("givenName", "familyName", "middleName", "nickName")))


def names_of(facts: Facts) -> Names:
    """Return the stated names; what nobody stated is taken from the display name.

    A name that is known to be empty (``null``) stays empty while there is another one: people with one name have one.
    """
    stated = stated_names(facts)
    if stated.given and stated.family:
        return stated
    given, middle, family = _parts(text_of(facts, "displayName"), stated)
    if not stated.given and not stated.family:
        return Names(given, family, stated.middle or middle, stated.nick)
    if not stated.given and "givenName" not in facts:
        return Names(given, stated.family, stated.middle, stated.nick)
    if not stated.family and "familyName" not in facts:
        return Names(stated.given, family, stated.middle, stated.nick)
    return stated


def _parts(display: str, stated: Names) -> tuple[str, str, str]:
    """Split a display name into given, middle and family name, around the one of them that is stated."""
    if stated.given:
        return stated.given, "", _without(display, stated.given)
    if stated.family:
        return _without(display, stated.family), "", stated.family
    family, comma, given = (part.strip() for part in display.partition(","))
    if comma and family and given:
        return given, "", family
    words = display.split()
    if len(words) < 2:
        return display, "", ""
    return words[0], " ".join(words[1:-1]), words[-1]


def _without(display: str, name: str) -> str:
    """Return what a display name has beside a name at its beginning or end; nothing if it has it at neither."""
    words, known = display.replace(",", " ").split(), name.split()
    if words[: len(known)] == known:
        return " ".join(words[len(known) :])
    if words[-len(known) :] == known:
        return " ".join(words[: -len(known)])
    return ""
