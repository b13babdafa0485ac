"""Signatures: what a source's secret signed is believed, everything else is a bad signature and nothing else."""

import base64
import secrets
from datetime import UTC, datetime, timedelta

import finch
import pytest
import standardwebhooks
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from worker.sources import BadSignature, Delivery
from worker.sources.keys import SecretForm, SecretUnfit
from worker.sources.presets import FINCH, GITHUB, STANDARD_WEBHOOKS, SVIX
from worker.sources.signature import Preset, Proof, check_secret, sign, verify
from worker.sources.signed_bytes import SignedBytes

NOW = datetime(2026, 11, 20, 9, 0, 0, tzinfo=UTC)
SECRET = SecretStr("whsec_" + base64.b64encode(bytes(range(32))).decode())
OTHER = SecretStr("whsec_" + base64.b64encode(bytes(range(1, 33))).decode())
BODY = '{"givenName": "Łucja"}'.encode()
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = SecretStr(
    "whpk_" + base64.b64encode(PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
)

identifiers = st.text("abcXYZ019_-", min_size=1, max_size=30)


def accepted(
    headers: dict[str, str],
    *held: SecretStr,
    body: bytes = BODY,
    preset: Preset = STANDARD_WEBHOOKS,
    at: datetime = NOW,
) -> Proof:
    """Verify a delivery of these headers."""
    return verify(preset, Delivery(body, headers, at), held)


def signed(secret: SecretStr = SECRET, at: datetime = NOW) -> dict[str, str]:
    """The headers of a delivery of the body."""
    return sign(STANDARD_WEBHOOKS, BODY, secret, at, "m")


def test_the_public_vector_verifies() -> None:
    """The specification's own example is accepted, and signing it gives its signature."""
    secret = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'

    assert accepted(headers, secret, body=body, at=at) == Proof("msg_p5jXN8AQM9LWM0D4loKWxJek", at)
    assert sign(STANDARD_WEBHOOKS, body, secret, at, "msg_p5jXN8AQM9LWM0D4loKWxJek") == headers


def test_the_public_vector_of_finch_verifies() -> None:
    """The example of Finch's own library is accepted under its headers, and signing it gives its signature."""
    secret = SecretStr("5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH")
    at = datetime.fromtimestamp(1676312382, UTC)
    headers = {
        "Finch-Event-Id": "msg_2Lh9KRb0pzN4LePd3XiA4v12Axj",
        "Finch-Timestamp": "1676312382",
        "Finch-Signature": "v1,m7y0TV2C+hlHxU42wCieApTSTaA8/047OAplBqxIV/s=",
    }
    body = b'{"company_id":"720be419-0293-4d32-a707-32179b0827ab"}'

    assert accepted(headers, secret, body=body, preset=FINCH, at=at).id == "msg_2Lh9KRb0pzN4LePd3XiA4v12Axj"
    assert sign(FINCH, body, secret, at, "msg_2Lh9KRb0pzN4LePd3XiA4v12Axj") == headers


@given(identifiers, st.text(max_size=50), st.binary(min_size=24, max_size=64))
@time_machine.travel(NOW, tick=False)
def test_the_library_signs_and_we_verify_and_the_other_way_round(message_id: str, text: str, key: bytes) -> None:
    """Our scheme is the library's, for any id, text and key; under Svix's names of the headers, too."""
    secret = SecretStr("whsec_" + base64.b64encode(key).decode())
    library = standardwebhooks.Webhook(secret.get_secret_value())
    theirs = {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(int(NOW.timestamp())),
        "Webhook-Signature": library.sign(message_id, NOW, text),
    }
    svix = {name.replace("Webhook", "Svix"): value for name, value in theirs.items()}

    assert accepted(theirs, secret, body=text.encode()).id == message_id
    assert accepted(svix, secret, body=text.encode(), preset=SVIX).id == message_id
    library.verify(text, sign(STANDARD_WEBHOOKS, text.encode(), secret, NOW, message_id), json_parse=False)


@given(identifiers, st.text(max_size=50), st.binary(min_size=24, max_size=64))
@time_machine.travel(NOW, tick=False)
def test_what_we_sign_as_finch_its_library_verifies(message_id: str, text: str, key: bytes) -> None:
    """And it refuses what another secret signed, as we do. It cannot sign."""
    secret = SecretStr(base64.b64encode(key).decode())
    headers = sign(FINCH, text.encode(), secret, NOW, message_id)
    library = finch.Finch(access_token="none")

    library.webhooks.verify_signature(text, headers, secret=secret.get_secret_value())
    assert accepted(headers, secret, body=text.encode(), preset=FINCH) == Proof(message_id, NOW)
    with pytest.raises(ValueError, match="None of the given"):
        library.webhooks.verify_signature(text + " ", headers, secret=secret.get_secret_value())


def test_the_signature_of_github_is_over_the_body_alone() -> None:
    """The vector of its documentation; the delivery's id is told where it is sent."""
    secret, body = SecretStr("It's a Secret to Everybody"), b"Hello, World!"
    headers = {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}

    assert accepted(headers, secret, body=body, preset=GITHUB) == Proof(None, None)
    assert accepted(headers | {"X-GitHub-Delivery": "guid-1"}, secret, body=body, preset=GITHUB).id == "guid-1"
    with pytest.raises(BadSignature):
        accepted({"X-Hub-Signature-256": headers["X-Hub-Signature-256"][7:]}, secret, body=body, preset=GITHUB)


def test_a_public_key_verifies_what_its_private_half_signed() -> None:
    """v1a: ed25519 over the same bytes; such a key believes no HMAC that was made with it as a secret."""
    content = b"m.%d." % NOW.timestamp() + BODY
    signature = "v1a," + base64.b64encode(PRIVATE.sign(content)).decode()
    headers = {"webhook-id": "m", "webhook-timestamp": str(int(NOW.timestamp())), "webhook-signature": signature}

    check_secret(STANDARD_WEBHOOKS, PUBLIC)
    assert accepted(headers, PUBLIC).id == "m"
    assert accepted(headers | {"webhook-signature": f"v1,AAAA {signature}"}, SECRET, PUBLIC).id == "m"
    for forged in (signature.replace("v1a", "v1"), signature[:-8], "v1a,", "v1a,ÿ", "v1a,AAAA"):
        with pytest.raises(BadSignature):
            accepted(headers | {"webhook-signature": forged}, PUBLIC)
    with pytest.raises(BadSignature):
        accepted(headers, PUBLIC, body=BODY + b" ")
    with pytest.raises(SecretUnfit):
        sign(STANDARD_WEBHOOKS, BODY, PUBLIC, NOW)


def test_any_of_several_secrets_and_signatures_may_match() -> None:
    """During a rotation both secrets hold, and a sender may sign with several, of versions we do not know, too."""
    both = signed() | {"webhook-signature": f"v9,AAAA {signed(OTHER)['webhook-signature']} v1,AA"}

    assert accepted(signed(OTHER), SECRET, OTHER).id == "m"
    assert accepted(both, SECRET, OTHER).id == "m"


@pytest.mark.parametrize("preset", [STANDARD_WEBHOOKS, SVIX, FINCH])
@pytest.mark.parametrize("off_s", [-301, -300, -299, 0, 299, 300, 301])
def test_five_minutes_are_tolerated_either_way(preset: Preset, off_s: int) -> None:
    """A message from before or after the tolerance is stale, by the time of receipt that is handed in."""
    secret = SecretStr(SECRET.get_secret_value().removeprefix("whsec_"))
    headers = sign(preset, BODY, secret, NOW + timedelta(seconds=off_s), "m")
    try:
        fresh = accepted(headers, secret, preset=preset).id == "m"
    except BadSignature:
        fresh = False

    assert fresh is (abs(off_s) <= 300)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "n"},
        {"webhook-id": ""},
        {"webhook-id": "\udcff"},
        {"webhook-id": "a\nb"},
        {"webhook-id": "x" * 300},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "9" * 12},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-signature": "v1"},
        {"webhook-signature": "garbage"},
        {"webhook-signature": "v1,a,b"},
        {"webhook-signature": "v1,abc"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": " "},
        {"webhook-signature": "v1,ÿ\udcff"},
        {"webhook-signature": "x" * 10_000},
        {"webhook-signature": "v1,x " * 200},
    ],
)
def test_a_forged_header_is_a_bad_signature(change: dict[str, str]) -> None:
    """Whatever stands in a header, the answer is BadSignature, which quotes nothing of it."""
    with pytest.raises(BadSignature) as raised:
        accepted(signed() | change, SECRET)
    assert not any(value.strip() in str(raised.value) for value in change.values() if len(value.strip()) > 1)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(missing: str) -> None:
    """The reason says which header is not there."""
    headers = {name: value for name, value in signed().items() if name != missing}

    with pytest.raises(BadSignature, match=f"the header {missing} is missing"):
        accepted(headers, SECRET)


