"""Documents as they came: what tells one from another, whom they name, and how one is kept that is no valid event."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from worker.events import UNSTORABLE, flaw_of
from worker.store import events
from worker.store.database import Session
from worker.store.events import Inserted

_KEPT_CHARACTERS = 8_000  # of a body that was refused: enough to see what it was
_LONGEST_SUBJECT = 256
_NO_JSON = "what JSON cannot hold, or nested too deeply"


def keep_refused(session: Session, source: str, body: object, reason: str, now: datetime) -> Inserted:
    """Keep what is no event, or no valid one, once per body and reason, in the caller's transaction."""
    text = body if isinstance(body, str) else _json(body)
    is_whole = text != _NO_JSON and len(text) <= _KEPT_CHARACTERS and flaw_of(body) is None
    return events.insert_rejected(
        session,
        source=source,
        document=body if is_whole and isinstance(body, dict) else {"raw": _storable(text)[:_KEPT_CHARACTERS]},
        digest=digest_of(body),
        reason=reason,
        received_at=now,
    )


def subjects_of(documents: Iterable[object]) -> frozenset[str]:
    """Return the subjects that documents name, valid or not."""
    named = (document.get("subject") for document in documents if isinstance(document, dict))
    return frozenset(_storable(each)[:_LONGEST_SUBJECT] for each in named if isinstance(each, str))


def digest_of_event(document: Mapping[str, object]) -> str:
    """Return what tells a valid event from another one under the same key."""
    return digest_of(_told(document))


def _told(document: Mapping[str, object]) -> Mapping[str, object]:
    """Return what a document says apart from when it was recorded, which a repeated delivery has anew.

    ``recordedtime`` is CloudEvents' extension; where it is the event's time, the sender knew no better one.
    """
    if document.get("recordedtime") != document["time"]:
        return document
    return {name: value for name, value in document.items() if name not in {"time", "recordedtime"}}


def digest_of(document: object) -> str:
    """Return what tells a document from another one; the same for equal values."""
    return hashlib.sha256(_json(document).encode()).hexdigest()


def _storable(text: str) -> str:
    return UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _json(document: object) -> str:
    """Write anything as JSON in ASCII, and in one way for equal values, which makes digests of it equal."""
    try:
        return json.dumps(document, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return _NO_JSON
