"""Every fault on every call: the class of failure, the fate that reading back tells, and what the host then holds."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from worker.mail import address
from worker.migadu import (
    CALL_DEADLINE,
    CallName,
    EchoMismatch,
    FailureClass,
    Fate,
    MigaduClient,
    MigaduError,
    Password,
    Sending,
    ThreadClients,
    Verb,
    Write,
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
    read_back,
    rewrite_at,
    rewrites_of,
    update,
)
from worker.sandbox import RunningSandbox
from worker.wire import trusted

NOW = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
ADA, AL, BOB = address("ada@example.org"), address("al@example.org"), address("bob@example.org")
TEAM, NEW = address("team@example.org"), address("new@example.org")
HOME, AWAY = address("ada@home.example"), address("ada@away.example")
SEED = {
    "domains": [
        {
            "name": "example.org",
            "mailboxes": [
                {
                    "local_part": "ada",
                    "name": "Ada",
                    "identities": [{"local_part": "al", "name": "Al"}],
                    "forwardings": [{"address": HOME}],
                },
                {"local_part": "bob", "name": "Bob"},
            ],
            "aliases": [{"local_part": "team", "destinations": [ADA]}],
            "rewrites": [{"name": "support", "local_part_rule": "support-*", "destinations": [ADA]}],
        },
        {"name": "new.example", "state": "inactive"},
    ]
}

TRANSIENT, UNKNOWN, THROTTLED = FailureClass.TRANSIENT, FailureClass.UNKNOWN, FailureClass.THROTTLED
FULL, ACCOUNT = FailureClass.FULL, FailureClass.ACCOUNT


@dataclass(frozen=True, slots=True)
class Case:
    """One call that can be made of the seeded host."""

    ask: Callable[[MigaduClient], object]
    path: str
    write: Write[Any] | None = None
    before: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, and what comes of it."""

    posted: Mapping[str, Any]
    on_read: FailureClass | None = None
    on_write: FailureClass | None = None
    is_applied: bool = True
    """Whether a write has taken effect."""

    @property
    def name(self) -> str:
        """What it is called in the list of tests."""
        return "-".join(str(value) for value in self.posted.values())


def _reading(call: CallName, path: str, ask: Callable[[MigaduClient], object]) -> tuple[CallName, Case]:
    return call, Case(ask, path)


def _writing(write: Write[Any], before: Mapping[str, Any] | None = None) -> tuple[CallName, Case]:
    return write.call.operation, Case(lambda migadu: migadu.send(write), write.path, write, before)


CASES: dict[CallName, Case] = dict(
    [
        _reading(CallName.LIST_DOMAINS, "/domains", lambda migadu: migadu.index(domains())),
        *(
            _reading(index.call.operation, index.path, lambda migadu, index=index: migadu.index(index))
            for index in (
                mailboxes_of("example.org"),
                identities_of(ADA),
                forwardings_of(ADA),
                aliases_of("example.org"),
                rewrites_of("example.org"),
            )
        ),
        *(
            _reading(place.call(Verb.SHOW).operation, place.path, lambda migadu, place=place: migadu.show(place))
            for place in (
                domain_at("example.org"),
                mailbox_at(ADA),
                identity_at(ADA, AL),
                forwarding_at(ADA, HOME),
                alias_at(TEAM),
                rewrite_at("example.org", "support"),
            )
        ),
        *(
            _reading(
                CallName(f"show-{what}"),
                f"/domains/example.org/{what}",
                lambda migadu, what=what: getattr(migadu, what)(domain_at("example.org")),
            )
            for what in ("records", "diagnostics", "usage")
        ),
        _writing(create(domain_at("books.example"), {"description": "Books"})),
        _writing(update(domain_at("example.org"), {"tags": ("ours",)})),
        _writing(activate(domain_at("new.example"))),
        _writing(create(mailbox_at(NEW), {"name": "New", "may_send": False}, Password("Sup3r_s3cr3T"))),
        _writing(
            update(mailbox_at(ADA), {"name": "Ada King", "may_send": False}, Password("r4ndom-and-long")),
            before={"name": "Ada", "may_send": True},
        ),
        _writing(delete(mailbox_at(ADA))),
        _writing(create(identity_at(ADA, NEW), {"name": "New"})),
        _writing(update(identity_at(ADA, AL), {"name": "Alan"})),
        _writing(delete(identity_at(ADA, AL))),
        _writing(create(forwarding_at(ADA, AWAY), {"is_active": True})),
        _writing(update(forwarding_at(ADA, HOME), {"is_active": False})),
        _writing(delete(forwarding_at(ADA, HOME))),
        _writing(create(alias_at(NEW), {"destinations": (ADA, BOB)})),
        _writing(update(alias_at(TEAM), {"destinations": (BOB,)})),
        _writing(delete(alias_at(TEAM))),
        _writing(create(rewrite_at("example.org", "sales"), {"local_part_rule": "sales-*", "destinations": (BOB,)})),
        _writing(update(rewrite_at("example.org", "support"), {"name": "help", "destinations": (BOB,)})),
        _writing(delete(rewrite_at("example.org", "support"))),
    ]
)
WRITES = {name: case for name, case in CASES.items() if case.write is not None}

