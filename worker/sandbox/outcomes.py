"""Answers that come instead of the host's own: what its proxy, its plan and its accidents look like.

The pages are HAProxy's own words, which tell them from what the host says (`migadu-behaviour.md` 2.6 to 2.10).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from worker.sandbox.messages import HTML, JSON, TEXT, Answer
from worker.sandbox.wire import Fields, dump


class BodyKind(StrEnum):
    """What the body of a 5xx may be; clients have met all of them (`migadu-behaviour.md` 2.6)."""

    ERROR = "error"
    STRING = "string"
    TEXT = "text"
    HTML = "html"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ends instead of with the host's answer."""

    answer: Answer | None
    """None: the connection is closed without one."""
    is_applied: bool = False
    """Whether the world has changed nevertheless."""


_PAGES: Mapping[int, tuple[str, str]] = {
    403: ("403 Forbidden", "Request forbidden by administrative rules."),
    500: ("500 Internal Server Error", "An internal server error occurred."),
    502: ("502 Bad Gateway", "The server returned an invalid or incomplete response."),
    503: ("503 Service Unavailable", "No server is available to handle this request."),
    504: ("504 Gateway Time-out", "The server didn't respond in time."),
}

_CHALLENGE = (b"www-authenticate", b'Basic realm="Migadu"')
"""Every 401 names its scheme (RFC 9110, 15.5.2); Migadu's realm is not known."""

UNAUTHORIZED = Answer(401, dump({"error": "The token is invalid or expired."}), headers=(_CHALLENGE,))
PLAN_LIMIT = Answer(403, dump({"error": "mailbox limit reached for unverified accounts, please contact support!"}))
TOO_LARGE = Answer(413, dump({"error": "payload too large"}))


def page(status: int) -> Answer:
    """Return the proxy's page for a status."""
    title, sentence = _PAGES[status]
    return Answer(status, f"<html><body><h1>{title}</h1>\n{sentence}\n</body></html>\n".encode(), HTML)


THROTTLED = page(403)


def outcome_of(fault: str, options: Fields) -> Outcome | None:
    """Return what a fault replaces the answer with, None if it leaves the answer to the host."""
    match fault.partition("-"):
        case "drop", _, when:
            return Outcome(None, when == "after-apply")
        case "500" | "502" | "503" | "504" as status, _, when:
            return Outcome(_broken(int(status), options), when == "after-apply")
        case "429", _, _:
            return Outcome(Answer(429, dump({"error": "too many requests"}), headers=_retry_after(options)))
    return {
        "poison": Outcome(_broken(500, options)),
        "throttle-403": Outcome(THROTTLED),
        "plan-limit-403": Outcome(PLAN_LIMIT),
        "401": Outcome(UNAUTHORIZED),
    }.get(fault)


def _broken(status: int, options: Fields) -> Answer:
    sentence = _PAGES[status][0].partition(" ")[2]
    usual = BodyKind.ERROR if status == 500 else BodyKind.HTML
    match BodyKind(str(options.get("body", usual))):
        case BodyKind.ERROR:
            body, content_type = dump({"error": sentence.lower()}), JSON
        case BodyKind.STRING:
            body, content_type = dump(sentence.lower()), JSON
        case BodyKind.TEXT:
            body, content_type = sentence.encode(), TEXT
        case BodyKind.HTML:
            body, content_type = page(status).body, HTML
        case BodyKind.EMPTY:
            return Answer(status, content_type=None, headers=_retry_after(options))
    return Answer(status, body, content_type, _retry_after(options))


def _retry_after(options: Fields) -> tuple[tuple[bytes, bytes], ...]:
    given = options.get("retry_after")
    return () if given is None else ((b"retry-after", str(given).encode()),)