def test_another_body_or_no_secret_is_a_bad_signature() -> None:
    """The signature binds the body, byte by byte; a source without secrets believes nobody."""
    for body, held in ((BODY + b" ", [SECRET]), (b"\xff\xfe", [SECRET]), (BODY, []), (BODY, [OTHER])):
        with pytest.raises(BadSignature, match="no signature matches"):
            accepted(signed(), *held, body=body)


presets = st.builds(
    Preset,
    header=st.just("S"),
    algorithm=st.sampled_from(["sha256", "sha512"]),
    encoding=st.sampled_from(["hex", "base64", "base64url"]),
    prefix=st.sampled_from(["", "v1,", "sha256="]),
    separator=st.sampled_from([None, " ", ","]),
    public_prefix=st.sampled_from([None, "v1a,"]),
    signed=st.sampled_from([SignedBytes.parse(text) for text in ("{body}", "{id}.{timestamp}.{body}", "{body}{id}")]),
    timestamp_header=st.sampled_from([None, "T", "S"]),
    timestamp_prefix=st.sampled_from(["", "t="]),
    timestamp_unit=st.sampled_from(["s", "ms", "iso"]),
    id_header=st.sampled_from([None, "I"]),
    secret=st.sampled_from(SecretForm),
)
texts = st.text(max_size=40) | st.from_regex(r"(v1a?,|t=|sha256=)?[0-9a-fA-F:TZ+.-]{0,40}")


