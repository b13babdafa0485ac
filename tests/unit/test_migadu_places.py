"""Where things are at the host, and what is sent there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.mail import address
from worker.migadu import (
    CallName,
    Invitation,
    Password,
    Verb,
    activate,
    alias_at,
    aliases_of,
    create,
    delete,
    domain_at,
    domains,
    forwarding_at,
    forwardings_of,
    identities_of,
    identity_at,
    mailbox_at,
    mailboxes_of,
    rewrite_at,
    rewrites_of,
    update,
)

ADA, AL = address("ada+x@example.org"), address("al@example.org")
HOME = address("ada@home.example")
MAILBOX = "/domains/example.org/mailboxes/ada%2Bx"
HIDDEN = "/domains/example.org/mailboxes/*"


@pytest.mark.parametrize(
    ("index", "path", "public"),
    [
        (domains(), "/domains", "/domains"),
        (mailboxes_of("Bücher.example"), "/domains/xn--bcher-kva.example/mailboxes", None),
        (aliases_of("example.org"), "/domains/example.org/aliases", None),
        (rewrites_of("example.org"), "/domains/example.org/rewrites", None),
        (identities_of(ADA), f"{MAILBOX}/identities", f"{HIDDEN}/identities"),
        (forwardings_of(ADA), f"{MAILBOX}/forwardings", f"{HIDDEN}/forwardings"),
    ],
)
def test_an_index_has_its_path(index, path, public):
    """Each index is listed by GET at its path, with the domain in punycode; what is told of it names nobody."""
    assert index.path == path
    assert (index.call.method, index.call.path) == ("GET", public or path)
    assert "ada" not in repr(index)


@pytest.mark.parametrize(
    ("place", "path", "public"),
    [
        (domain_at("example.org"), "/domains/example.org", "/domains/example.org"),
        (mailbox_at(ADA), MAILBOX, HIDDEN),
        (identity_at(ADA, AL), f"{MAILBOX}/identities/al", f"{HIDDEN}/identities/*"),
        (forwarding_at(ADA, HOME), f"{MAILBOX}/forwardings/ada%40home.example", f"{HIDDEN}/forwardings/*"),
        (alias_at(AL), "/domains/example.org/aliases/al", "/domains/example.org/aliases/*"),
        (rewrite_at("example.org", "a/b"), "/domains/example.org/rewrites/a%2Fb", "/domains/example.org/rewrites/*"),
    ],
)
def test_an_object_has_its_path(place, path, public):
    """Every part is percent-encoded, a forwarding goes by its full address, and what is told of it names nobody."""
    assert place.path == path
    assert place.call(Verb.SHOW).path == place.call(Verb.UPDATE).path == public
    assert "ada" not in repr(place)


@given(local=st.text(alphabet="abc./%?#\\ ", min_size=1, max_size=6))
def test_no_address_names_what_lies_above(local):
    """Whatever stands before the @, an object's path stays below its index, or there is no place at all."""
    try:
        place = mailbox_at(f"{local}@example.org")
    except ValueError:
        assert not local.strip(".")
        return

    last = place.path.removeprefix("/domains/example.org/mailboxes/")
    assert last.strip(".")
    assert not set("/?#\\ ") & set(last)


def test_every_call_has_a_method():
    """A domain is changed by PATCH and activated by GET, which is a write all the same (migadu-behaviour.md 1.1)."""
    methods = {name: name.method for name in CallName}

    assert methods[CallName.UPDATE_DOMAIN] == "PATCH"
    assert (methods[CallName.ACTIVATE_DOMAIN], CallName.ACTIVATE_DOMAIN.is_write) == ("GET", True)
    assert {name for name in CallName if name.is_write and name.method == "GET"} == {CallName.ACTIVATE_DOMAIN}
    assert set(methods.values()) == {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize(
    ("write", "call", "path", "body"),
    [
        (
            create(mailbox_at(AL), {"name": "Al", "sender_denylist": ("x@y.example",)}, Password("s3cret")),
            "POST",
            "/domains/example.org/mailboxes",
            {"local_part": "al", "name": "Al", "sender_denylist": ["x@y.example"], "password": "s3cret"},
        ),
        (
            create(mailbox_at(AL), {"name": "Al"}, Invitation("al@home.example")),
            "POST",
            "/domains/example.org/mailboxes",
            {
                "local_part": "al",
                "name": "Al",
                "password_method": "invitation",
                "password_recovery_email": "al@home.example",
            },
        ),
        (update(mailbox_at(ADA), {}, Password("s3cret")), "PUT", MAILBOX, {"password": "s3cret"}),
        (
            create(identity_at(ADA, AL), {"name": "Al"}),
            "POST",
            f"{MAILBOX}/identities",
            {"local_part": "al", "name": "Al", "password_use": "none"},
        ),
        (create(forwarding_at(ADA, HOME)), "POST", f"{MAILBOX}/forwardings", {"address": HOME}),
        (
            create(alias_at(AL), {"destinations": (ADA,)}),
            "POST",
            "/domains/example.org/aliases",
            {"local_part": "al", "destinations": [ADA]},
        ),
        (
            update(alias_at(AL), {"destinations": ("al@bücher.example", "ada")}),
            "PUT",
            "/domains/example.org/aliases/al",
            {"destinations": ["al@xn--bcher-kva.example", "ada"]},
        ),
        (
            create(rewrite_at("example.org", "s"), {"local_part_rule": "s-*", "destinations": (ADA, AL)}),
            "POST",
            "/domains/example.org/rewrites",
            {"name": "s", "local_part_rule": "s-*", "destinations": f"{ADA},{AL}"},
        ),
        (
            update(rewrite_at("example.org", "s"), {"name": "t"}),
            "PUT",
            "/domains/example.org/rewrites/s",
            {"name": "t"},
        ),
        (
            create(domain_at("example.org"), {"create_default_addresses": False}),
            "POST",
            "/domains",
            {"name": "example.org", "create_default_addresses": False},
        ),
        (update(domain_at("example.org"), {"tags": ("a",)}), "PATCH", "/domains/example.org", {"tags": ["a"]}),
        (activate(domain_at("example.org")), "GET", "/domains/example.org/activate", None),
        (delete(forwarding_at(ADA, HOME)), "DELETE", f"{MAILBOX}/forwardings/ada%40home.example", None),
    ],
)
def test_a_write_is_what_is_sent(write, call, path, body):
    """The body holds what changes and nothing else: arrays for lists, CSV for rewrites, credentials by their rules."""
    assert (write.call.method, write.path, write.body) == (call, path, body)
    assert not {"ada", "home.example", "s3cret"} & set(repr(write).replace("'", " ").split())
    assert "s3cret" not in repr(write)
    assert "home.example" not in repr(write)


def test_every_secret_is_named():
    """What no excerpt of an answer may show: the password, and the address of the owner outside."""
    assert create(mailbox_at(AL), {"name": "Al"}, Password("s3cret")).secrets == ("s3cret",)
    assert "al@home.example" in create(mailbox_at(AL), {"name": "Al"}, Invitation("al@home.example")).secrets
    assert update(mailbox_at(AL), {"password_recovery_email": "x@y.example"}).secrets == ("x@y.example",)
