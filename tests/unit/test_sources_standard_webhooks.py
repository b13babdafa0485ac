"""Standard Webhooks: what is signed is believed, everything else is a bad signature and nothing else."""

import base64
import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from worker.sources.standard_webhooks import BadSignature, check_secret, sign, verify

NOW = datetime(2026, 11, 20, 9, 0, 0, tzinfo=UTC)
SECRET = SecretStr("whsec_" + base64.b64encode(bytes(range(32))).decode())
OTHER = SecretStr("whsec_" + base64.b64encode(bytes(range(1, 33))).decode())
BODY = '{"givenName": "Łucja"}'.encode()

identifiers = st.text("abcXYZ019_-", min_size=1, max_size=30)


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

    assert verify(body, headers, [secret], at) == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert sign("msg_p5jXN8AQM9LWM0D4loKWxJek", body, secret, at) == headers


@given(identifiers, st.text(max_size=50), st.binary(min_size=24, max_size=64))
@time_machine.travel(NOW, tick=False)
def test_the_library_signs_and_we_verify_and_the_other_way_round(message_id: str, text: str, key: bytes) -> None:
    """Our scheme is the library's, for any id, text and key."""
    secret = SecretStr("whsec_" + base64.b64encode(key).decode())
    library = standardwebhooks.Webhook(secret.get_secret_value())
    theirs = {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(int(NOW.timestamp())),
        "Webhook-Signature": library.sign(message_id, NOW, text),
    }

    assert verify(text.encode(), theirs, [secret], NOW) == message_id
    library.verify(text, sign(message_id, text.encode(), secret, NOW), json_parse=False)


def test_any_of_several_secrets_and_signatures_may_match() -> None:
    """During a rotation both secrets hold, and a sender may sign with several, of versions we do not know, too."""
    new, old = sign("m", BODY, SECRET, NOW), sign("m", BODY, OTHER, NOW)
    both = new | {"webhook-signature": f"v1a,AAAA {old['webhook-signature']} {new['webhook-signature']}"}

    assert verify(BODY, old, [SECRET, OTHER], NOW) == "m"
    assert verify(BODY, both, [SECRET], NOW) == "m"


@pytest.mark.parametrize("off_s", [-301, -300, -299, 0, 299, 300, 301])
def test_five_minutes_are_tolerated_either_way(off_s: int) -> None:
    """A message from before or after the tolerance is stale, by the clock that is handed in."""
    headers = sign("m", BODY, SECRET, NOW + timedelta(seconds=off_s))
    try:
        accepted = verify(BODY, headers, [SECRET], NOW) == "m"
    except BadSignature:
        accepted = False

    assert accepted is (abs(off_s) <= 300)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "n"},
        {"webhook-id": ""},
        {"webhook-id": "\udcff"},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-signature": "v1"},
        {"webhook-signature": "garbage"},
        {"webhook-signature": "v1,a,b"},
        {"webhook-signature": "v1,abc"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": " "},
        {"webhook-signature": "v1,ÿ\udcff"},
        {"webhook-signature": "x" * 10_000},
    ],
)
def test_a_forged_header_is_a_bad_signature(change: dict[str, str]) -> None:
    """Whatever stands in a header, the answer is BadSignature, which quotes nothing of it."""
    headers = sign("m", BODY, SECRET, NOW) | change

    with pytest.raises(BadSignature) as raised:
        verify(BODY, headers, [SECRET], NOW)
    assert not any(value.strip() in str(raised.value) for value in change.values() if len(value.strip()) > 1)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(missing: str) -> None:
    """The reason says which header is not there."""
    headers = sign("m", BODY, SECRET, NOW)
    del headers[missing]

    with pytest.raises(BadSignature, match=f"the header {missing} is missing"):
        verify(BODY, headers, [SECRET], NOW)


@given(st.binary(max_size=40), st.dictionaries(st.sampled_from(["webhook-id", "webhook-signature"]), st.text()))
def test_nobody_without_the_secret_gets_in(body: bytes, headers: dict[str, str]) -> None:
    """Any body under any headers that the secret did not sign is refused, and no other error comes out."""
    with pytest.raises(BadSignature):
        verify(body, sign("m", body, OTHER, NOW) | headers, [SECRET], NOW)


def test_another_body_or_no_secret_is_a_bad_signature() -> None:
    """The signature binds the body, byte by byte; a source without secrets believes nobody."""
    headers = sign("m", BODY, SECRET, NOW)

    for body, held in ((BODY + b" ", [SECRET]), (b"\xff\xfe", [SECRET]), (BODY, []), (BODY, [OTHER])):
        with pytest.raises(BadSignature, match="no signature matches"):
            verify(body, headers, held, NOW)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_%%%", "whsec_ÿ", "whsec_AAAA", "whsec_" + "A" * 200])
def test_a_malformed_secret_is_refused_and_not_quoted(text: str) -> None:
    """A secret must be the base64 of 24 to 64 bytes, and no reason repeats it."""
    with pytest.raises(BadSignature) as raised:
        check_secret(SecretStr(text))

    assert "%%%" not in str(raised.value)


def test_a_secret_may_lack_its_prefix_and_its_padding() -> None:
    """Senders show secrets in either form."""
    key = secrets.token_bytes(32)
    bare = SecretStr(base64.b64encode(key).decode().rstrip("="))
    whole = SecretStr("whsec_" + base64.b64encode(key).decode())

    assert verify(BODY, sign("m", BODY, bare, NOW), [whole], NOW) == "m"
    assert json.loads(BODY)
