"""A sender of each kind of hook: the table an operator writes for it, and how it signs and words what it tells."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from worker.sources.presets import FINCH, GITHUB, STANDARD_WEBHOOKS, SVIX
from worker.sources.signature import Preset, sign
from worker.sources.signed_bytes import SignedBytes

_KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2, 3)]
NEW, OLD, FOREIGN = (SecretStr(key) for key in _KEYS)
"""Base64 that every kind takes: a secret of Standard Webhooks needs no ``whsec_``."""
ENVIRONMENT = {"x.new": _KEYS[0], "x.old": _KEYS[1]}
"""What the files of the secrets hold."""


@dataclass(frozen=True)
class Sender:
    """One kind of hook as its sender knows it."""

    kind: str
    table: str
    """What stands in the sources file under ``[sources.x]``, the secrets apart."""
    preset: Preset
    words: Callable[[dict[str, Any]], object]
    """How it words a canonical event."""

    @property
    def sources(self) -> str:
        """The sources file."""
        return f'[sources.x]\nsecret_file = ["x.new", "x.old"]\ncreates = true\n{self.table}'

    @property
    def signs_time(self) -> bool:
        """Whether a recorded delivery is refused later."""
        return self.preset.timestamp_header is not None

    @property
    def tells_time(self) -> bool:
        """Whether its events say when they happened."""
        return ".map]" not in self.table or "time = " in self.table

    def body(self, event: dict[str, Any]) -> bytes:
        """The bytes in which it tells of an event."""
        return json.dumps(self.words(event), ensure_ascii=False, separators=(",", ":")).encode()

    def headers(self, body: bytes, at: datetime, secret: SecretStr = NEW, message_id: str = "msg-1") -> dict[str, str]:
        """The headers with which it delivers."""
        return {"content-type": "application/json"} | sign(self.preset, body, secret, at, message_id)


def _theirs(event: dict[str, Any]) -> dict[str, Any]:
    """A body of an HR system's own: other names, nested, with its own word for what happened."""
    names = {"givenName": "first", "familyName": "last", "department": "unit", "lastWorkingDay": "until"}
    profile = {names[name]: value for name, value in event["data"].items() if name in names}
    happened = {"person.joined": "hired", "person.left": "gone", "person.updated": "changed"}[event["type"]]
    return {
        "uuid": event["id"],
        "happened": happened,
        "at": event["time"],
        "employee": {"number": event["subject"], "profile": profile},
    }


_MAP = """
[sources.x.map]
id = "uuid"
subject = "employee.number"
time = "at"
type = "happened"
types = { hired = "person.joined", gone = "person.left", changed = "" }
[sources.x.map.facts]
givenName = "employee.profile.first"
familyName = "employee.profile.last"
department = "employee.profile.unit"
lastWorkingDay = "employee.profile.until"
"""
_FINCH_WORDS = {"person.joined": "directory.created", "person.left": "directory.deleted"}
_OWN = """
[sources.x.signature]
header = "X-Own"
algorithm = "sha512"
encoding = "base64url"
signed = "{timestamp}.{id}.{body}"
timestamp_header = "X-At"
timestamp_unit = "ms"
id_header = "X-Id"
"""
_OWN_PRESET = Preset(
    header="X-Own",
    algorithm="sha512",
    encoding="base64url",
    signed=SignedBytes.parse("{timestamp}.{id}.{body}"),
    timestamp_header="X-At",
    timestamp_unit="ms",
    id_header="X-Id",
)
_BARE_MAP = _MAP.replace('id = "uuid"\n', "").replace('time = "at"\n', "")
_BARE = '[sources.x.signature]\nheader = "X-Bare"\n'

SENDERS = {
    "standard-webhooks": Sender("standard-webhooks", 'kind = "standard-webhooks"\n', STANDARD_WEBHOOKS, dict),
    "svix": Sender("svix", 'kind = "svix"\n', SVIX, dict),
    "finch": Sender(
        "finch",
        'kind = "finch"\n[sources.x.map]\nid = "event"\ntime = "at"\n[sources.x.map.types]\n'
        '"directory.created" = "person.joined"\n"directory.deleted" = "person.left"\n"individual.updated" = ""\n'
        '[sources.x.map.facts]\ngivenName = "data.first"\ndepartment = "data.unit"\n',
        FINCH,
        lambda event: {
            "company_id": "c",
            "account_id": "a",
            "event": event["id"],
            "at": event["time"],
            "event_type": _FINCH_WORDS.get(event["type"], "individual.updated"),
            "data": {
                "individual_id": event["subject"],
                "first": event["data"].get("givenName", "Ada"),
                "unit": event["data"].get("department"),
            },
        },
    ),
    "github": Sender("github", f'kind = "github"\n{_MAP}', GITHUB, _theirs),
    "hmac": Sender("hmac", f'kind = "hmac"\n{_OWN}{_MAP}', _OWN_PRESET, _theirs),
    "hmac, without ids and times": Sender("hmac", f'kind = "hmac"\n{_OWN}{_BARE_MAP}', _OWN_PRESET, _theirs),
    "hmac, bare": Sender("hmac", f'kind = "hmac"\n{_BARE}', Preset(header="X-Bare"), dict),
}


def independent(sender: Sender, body: bytes) -> dict[str, str]:
    """Sign as the two simplest kinds do, without any code of ours."""
    digest = hmac.new(_KEYS[0].encode(), body, hashlib.sha256).hexdigest()
    header, prefix = ("X-Bare", "") if sender.preset.header == "X-Bare" else ("X-Hub-Signature-256", "sha256=")
    return {"content-type": "application/json", header: prefix + digest}