FAULTS = [
    Fault({"fault": "latency", "seconds": 0.001}),
    Fault({"fault": "null-booleans"}),
    Fault({"fault": "drop-before-apply"}, TRANSIENT, UNKNOWN, is_applied=False),
    Fault({"fault": "drop-after-apply"}, TRANSIENT, UNKNOWN),
    *(
        Fault({"fault": f"{status}-{when}-apply", "body": body}, TRANSIENT, UNKNOWN, is_applied=when == "after")
        for status in (500, 502, 504)
        for when in ("before", "after")
        for body in ("error", "string", "text", "html", "empty")
    ),
    Fault({"fault": "503"}, TRANSIENT, TRANSIENT, is_applied=False),
    Fault({"fault": "429", "retry_after": 7}, TRANSIENT, TRANSIENT, is_applied=False),
    Fault({"fault": "throttle-403"}, THROTTLED, THROTTLED, is_applied=False),
    Fault({"fault": "plan-limit-403"}, FULL, FULL, is_applied=False),
    Fault({"fault": "401"}, ACCOUNT, ACCOUNT, is_applied=False),
    Fault({"fault": "poison"}, TRANSIENT, UNKNOWN, is_applied=False),
]


class Host:
    """The stand-in, with its control."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.api_url = sandbox.api_url
        self._control = httpx.Client(base_url=f"{sandbox.url}/_sandbox", trust_env=False, verify=trusted())
        self._after: dict[CallName, object] = {}

    def close(self) -> None:
        """Close the connection to its control."""
        self._control.close()

    def seed(self) -> object:
        """Load the scene without any fault, and return it."""
        self.fail()
        return self._control.post("/seed", json=SEED).raise_for_status().json()

    def fail(self, *faults: Mapping[str, Any]) -> None:
        """Have these faults and no others from now on."""
        self._control.post("/faults", json=list(faults)).raise_for_status()

    @property
    def state(self) -> object:
        """Everything it holds."""
        return self._control.get("/state").raise_for_status().json()

    def after(self, name: CallName, migadu: MigaduClient) -> object:
        """Return what it holds after a call that nothing disturbs."""
        if name not in self._after:
            self.seed()
            CASES[name].ask(migadu)
            self._after[name] = self.state
        return self._after[name]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """One stand-in whose clock stands still, for all tests of this file."""
    with RunningSandbox(clock=lambda: NOW) as sandbox:
        host = Host(sandbox)
        yield host
        host.close()


@pytest.fixture(scope="module")
def migadu(host: Host) -> Iterator[MigaduClient]:
    """A client of the stand-in."""
    with ThreadClients() as clients:
        yield MigaduClient(host.api_url, "admin@example.org", "sandbox-key", http=clients.client())


def _on(case: Case, fault: Mapping[str, Any], **more: object) -> dict[str, object]:
    """Return a fault that meets this call alone."""
    method = case.write.call.method if case.write else "GET"
    return {"match": {"method": method, "path": f"/v1{case.path}"}, "times": 1, **fault, **more}


def _failure(case: Case, migadu: MigaduClient) -> FailureClass | None:
    try:
        case.ask(migadu)
    except MigaduError as error:
        return error.failure
    return None


def _fate(case: Case, migadu: MigaduClient, *, later: bool = True) -> Fate:
    """Read a write back as somebody would who had seen the place of a creation free just before."""
    assert case.write is not None
    sending = Sending(NOW, seen_free_at=NOW, before=case.before)
    return read_back(migadu, case.write, sending, NOW + CALL_DEADLINE if later else NOW)


def test_every_call_is_here() -> None:
    """Whatever the client can ask is in the matrix."""
    assert set(CASES) == set(CallName)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("name", CASES)
def test_every_fault_on_every_call(host: Host, migadu: MigaduClient, name: CallName, fault: Fault) -> None:
    """The error has the class of its fault, nothing happened but what did, and reading back tells which it was."""
    case, changed, seeded = CASES[name], host.after(name, migadu), host.seed()
    host.fail(_on(case, fault.posted))

    failure = _failure(case, migadu)

    assert failure is (fault.on_write if case.write else fault.on_read)
    assert host.state == (changed if fault.is_applied else seeded)
    if failure is UNKNOWN:
        assert _fate(case, migadu) is (Fate.APPLIED if fault.is_applied else Fate.NOT_APPLIED)
        assert _fate(case, migadu, later=False) is (Fate.APPLIED if fault.is_applied else Fate.LOOK_AGAIN)
    if failure is not None and not fault.is_applied:
        case.ask(migadu)
        assert host.state == changed


@pytest.mark.parametrize("name", WRITES)
def test_a_call_that_arrives_after_its_deadline_is_awaited(host: Host, name: CallName) -> None:
    """Who gives up does not take the write for undone: it shows later, and is found to be applied."""
    case = WRITES[name]
    with ThreadClients(deadline_s=0.1) as hasty, ThreadClients() as patient:
        clients = [
            MigaduClient(host.api_url, "admin@example.org", "sandbox-key", http=each.client())
            for each in (hasty, patient)
        ]
        changed = host.after(name, clients[1])
        host.seed()
        host.fail(_on(case, {"fault": "latency", "seconds": 0.4}))

        failure = _failure(case, clients[0])
        at_once = _fate(case, clients[1], later=False)
        _until(lambda: host.state == changed)

        assert (failure, at_once) == (UNKNOWN, Fate.LOOK_AGAIN)
        assert _fate(case, clients[1], later=False) is Fate.APPLIED


def _until(condition: Callable[[], bool]) -> None:
    """Wait for what the host does by itself."""
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to pass")


@pytest.mark.parametrize("name", WRITES)
def test_a_stale_read_is_looked_at_again(host: Host, migadu: MigaduClient, name: CallName) -> None:
    """While reads show what was there before a write whose answer was lost, nothing is concluded; then it shows."""
    case = WRITES[name]
    host.seed()
    assert case.write is not None
    read = {"method": "GET", "path": f"/v1{case.write.goes_to.path}"}
    host.fail(_on(case, {"fault": "drop-after-apply"}), {"match": read, "fault": "stale-read", "seconds": 3600})

    failure = _failure(case, migadu)
    stale = _fate(case, migadu, later=False)
    host.fail()

    assert (failure, stale) == (UNKNOWN, Fate.LOOK_AGAIN)
    assert _fate(case, migadu, later=False) is Fate.APPLIED


@pytest.mark.parametrize("name", [name for name in WRITES if name.verb is Verb.CREATE])
def test_somebody_elses_object_is_never_taken_for_ours(host: Host, migadu: MigaduClient, name: CallName) -> None:
    """Where another hand takes the place while our call is lost, reading back says so, and a repetition is refused."""
    case = WRITES[name]
    assert case.write is not None
    theirs = _otherwise(case.write)
    host.seed()
    host.fail(_on(case, {"fault": "drop-before-apply"}))

    failure = _failure(case, migadu)
    migadu.send(theirs)

    assert failure is UNKNOWN
    assert _fate(case, migadu) is Fate.SOMEBODY_ELSES
    assert _failure(case, migadu) is FailureClass.REFUSED


def _otherwise(write: Write[Any]) -> Write[Any]:
    """Return the creation of another object in the same place."""
    changed = {
        "name": "Somebody Else",
        "description": "Somebody else's",
        "destinations": (ADA,),
        "local_part_rule": "elsewhere-*",
        "is_active": False,
    }
    fields = {name: changed.get(name, value) for name, value in write.fields.items()}
    return create(write.place, fields, write.credential)


@pytest.mark.parametrize(
    ("write", "ignored"),
    [
        (update(mailbox_at(ADA), {"spam_action": "drop", "name": "Ada King"}), ("spam_action",)),
        (update(mailbox_at(ADA), {"autorespond_active": True, "autorespond_subject": "Away"}), ("autorespond_active",)),
        (create(mailbox_at(NEW), {"name": "New", "wildcard_sender": True}, Password("r4ndom-1")), ("wildcard_sender",)),
        (update(identity_at(ADA, AL), {"footer_active": True}), ("footer_active",)),
        (create(forwarding_at(ADA, AWAY), {"expires_on": "2030-01-01"}), ("expires_on",)),
        (update(alias_at(TEAM), {"expires_on": "2030-01-01", "expireable": True}), ("expireable", "expires_on")),
        (update(rewrite_at("example.org", "support"), {"order_num": 9}), ("order_num",)),
        (update(domain_at("example.org"), {"greylisting_enabled": True}), ("greylisting_enabled",)),
    ],
    ids=lambda value: value.call.operation if isinstance(value, Write) else "+".join(value),
)
def test_fields_that_did_not_take_are_named(
    host: Host, migadu: MigaduClient, write: Write[Any], ignored: tuple[str, ...]
) -> None:
    """The host answers 200 and leaves a field as it was: the echo gives it away by name."""
    host.seed()
    host.fail({"fault": "ignore-fields", "fields": list(ignored), "times": 1})

    written = migadu.send(write)

    assert written.ignored == ignored


@pytest.mark.parametrize(
    ("write", "field"),
    [
        (update(mailbox_at(ADA), {"may_send": False, "name": "Ada King"}), "may_send"),
        (update(identity_at(ADA, AL), {"may_access_imap": False}), "may_access_imap"),
        (update(forwarding_at(ADA, HOME), {"is_active": False}), "is_active"),
        (update(alias_at(TEAM), {"destinations": (BOB,)}), "destinations"),
        (update(rewrite_at("example.org", "support"), {"local_part_rule": "help-*"}), "local_part_rule"),
        (update(domain_at("example.org"), {"catchall_destinations": (BOB,)}), "catchall_destinations"),
    ],
    ids=lambda value: value.call.operation if isinstance(value, Write) else value,
)
def test_what_decides_who_gets_in_must_take(host: Host, migadu: MigaduClient, write: Write[Any], field: str) -> None:
    """Where access or the way of mail did not change as told, the write is refused, with the field by name."""
    host.seed()
    host.fail({"fault": "ignore-fields", "fields": [field], "times": 1})

    with pytest.raises(EchoMismatch) as caught:
        migadu.send(write)

    assert caught.value.differing == (field,)


def test_retry_after_comes_with_the_error(host: Host, migadu: MigaduClient) -> None:
    """What the host asks for in a 429 or 503 is told in seconds."""
    for fault in ("429", "503"):
        host.seed()
        host.fail({"fault": fault, "retry_after": 7, "times": 1})
        with pytest.raises(MigaduError) as caught:
            migadu.index(mailboxes_of("example.org"))

        assert caught.value.retry_after_s == 7