@given(presets, st.binary(max_size=40), st.dictionaries(st.sampled_from(["S", "T", "I", "s"]), texts), texts)
def test_nobody_without_the_secret_gets_in(preset: Preset, body: bytes, headers: dict[str, str], text: str) -> None:
    """Any body under any headers is refused by any preset and secret, and no other error comes out."""
    for held in (SECRET, PUBLIC, SecretStr(text), SecretStr("whpk_" + text), SecretStr("00ff")):
        with pytest.raises(BadSignature):
            accepted(headers, held, body=body, preset=preset)


def is_coherent(preset: Preset) -> bool:
    """Tell whether the sources file lets a preset be declared so."""
    if preset.signed.has_timestamp is not (preset.timestamp_header is not None):
        return False
    if preset.signed.has_id and not preset.id_header:
        return False
    if preset.separator and preset.separator in preset.prefix:
        return False
    in_one = preset.timestamp_header == preset.header  # something must tell the two apart
    return not in_one or bool(preset.timestamp_prefix and preset.prefix and preset.separator)


@given(presets.filter(is_coherent), st.binary(max_size=40), identifiers)
def test_what_a_preset_signs_it_verifies(preset: Preset, body: bytes, message_id: str) -> None:
    """Signing and verifying agree, whatever the preset, and every secret but that one is refused."""
    secret, other = SecretStr("00" * 30), SecretStr("11" * 30)
    headers = sign(preset, body, secret, NOW, message_id)

    assert accepted(headers, secret, body=body, preset=preset).id == (message_id if preset.id_header else None)
    for held, changed in ((other, body), (secret, body + b"x")):
        with pytest.raises(BadSignature):
            accepted(headers, held, body=changed, preset=preset)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_%%%", "whsec_ÿ", "whsec_AAAA", "whsec_" + "A" * 200, "whpk_AA"])
def test_a_malformed_secret_is_refused_and_not_quoted(text: str) -> None:
    """A secret must be the base64 of 24 to 64 bytes, and no reason repeats it."""
    with pytest.raises(SecretUnfit) as raised:
        check_secret(STANDARD_WEBHOOKS, SecretStr(text))

    assert "%%%" not in str(raised.value)


def test_a_secret_may_lack_its_prefix_and_its_padding() -> None:
    """Senders show secrets in either form."""
    key = secrets.token_bytes(32)
    bare = SecretStr(base64.b64encode(key).decode().rstrip("="))
    whole = SecretStr("whsec_" + base64.b64encode(key).decode())

    assert accepted(signed(bare), whole).id == "m"


def test_nothing_of_a_delivery_is_in_its_repr() -> None:
    """Tracebacks and logs show no body and no header."""
    assert repr(Delivery(BODY, {"secret": "x"}, NOW)) == "Delivery(23 bytes, received_at=2026-11-20T09:00:00+00:00)"
