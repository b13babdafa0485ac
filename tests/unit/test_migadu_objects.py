"""Between wire objects and values."""

import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.mail import WRITABLE_FIELDS, Alias, Domain, Forwarding, Identity, Rewrite, address
from worker.migadu import objects
from worker.migadu.answers import MalformedAnswer
from worker.migadu.echo import EchoDiffers, ignored

ADA = address("ada@example.org")


def wire_mailbox(**changes):
    """Return a mailbox as the host shows it, with some fields otherwise."""
    shown = {
        "address": "ada@example.org",
        "local_part": "ada",
        "domain_name": "example.org",
        "name": "Ada Lovelace",
        "is_internal": None,
        "may_send": True,
        "spam_action": "folder",
        "expires_on": None,
        "sender_denylist": ["*@spam.example"],
        "daily_outgoing_limit": 100,
        "storage_usage": 1.5,
        "changed_at": "17:12",
        "delegations": [],
        "forwardings": [],
        "identities": [],
    }
    return {**shown, **changes}


def test_a_mailbox_is_read_with_its_fields_and_identities():
    """Writable fields are kept by their name, null stays None, and what nobody knows is kept as it came."""
    persona = {"local_part": "al", "domain_name": "example.org", "name": "Ada", "password_use": "none"}

    found = objects.mailbox(wire_mailbox(identities=[persona], novelty={"a": 1}))

    assert found.address == ADA
    assert found.fields == {
        "is_internal": None,
        "may_send": True,
        "spam_action": "folder",
        "expires_on": None,
        "sender_denylist": ("*@spam.example",),
        "daily_outgoing_limit": 100,
    }
    assert found.identities == {Identity(address("al@example.org"), "Ada", "none")}
    assert found.other == {"storage_usage": 1.5, "changed_at": "17:12", "delegations": [], "novelty": {"a": 1}}


@pytest.mark.parametrize(
    ("name", "shown", "read"),
    [
        ("sender_denylist", "a@x.example, b@x.example,", ("a@x.example", "b@x.example")),
        ("sender_denylist", None, ()),
        ("is_internal", "true", True),
        ("is_internal", "false", False),
        ("footer_active", None, None),
        ("daily_outgoing_limit", 5.0, 5),
        ("daily_outgoing_limit", None, None),
        ("autorespond_body", None, None),
    ],
)
def test_variations_of_the_host_are_evened_out(name, shown, read):
    """CSV, booleans as text, whole floats and nulls are read as what they mean."""
    assert objects.mailbox(wire_mailbox(**{name: shown})).fields[name] == read


@pytest.mark.parametrize(
    "broken",
    [
        {"address": None, "local_part": None},
        {"address": "@example.org"},
        {"address": "../admin@example.org"},
        {"address": "..@example.org"},
        {"address": "ada@nowhere"},
        {"address": 5},
        {"name": ["Ada"]},
        {"name": "\ud800"},
        {"name": "Ada\0"},
        {"may_send": "perhaps"},
        {"may_send": 1},
        {"daily_outgoing_limit": 1.5},
        {"daily_outgoing_limit": True},
        {"sender_denylist": [1]},
        {"sender_denylist": {}},
        {"identities": ["al@example.org"]},
        {"identities": "al@example.org"},
    ],
)
def test_a_known_field_of_a_wrong_type_is_malformed(broken):
    """What would have to be guessed is not read, and the error does not quote it."""
    with pytest.raises(MalformedAnswer) as caught:
        objects.mailbox(wire_mailbox(**broken))

    assert "example" not in str(caught.value)


def test_missing_identities_are_not_no_identities():
    """A mailbox shown without its list of identities is malformed: planning would take the list for empty."""
    shown = wire_mailbox()
    del shown["identities"]

    with pytest.raises(MalformedAnswer):
        objects.mailbox(shown)


def test_addresses_that_we_would_not_make_can_still_be_read():
    """The host may hold local parts that our own rule refuses; one of them does not hide a whole domain."""
    found = objects.identity({"address": "O'Brien&sons@Example.ORG", "name": "O'Brien"})
    kept = objects.forwarding({"address": "Jürgen@Bücher.example"})

    assert found.address == "o'brien&sons@example.org"
    assert kept.address == "jürgen@xn--bcher-kva.example"


@pytest.mark.parametrize("shown", [["A@example.org", "b"], "a@example.org, b@example.org"])
def test_destinations_are_full_and_lower_case(shown):
    """Destinations come as an array or CSV, and a bare local part is on the alias's domain."""
    found = objects.alias({"local_part": "team", "domain": "example.org", "destinations": shown})

    assert found == Alias(address("team@example.org"), frozenset({address("a@example.org"), address("b@example.org")}))


