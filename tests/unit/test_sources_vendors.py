"""What vendors sign, declared as an operator would in the sources file, against vectors that others computed.

The vectors and what each is based on stand in `event-sources.md` 1.0: the public ones are
others', the rest was computed with openssl.
"""

from datetime import UTC, datetime, timedelta

import pytest

from worker.sources import BadSignature, Delivery, HookSource, SourcesInvalid, load_sources

KEY = "whk_test_key_0001"
NOW_S = 1774994400

BAMBOOHR = 'header = "X-BambooHR-Signature"\nsigned = "{body}{timestamp}"\ntimestamp_header = "X-BambooHR-Timestamp"\n'
HIBOB = 'header = "Bob-Signature"\nalgorithm = "sha512"\nencoding = "base64"\n'
GUSTO = 'header = "X-Gusto-Signature"\n'
REMOTE = """header = "X-Remote-Signature"
signed = "{body}:{timestamp}"
timestamp_header = "X-Remote-Timestamp"
timestamp_unit = "ms"
"""
DEEL = 'header = "x-deel-signature"\nsigned = "POST{body}"\n'
MERGE = 'header = "X-Merge-Webhook-Signature"\nencoding = "base64url"\n'
WORKOS = """header = "WorkOS-Signature"
signed = "{timestamp}.{body}"
separator = ","
prefix = "v1="
timestamp_header = "WorkOS-Signature"
timestamp_prefix = "t="
timestamp_unit = "ms"
tolerance = "3m"
"""

BOB = (
    b'{"companyId":636192,"type":"employee.left","triggeredBy":"system","triggeredAt":"2026-03-31T22:00:00.000000",'
    b'"version":"v2","data":{"employeeId":"3332883854254932743"}}'
)
CONTRACT = (
    b'{"data":{"meta":{"event_type":"contract.terminated","organization_id":"org_1","event_id":"evt_1",'
    b'"occurred_at":"2026-03-31T10:00:00.000Z"},"resource":[{"contract_id":"ctr_1","worker_email":"ada@example.org"}]},'
    b'"timestamp":"2026-03-31T10:00:01.000Z"}'
)
TERMINATED = (
    b'{"uuid":"03ffbf0c-48a9-4f1c-932a-546413a26ad1","event_type":"employee.terminated_effective",'
    b'"resource_type":"Company","resource_uuid":"5df911a0-e8e9-412d-8aaf-a46ad193dd96","entity_type":"Employee",'
    b'"entity_uuid":"bcfc9744-0ab3-4ef3-ab0d-e728255d659c","timestamp":1774994400}'
)
ONBOARDED = b'{"event_type":"employment.onboarding.completed","company_id":"co_1","employment_id":"emp_1"}'
UPDATED = (
    b'{"type":"employee.updated","timestamp":"2026-01-31T18:42:00+0000","data":{"companyId":"12345",'
    b'"employeeId":"67890","changedFields":["firstName"]}}'
)
CHANGED = b'{"hook":{"event":"Employee.changed"}}'
DELETED = b'{"id":"event_1","event":"dsync.user.deleted","data":{"id":"directory_user_1"}}'

VECTORS = {
    "hibob": (
        HIBOB,
        BOB,
        NOW_S,
        {"Bob-Signature": "gs8mS5z025F3RPuDscy2CTUo3HgLqLTtTvCC9fABbztHaZ205Mk/87TN3+f3cya9VM/ZclartxRUf53dhn1vcQ=="},
    ),
    "deel": (
        DEEL,
        CONTRACT,
        NOW_S,
        {"x-deel-signature": "1141c04695cda97a2bf63869e119892e61f68f3e9c7d6a98804ff304854d237e"},
    ),
    "gusto": (
        GUSTO,
        TERMINATED,
        NOW_S,
        {"X-Gusto-Signature": "9e09e5ddbb80f77abf5c5fe86f2b7c155b11a686ceecc531be5d080cbed16836"},
    ),
    "remote": (
        REMOTE,
        ONBOARDED,
        NOW_S,
        {
            "X-Remote-Timestamp": "1774994400000",
            "X-Remote-Signature": "0db35c38e140dea0ef118958c9d175e017f07aa49ae5cc8f0e7f71d5c76c2154",
        },
    ),
    "bamboohr": (
        BAMBOOHR,
        UPDATED,
        1769884920,
        {
            "X-BambooHR-Timestamp": "1769884920",
            "X-BambooHR-Signature": "40433217ba57f566694a6ea5ea653c34d2369a25fd7f32e152f1bb99083d5bfa",
        },
    ),
    "merge": (
        MERGE,
        CHANGED,
        NOW_S,
        {"X-Merge-Webhook-Signature": "e6cRhXYw0mMn6aJX-S9xtiOjGgvtWT6MUNOLUkBiFgM="},
    ),
    "workos": (
        WORKOS,
        DELETED,
        NOW_S,
        {"WorkOS-Signature": "t=1774994400000, v1=5c1f14f49372a9215148e12beb56815d6caa181daa5c3a338a1e084b925548cf"},
    ),
}


def declared(signature: str, key: str = KEY) -> HookSource:
    """The source that an operator would write down."""
    text = f'[sources.x]\nkind = "hmac"\nsecret_env = "KEY"\n\n[sources.x.signature]\n{signature}'
    (source,) = load_sources(text, {"KEY": key}).of(HookSource)
    return source


