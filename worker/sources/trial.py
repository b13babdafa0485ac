"""A trial of a hook: a delivery that we make ourselves, sign as its source would, and send to the running server.

It is signed with a key that is derived from the source's secret and the minute it is made for. So it proves that its
maker has the secret, its body is no valid delivery of the source (one that was overheard cannot be passed on as an
event), and nobody without the secret can have the server take a true delivery for a trial.
"""

import base64
import hmac
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import httpx
from pydantic import SecretStr

from worker.events import Event
from worker.events.times import utc_text
from worker.sources.delivery import Delivery, Parsed
from worker.sources.hook import HookSource
from worker.sources.keys import SecretForm, public_key_of
from worker.sources.sections import MapSection
from worker.sources.signature import TOLERANCE, BadSignature, sign

HEADER = "Mailroster-Test"
"""Says that a delivery is a trial, and when it was made, in seconds since 1970."""
SUBJECT = "mailroster-test"
"""Whom a trial tells of: nobody."""

_STAMP = re.compile(r"[0-9]{1,12}")
_PATH = re.compile(r'(?:\$\.)?((?:\w+|"[^"\\]+")(?:\.(?:\w+|"[^"\\]+"))*)(?:\[\]|\[\*\])?', re.ASCII)
_TIMEOUT_S = 15.0


class NoTrial(ValueError):
    """No trial can be made of this source; the sentence says why, and what would do instead."""


class Unreachable(Exception):
    """The server does not answer; says why, without its address."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered to a trial."""

    status: int
    told: Mapping[str, object]
    """Its JSON, empty where it was none."""


def read_trial(source: HookSource, delivery: Delivery, stamp: str) -> Parsed:
    """Verify a trial and return what it tells. Raises BadSignature, then BodyInvalid, and nothing else."""
    if not _STAMP.fullmatch(stamp):
        raise BadSignature(f"the header {HEADER} is malformed")
    if abs(delivery.received_at.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
        raise BadSignature("the trial is of another time")
    secrets = tuple(_derived(source, secret, stamp) for secret in shared_secrets(source))
    if not secrets:
        raise BadSignature("the source has no secret that could sign a trial")
    return source.model_copy(update={"secret_env": secrets, "secret_file": ()}).read(delivery)


def shared_secrets(source: HookSource) -> tuple[SecretStr, ...]:
    """Return the secrets that sign as well as verify; a public key does not."""
    return tuple(secret for secret in source.secrets if not _is_public(source, secret))


def send_trial(source: HookSource, url: str, body: bytes, at: datetime) -> Answer:
    """Send a trial to the server at a URL. Raises NoTrial without a secret that signs, Unreachable."""
    secrets = shared_secrets(source)
    if not secrets:
        raise NoTrial("its secret is a public key, with which nothing can be signed: have its sender send something")
    stamp = str(int(at.timestamp()))
    signed = sign(source.preset, body, _derived(source, secrets[0], stamp), at, SUBJECT)
    headers = {"content-type": "application/json", HEADER: stamp} | signed
    try:
        with httpx.Client(timeout=_TIMEOUT_S) as client:
            answer = client.post(f"{url.rstrip('/')}/hooks/{source.name}", content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(type(error).__name__) from error
    try:
        told = answer.json()
    except ValueError:
        told = {}
    return Answer(answer.status_code, told if isinstance(told, dict) else {})


def body_for(source: HookSource, at: datetime) -> bytes:
    """Return a body that tells of nobody, as the source would write it. Raises NoTrial where its map is too clever."""
    return canonical(at) if source.map is None else json.dumps(_fitting(source.map, at)).encode()


def canonical(at: datetime) -> bytes:
    """Return a canonical event, as JSON, that tells of nobody."""
    document = {
        "specversion": "1.0",
        "id": SUBJECT,
        "source": "urn:mailroster:test",
        "type": "person.updated",
        "subject": SUBJECT,
        "time": utc_text(at),
        "data": {"title": "test"},
    }
    return json.dumps(document).encode()


def event_told(event: Event) -> dict[str, object]:
    """Return how the answer to a trial tells of an event that was read: no values."""
    return {"type": event.type.value, "subject": event.subject, "attributes": sorted(event.facts)}


def _is_public(source: HookSource, secret: SecretStr) -> bool:
    return source.preset.public_prefix is not None and public_key_of(secret) is not None


def _derived(source: HookSource, secret: SecretStr, stamp: str) -> SecretStr:
    key = secret.get_secret_value().encode()
    derived = hmac.digest(key, f"mailroster trial of {source.name} at {stamp}".encode(), "sha256")
    return SecretStr(derived.hex() if source.preset.secret is SecretForm.HEX else base64.b64encode(derived).decode())


def _fitting(section: MapSection, at: datetime) -> object:
    body: dict[str, object] = {}
    item: dict[str, object] = {}
    if section.items is None:
        item = body
    else:
        _put(body, body, section.items.text, [item])
    told: dict[str, object] = {
        "id": SUBJECT,
        "subject": SUBJECT,
        "time": utc_text(at),
        "type": _word(section),
    }
    for name, value in told.items():
        if (expression := getattr(section, name)) is not None:
            _put(body, item, expression.text, value)
    for name, expression in section.facts.items():
        with suppress(NoTrial):  # a fact that is not there is unknown, which is as good
            _put(body, item, expression.text, fact_of_nobody(name, at))
    return body


def _word(section: MapSection) -> str:
    """Return a word of theirs for a type that needs no facts, if there is one."""
    plain = [word for word, ours in section.types.items() if ours in ("", "person.updated")]
    return next(iter([*plain, *section.types]), "person.updated")


def fact_of_nobody(name: str, at: datetime) -> object:
    """Return what a trial states as a fact."""
    dated = {"hireDate", "lastWorkingDay"}
    known = {
        "groups": ["test"],
        "leftAt": utc_text(at),
        "timezone": "UTC",
        "locale": "en",
        "country": "DE",
        "immediate": False,
    }
    if name in {"workEmail", "personalEmail"}:
        return "test@example.org"
    return f"{at:%Y-%m-%d}" if name in dated else known.get(name, "test")


def _put(body: dict[str, object], item: dict[str, object], path: str, value: object) -> None:
    """Write a value where a path looks for it, in the whole body or in an item. Raises NoTrial."""
    found = _PATH.fullmatch(path.strip())
    if found is None:
        raise _too_clever(path)
    at = body if path.startswith("$.") else item
    *around, last = [each.strip('"') for each in re.findall(r'\w+|"[^"]+"', found[1])]
    for name in around:
        below = at.setdefault(name, {})
        if not isinstance(below, dict):
            raise _too_clever(path)
        at = below
    if isinstance(at.setdefault(last, value), dict):
        raise _too_clever(path)


def _too_clever(path: str) -> NoTrial:
    return NoTrial(f"no body can be made for {path}: give an example of the sender's with --body FILE")