def test_every_kind_of_object_is_read():
    """A forwarding, a rewrite and a domain keep their times as text, their lists as addresses, and the unknown."""
    shown = {"address": "Ada@Home.example", "confirmed_at": None, "confirmation_sent_at": "17:12", "is_active": True}
    forwarding = objects.forwarding({**shown, "blocked_at": None, "expires_on": "2026-12-01", "note": "x"})
    rule = {"name": "support", "domain_name": "example.org", "local_part_rule": "support-*", "order_num": 3.0}
    rewrite = objects.rewrite({**rule, "destinations": "a, b@example.org"})
    domain = objects.domain({"name": "Example.ORG", "state": "active", "spam_aggressiveness": 3, "tags": "a,b", "x": 1})

    assert forwarding == Forwarding(
        address("ada@home.example"),
        confirmation_sent_at="17:12",
        fields={"is_active": True, "expires_on": "2026-12-01"},
    )
    assert forwarding.other == {"note": "x"}
    destinations = frozenset({address("a@example.org"), address("b@example.org")})
    assert rewrite == Rewrite("example.org", "support", "support-*", destinations, 3)
    assert domain == Domain("example.org", "active", {"spam_aggressiveness": "3", "tags": ("a", "b")})
    assert domain.other == {"x": 1}
    assert domain.is_active


def test_forwardings_come_with_their_mailbox():
    """They are embedded in a mailbox; a mailbox shown without the list has none that we know of."""
    shown = {"address": "ada@home.example", "is_active": True}

    assert objects.mailbox(wire_mailbox(forwardings=[shown])).forwardings == {
        Forwarding(address("ada@home.example"), fields={"is_active": True})
    }
    assert objects.mailbox({"address": "ada@example.org", "identities": []}).forwardings == frozenset()


def test_an_echo_that_agrees_ignores_nothing():
    """Order and case of lists, line ends, and null for nothing are no differences."""
    sent = {
        "may_send": False,
        "footer_active": False,
        "autorespond_body": "one\ntwo",
        "sender_denylist": ("b@x.example", "A@x.example"),
        "recipient_denylist": (),
    }
    shown = {
        "may_send": False,
        "footer_active": None,
        "autorespond_body": "one\r\ntwo ",
        "sender_denylist": ["a@x.example", "b@x.example"],
        "recipient_denylist": None,
    }

    assert ignored(sent, objects.mailbox(wire_mailbox(**shown)).writable) == ()


def test_fields_not_taken_over_are_named():
    """A field that is shown otherwise, or not at all, is reported; password_use is optional on read."""
    sent = {"autorespond_active": True, "spam_action": "drop", "name": "Ada"}

    assert ignored(sent, {"name": "Ada", "spam_action": "folder"}) == ("autorespond_active", "spam_action")
    assert ignored({"password_use": "none"}, {}) == ()
    assert ignored({"expires_on": "2030-01-01T10:00:00Z"}, {"expires_on": "2030-01-01"}) == ()
    assert ignored({"expires_on": "2030-01-01"}, {"expires_on": "2030-01-02"}) == ("expires_on",)


@pytest.mark.parametrize("shown", [{"may_send": True}, {"may_send": None}, {}])
def test_access_that_is_not_seen_closed_is_not_believed_closed(shown):
    """An access flag differs also where it is shown as null or missing: a block must be proved."""
    with pytest.raises(EchoDiffers) as caught:
        ignored({"may_send": False}, shown)

    assert caught.value.names == ("may_send",)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(
    broken=st.dictionaries(st.sampled_from(["address", "name", "identities", *WRITABLE_FIELDS]), _VALUES, max_size=4)
)
@settings(max_examples=300)
def test_any_object_is_read_or_malformed(broken):
    """Whatever values an object holds, reading it and comparing it raise nothing but the room's own two."""
    shown = wire_mailbox(**broken)
    for read in (objects.mailbox, objects.identity, objects.forwarding, objects.alias, objects.rewrite, objects.domain):
        try:
            value = read(shown)
            ignored({"may_send": True}, value.writable)
        except (MalformedAnswer, EchoDiffers) as error:
            value = error

        assert value is not None


def test_what_is_no_address_is_in_no_traceback():
    """An address that cannot be read is not repeated by any error in the chain."""
    shown = wire_mailbox(address="ada lovelace@home.example")
    with pytest.raises(MalformedAnswer) as caught:
        objects.mailbox(shown)

    assert "ada lovelace" not in "".join(traceback.format_exception(caught.value))
