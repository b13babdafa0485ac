"""How well-known senders sign. What their facts are based on stands in ``event-sources.md`` 1.0 and 2."""

from dataclasses import replace

from worker.sources.keys import SecretForm
from worker.sources.signature import Preset
from worker.sources.signed_bytes import SignedBytes

STANDARD_WEBHOOKS = Preset(
    header="webhook-signature",
    encoding="base64",
    prefix="v1,",
    separator=" ",
    public_prefix="v1a,",
    signed=SignedBytes.parse("{id}.{timestamp}.{body}"),
    timestamp_header="webhook-timestamp",
    id_header="webhook-id",
    secret=SecretForm.WEBHOOK,
)
"""Standard Webhooks 1.0.0: ``v1`` (HMAC-SHA256) and, for secrets that are public keys, ``v1a`` (ed25519)."""

SVIX = replace(STANDARD_WEBHOOKS, header="svix-signature", timestamp_header="svix-timestamp", id_header="svix-id")
"""The same under the older names of its headers, which the sources have unverified: where a sender has others, declare
them with ``kind = "hmac"``.
"""

FINCH = replace(
    STANDARD_WEBHOOKS,
    header="Finch-Signature",
    timestamp_header="Finch-Timestamp",
    id_header="Finch-Event-Id",
    public_prefix=None,
    secret=SecretForm.BASE64,
)
"""The same under Finch's names; its secrets have no prefix."""

GITHUB = Preset(
    header="X-Hub-Signature-256",
    prefix="sha256=",
    id_header="X-GitHub-Delivery",
    greeting=("X-GitHub-Event", "ping"),
)
"""The body alone is signed, so a recorded delivery can be played again: ids and times in it make that harmless."""
