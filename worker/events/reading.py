"""Reading single values of an event: each function takes what JSON held and returns what our values hold.

All of them raise Refused with a reason that names what was expected and never repeats the value, because the reason
is logged and the value may be personal. Text is brought to Unicode's NFC and trimmed; text without any character is
"known to be empty", as null is.
"""

import math
import re
import unicodedata

from worker.events.canonical import EVENT_TYPES, EventType, FactValue
from worker.mail.address import InvalidAddress, address, domain_name

LONGEST_TEXT = 2_000
LONGEST_SHORT_TEXT = 256
LONGEST_LIST = 1_000
_LONGEST_ECHO = 40
_LARGEST_INTEGER = 2**53  # beyond it JSON parsers disagree (RFC 8259, section 6)

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # tab and line ends are allowed
_LINE_CONTROL = re.compile(r"[\t\n\r]")
_MAIL_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ANY_LOCAL_PART = re.compile(r"(?!.{65})[^\s@.,:;<>()\[\]\\\"]+(?:\.[^\s@.,:;<>()\[\]\\\"]+)*")
_JSON_TYPE = re.compile(r"[\w.+-]+/(?:[\w.-]+\+)?json", re.ASCII)


class Refused(ValueError):
    """A value is not what its attribute may hold; the message is the reason."""


def text_of(value: object) -> str:
    """Read any text: without control characters but tabs and line ends, in NFC and trimmed."""
    if not isinstance(value, str):
        raise Refused(f"text is expected, not {kind_of(value)}")
    if _CONTROL.search(value):
        raise Refused("must not hold control characters")
    return unicodedata.normalize("NFC", value).strip()


def identifier(value: object) -> str:
    """Read a key: text of 1 to 256 characters in one line."""
    key = text_of(value)
    if not key:
        raise Refused("must not be empty")
    if _LINE_CONTROL.search(key):
        raise Refused("must not hold control characters")
    return _bounded(key, LONGEST_SHORT_TEXT)


def subject(value: object) -> str:
    """Read the key of a person, which is no e-mail address because those change (`contracts.md` 4)."""
    key = identifier(value)
    if _MAIL_ADDRESS.fullmatch(key):
        raise Refused("must be a stable key of the person, not an e-mail address")
    return key


def specversion(value: object) -> str:
    """Read the version of CloudEvents."""
    if value != "1.0":
        raise Refused('must be "1.0"')
    return "1.0"


def content_type(value: object) -> str | None:
    """Read the media type of the data, which must be JSON where it is given."""
    if value is not None and not _JSON_TYPE.fullmatch(text_of(value).partition(";")[0].strip().lower()):
        raise Refused("must be a JSON media type")
    return None if value is None else text_of(value)


def event_type(value: object) -> EventType:
    """Read one of the nine types. The type of an event is not personal, so an unknown one is repeated, shortened."""
    name = text_of(value)
    if name not in EVENT_TYPES:
        shown = name if len(name) <= _LONGEST_ECHO else f"{name[:_LONGEST_ECHO]}..."
        raise Refused(f"{shown!r} is unknown; the known types are {', '.join(EVENT_TYPES)}")
    return EventType(name)


def line(value: object) -> str | None:
    """Read text that is one line by nature: runs of white space become one space."""
    return None if value is None else _bounded(" ".join(text_of(value).split()), LONGEST_TEXT) or None


def short_line(value: object) -> str | None:
    """Read one line of at most 256 characters, as for keys and names."""
    text = line(value)
    return None if text is None else _bounded(text, LONGEST_SHORT_TEXT)


def work_address(value: object) -> str | None:
    """Read an address of ours, in its checked form (`worker.mail.address`)."""
    text = line(value)
    try:
        return None if text is None else address(text)
    except InvalidAddress:  # its message repeats the address
        raise Refused("a full mail address (local@domain) is expected") from None


def personal_address(value: object) -> str | None:
    """Read somebody's address at any domain, as it was given: there, letter case and other scripts may matter."""
    text = line(value)
    if text is None:
        return None
    local, _, domain = text.rpartition("@")
    try:
        domain_name(domain)
    except InvalidAddress:  # its message repeats the domain
        raise Refused("a full mail address (local@domain) is expected") from None
    if not _ANY_LOCAL_PART.fullmatch(local):
        raise Refused("a full mail address (local@domain) is expected")
    return _bounded(text, LONGEST_SHORT_TEXT)


def country_code(value: object) -> str | None:
    """Read the form of an ISO 3166 alpha-2 code, in capitals; whether the country exists is not checked."""
    text = line(value)
    if text is not None and not (len(text) == 2 and text.isascii() and text.isalpha()):
        raise Refused("an ISO 3166 code of two letters such as DE is expected")
    return None if text is None else text.upper()


def texts(value: object) -> tuple[str, ...] | None:
    """Read a list of short texts; entries without any character are left out."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise Refused(f"a list of texts is expected, not {kind_of(value)}")
    if len(value) > LONGEST_LIST:
        raise Refused(f"a list may have {LONGEST_LIST:,} entries, this one has {len(value):,}")
    return tuple(entry for item in value if (entry := short_line(_member(item))) is not None)


def truth(value: object) -> bool:
    """Read true or false; null is false."""
    if value is not None and not isinstance(value, bool):
        raise Refused(f"true or false is expected, not {kind_of(value)}")
    return bool(value)


def fact(value: object) -> FactValue:
    """Read an attribute we do not know: text, a number, a truth value or a list of texts."""
    match value:
        case str():
            return _bounded(text_of(value), LONGEST_TEXT) or None
        case list():
            return texts(value)
        case None | bool():
            return value
        case int() | float():
            return _number(value)
        case _:
            raise Refused(f"{kind_of(value)} is not accepted; text, a number or a list of texts is")


def kind_of(value: object) -> str:
    """Name the kind of a JSON value for a sentence."""
    match value:
        case None:
            return "null"
        case bool():
            return "a truth value"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


def _bounded(text: str, longest: int) -> str:
    if len(text) > longest:
        raise Refused(f"may have {longest:,} characters, this one has {len(text):,}")
    return text


def _member(item: object) -> str:
    if not isinstance(item, str):
        raise Refused(f"a list of texts is expected, one entry is {kind_of(item)}")
    return item


def _number(value: float) -> float:
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused("a finite number is expected")
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        raise Refused("the number is too large to be exact; send it as text")
    return value
