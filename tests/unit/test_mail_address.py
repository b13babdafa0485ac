"""Addresses: what is accepted, what it becomes, and that checking twice changes nothing."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.mail import InvalidAddress, address, domain_of, is_local_part, local_part_of, readable

_ATOMS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_+-", min_size=1, max_size=12)
LOCAL_PARTS = st.lists(_ATOMS, min_size=1, max_size=4).map(".".join)
DOMAINS = st.sampled_from(
    ["example.org", "bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "straße.example."]
)


@given(local=LOCAL_PARTS, domain=DOMAINS)
def test_a_checked_address_checks_to_itself(local: str, domain: str) -> None:
    """Checking is idempotent, so an address may pass through any number of rims."""
    once = address(f"  {local.upper()}@{domain} ")

    assert address(once) == once


@given(local=LOCAL_PARTS, domain=DOMAINS)
def test_an_address_is_its_two_parts(local: str, domain: str) -> None:
    """The parts put together again are the address, and both are as the host compares them."""
    checked = address(f"{local}@{domain}")

    assert f"{local_part_of(checked)}@{domain_of(checked)}" == checked
    assert checked.isascii()
    assert checked == checked.lower()


@given(st.text(max_size=40) | st.tuples(st.text(max_size=12), st.text(max_size=12)).map("@".join))
@example("a@")
@example("@example.org")
@example("a@b@example.org")
@example("a@.")
@example("a@xn--\udc80.org")
@example("a@" + "b" * 300 + ".org")
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """Nothing but InvalidAddress is raised, whatever the text; what is accepted checks to itself."""
    with contextlib.suppress(InvalidAddress):
        checked = address(text)

        assert address(checked) == checked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "ada@",
        "@example.org",
        "a..b@example.org",
        ".a@example.org",
        "a.@example.org",
        "ä@example.org",
        "a b@example.org",
        "a@localhost",
        f"{'a' * 65}@example.org",
        f"a@{'b' * 63}.{'c' * 200}.org",
        f"{'a' * 60}@{'b' * 63}.{'c' * 63}.{'d' * 63}.{'e' * 10}.org",
    ],
)
def test_what_a_host_cannot_hold_is_refused(text: str) -> None:
    """Malformed local parts, missing halves, bare host names and overlong addresses are refused."""
    with pytest.raises(InvalidAddress):
        address(text)


@pytest.mark.parametrize("text", ["ada\n", "ada.\n", "a\nb", " ada", ""])
def test_white_space_never_belongs_to_a_local_part(text: str) -> None:
    """A line end after a local part is not overlooked: it would split a header or a log line."""
    assert not is_local_part(text)


def test_domains_are_compared_in_punycode() -> None:
    """Two spellings of one domain are one address."""
    assert address("Ada@Bücher.Example") == address("ada@xn--bcher-kva.example") == "ada@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("ada@xn--bcher-kva.example", "ada@bücher.example"),
        ("xn--bcher-kva.example and mail.xn--bcher-kva.xn--p1ai: both", "bücher.example and mail.bücher.рф: both"),
        (
            "xn--a, xn--\u00fc-, axn--bcher-kva and xn--bcher-kva- stay",
            "xn--a, xn--ü-, axn--bcher-kva and xn--bcher-kva- stay",
        ),
        ("xn--" + "a" * 200, "xn--" + "a" * 200),
    ],
)
def test_domains_are_readable(text: str, read: str) -> None:
    """For people a domain is in its own script, anywhere in a text; what is no IDNA stays as it is."""
    assert readable(text) == read


@given(local=LOCAL_PARTS, domain=DOMAINS)
@example(local="xn--bcher-kva", domain="xn--bcher-kva.example")
@example(local="a+xn--bcher-kva.b", domain="example.org")
def test_what_is_readable_is_the_same_address(local: str, domain: str) -> None:
    """What people read can be handed in again."""
    checked = address(f"{local}@{domain}")

    assert address(readable(checked)) == checked


@given(st.text(max_size=60) | st.text("xn-bcher.@ü", max_size=60))
def test_any_text_is_readable(text: str) -> None:
    """No text raises, and none gets a line or a control character that it had not."""
    assert sum(not each.isprintable() for each in readable(text)) == sum(not each.isprintable() for each in text)
