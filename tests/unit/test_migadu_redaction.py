"""What of an answer may be kept."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.migadu.redaction import excerpt


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ('{"error":"bad request"}', '{"error":"bad request"}'),
        ('{"password":"Sup3r, \\"s3cr3t\\"","a":1}', '{"password":[redacted],"a":1}'),
        ('{"password": "Sup3r_s3', '{"password": [redacted]'),
        ('{\\"password\\":\\"Sup3r\\",\\"a\\":1}', '{\\"password\\":[redacted]'),
        ('{"password":"a\\u0022Sup3r","b":1}', '{"password":[redacted],"b":1}'),
        ("password=Sup3r&name=Ada", "password=[redacted]&name=[redacted]"),
        ("{'password' => 'Sup3r'}", "{'password' => [redacted]}"),
        ('{"password_recovery_email":"ada at home"}', '{"password_recovery_email":[redacted]}'),
        ('{"password_method":"invitation"}', '{"password_method":"invitation"}'),
        ('{"name":"Ada Lovelace","may_send":true}', '{"name":[redacted],"may_send":true}'),
        ("no mail to ada@home.example.", "no mail to [redacted]"),
        ("ada@example.org is taken", "ada@example.org is taken"),
        ("x@example.org.evil.example", "[redacted]"),
        ('"ada\\u0040home.example"', '"[redacted]"'),
        ("/forwardings/ada%40home.example", "[redacted]"),
        ("Authorization: Basic YWRtaW46a2V5", "Authorization: Basic [redacted]"),
        ("two\nlines\x00 and\u202e more", "two lines and more"),
    ],
)
def test_private_values_are_left_out(body, kept):
    """Secrets, names and addresses outside the domain do not survive in any form, and what explains a failure does."""
    assert excerpt(body.encode(), domain="example.org") == kept


def test_known_secrets_are_found_anywhere():
    """A secret that was sent is redacted also where the host quotes it in prose, and before the text is cut."""
    body = b"x" * 290 + b" Sup3r_s3cr3t is too weak"

    text = excerpt(body, domain="example.org", secrets=("", "Sup3r_s3cr3t"))

    assert len(text) <= 300
    assert "Sup" not in text


@pytest.mark.parametrize(
    "quoted",
    [
        json.dumps({"error": 'no "Sup3r" \\ <s3cr3t> & more'}),
        "<p>no &quot;Sup3r&quot; \\ &lt;s3cr3t&gt; &amp; more</p>",
        "/no%20%22Sup3r%22%20%5C%20%3Cs3cr3t%3E%20%26%20more",
        "to ada&#64;home.example or ada&commat;home.example",
        " " * (8192 - 15) + 'no "Sup3r" \\ <s3cr3t> & more',
        " " * (8192 - 9) + "ada.lovelace@home.example",
    ],
    ids=["json", "html", "url", "entities", "cut secret", "cut address"],
)
def test_secrets_and_addresses_are_found_in_every_dress(quoted):
    """Escaped as JSON, HTML or URLs have it, or cut in two where reading ends, no secret or address is shown."""
    text = excerpt(quoted.encode(), domain="example.org", secrets=('no "Sup3r" \\ <s3cr3t> & more',))

    assert not any(part in text for part in ("Sup3r", "s3cr3t", "ada"))


@given(
    before=st.text(max_size=320),
    secret=st.text(st.characters(codec="utf-8"), min_size=8, max_size=20),
    private=st.from_regex(r"[a-z]{3,9}@home\.example", fullmatch=True),
)
@example(before="", secret='quo"te\\back', private="ada@home.example")
@settings(max_examples=150)
def test_no_excerpt_shows_a_password_or_a_personal_address(before, secret, private):
    """Wherever the host's JSON holds a password or a personal address, the excerpt is short and does not show them."""
    answer = {"note": before, "password": f"pass:{secret}", "password_recovery_email": private, "to": private}

    text = excerpt(json.dumps(answer).encode(), domain="example.org")

    assert len(text) <= 300
    assert f"pass:{secret}" not in text
    assert private not in text