def refusal(source: HookSource, body: bytes, headers: dict[str, str], at: datetime) -> str:
    """Why a delivery is refused; empty where it is not. What the body tells is of no interest here."""
    try:
        source.read(Delivery(body, headers, at))
    except BadSignature as error:
        return str(error)
    except ValueError:
        return ""
    return ""


@pytest.mark.parametrize("vendor", VECTORS)
def test_the_vendors_vector_verifies_and_nothing_near_it(vendor: str) -> None:
    """The signature holds for these bytes; not for others, another signature or another time."""
    signature, body, at_s, headers = VECTORS[vendor]
    source, at = declared(signature), datetime.fromtimestamp(at_s, UTC)
    forged = {name: value[:-6] + "aaaaa" + value[-1:] for name, value in headers.items()}

    assert refusal(source, body, headers, at) == ""
    assert refusal(source, body + b" ", headers, at) == "no signature matches"
    assert refusal(source, body.replace(b":", b": "), headers, at) == "no signature matches"
    assert refusal(source, body, forged, at) != ""
    assert refusal(source, body, {}, at).endswith("is missing")


def test_the_public_vector_of_bamboohr_verifies() -> None:
    """From the tests of a connector that others wrote (fusebit/integrations, bamboohr-connector, MIT)."""
    body = (
        b'{"employees":[{"changedFields":["First name"],"fields":{"Employee #":{"value":"300"},'
        b'"First name":{"value":"Tefi"},"Last name":{"value":"Adams"}},"id":"5"}]}'
    )
    headers = {
        "X-BambooHR-Timestamp": "1658248023",
        "X-BambooHR-Signature": "56491dd9c2b352bc5f4fc627159aae20ddff9c8cb19f239a6de6771dc5310bac",
    }
    source, at = declared(BAMBOOHR, "123b929362d51613054f71e5e5d4bf2c"), datetime.fromtimestamp(1658248023, UTC)

    assert refusal(source, body, headers, at) == ""
    assert refusal(source, body[:-1], headers, at) == "no signature matches"


@pytest.mark.parametrize("vendor", ["remote", "bamboohr", "workos"])
@pytest.mark.parametrize("off", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_a_signed_time_bounds_how_long_a_delivery_is_good(vendor: str, off: timedelta) -> None:
    """Where the vendor signs a time, a recorded delivery cannot be played again."""
    signature, body, at_s, headers = VECTORS[vendor]

    why = refusal(declared(signature), body, headers, datetime.fromtimestamp(at_s, UTC) + off)

    assert why == ("the timestamp is too old" if off > timedelta() else "the timestamp is in the future")


@pytest.mark.parametrize(
    ("signature", "sentence"),
    [
        ("", "line 5: sources.x.signature.header: is required"),
        ('header = "X Y"', "line 6: sources.x.signature.header: "),
        ('header = "X"\nsigned = "{timestamp}"', "line 7: .*signed: must hold {body} once"),
        ('header = "X"\nsigned = "{body}{mody}"', "line 7: .*signed: may hold {id}, {timestamp} and {body}"),
        ('header = "X"\nsigned = "{body"', "line 7: .*signed: must not hold a lone"),
        ('header = "X"\nsigned = "{id}{body}"', "id_header: is required: signed holds {id}"),
        ('header = "X"\nsigned = "{timestamp}{body}"', "timestamp_header: goes together with"),
        ('header = "X"\ntimestamp_header = "T"', "line 7: .*timestamp_header: goes together with"),
        ('header = "X"\ntolerance = "5m"', "line 7: .*tolerance: needs a timestamp_header"),
        ('header = "X"\nprefix = "v1,"\nseparator = ","', "line 8: .*separator: must not stand in a prefix"),
        ('header = "X"\nencoding = "hexx"', "line 7: .*encoding: "),
        ('header = "X"\nprefx = "hexx"', "line 7: .*prefx: unknown key; did you mean 'prefix'"),
        (WORKOS.replace('prefix = "v1="\n', ""), "and two prefixes are required"),
        ('header = "X"\nsecret = "hex"', "line 3: sources.x.secret_env: a secret of this source must be hexadecimal"),
    ],
)
def test_a_preset_that_cannot_work_is_refused_when_it_is_read(signature: str, sentence: str) -> None:
    """Each contradiction is told with line and key."""
    with pytest.raises(SourcesInvalid, match=sentence):
        declared(signature)


def test_other_kinds_choose_their_tolerance_alone() -> None:
    """How they sign is theirs; a kind that signs no time has no tolerance."""
    text = '[sources.x]\nkind = "KIND"\nsecret_env = "KEY"\n[sources.x.signature]\n'
    key = {"KEY": "whsec_" + "A" * 40}
    (source,) = load_sources(text.replace("KIND", "svix") + 'tolerance = "30s"', key).of(HookSource)

    assert source.preset.tolerance == timedelta(seconds=30)
    with pytest.raises(SourcesInvalid, match=r"line 5: sources.x.signature.header: unknown key"):
        load_sources(text.replace("KIND", "svix") + 'header = "X"', key)
    with pytest.raises(SourcesInvalid, match=r"line 5: sources.x.signature.tolerance: is of no use"):
        load_sources(text.replace("KIND", "github") + 'tolerance = "1h"', key)
    with pytest.raises(SourcesInvalid, match=r"line 1: sources.x.signature: is required"):
        load_sources('[sources.x]\nkind = "hmac"\nsecret_env = "KEY"', key)
