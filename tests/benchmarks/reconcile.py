"""A reconcile of 10,000 people without drift: which calls it makes, how long it takes, and how much memory it needs.

The mail host is a sandbox in a process of its own, and so is each measurement: on SQLite and, where one answers, on
PostgreSQL. The first look also enters into the ledger what it sees, as after an upgrade; the second is the usual one.
``test_reconcile_at_size`` asserts of a first look what must hold wherever it runs: the calls and the memory.
"""

import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import insert

from tests.benchmarks.sandbox import _get, _post, _sandbox
from tests.servers import POSTGRES, ServerMissing, fresh_database, usable_url
from worker.bell import SilentBell
from worker.clock import SystemClock
from worker.events import parse_event
from worker.execution import Execution
from worker.execution.reconcile import reconcile
from worker.mail import domain_of
from worker.migadu import Hooks, MigaduClient, ThreadClients
from worker.policy import load_policy
from worker.roster import Record, fold
from worker.roster.document import to_document
from worker.store import drift, schema
from worker.store.budget import CallBudget
from worker.store.database import Database
from worker.store.policies import activate, store_policy
from worker.store.tables import AddressRow, MembershipRow, PersonRow, RecordRow

PEOPLE, GROUPS = 10_000, 20
DOMAIN = "example.org"
BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)
FOOTER = "Example Ltd., Long Street 1, 12345 Example City"
POLICY = f"""
[organisation]
domain = "{DOMAIN}"

[mailbox]
may_access_pop3 = false
footer_active = true
footer_plain_body = "{FOOTER}"
""" + "".join(
    f'[[groups]]\naddress = "team{number}"\nmembers = {{ department = "Team {number}" }}\n' for number in range(GROUPS)
)


def measure() -> dict[str, object]:
    """Measure on each engine that there is."""
    with mail_host() as sandbox, tempfile.TemporaryDirectory() as directory:
        measured = {"people": PEOPLE, "groups": GROUPS, "sqlite": _on(f"sqlite:///{directory}/it.db", sandbox)}
        try:
            with fresh_database(usable_url(POSTGRES)) as url:
                measured["postgresql"] = _on(url, sandbox)
        except ServerMissing as error:
            measured["postgresql"] = str(error)
    return measured


@contextmanager
def mail_host() -> Iterator[str]:
    """Run a sandbox that holds everything as it is wanted; tells its address."""
    with _sandbox() as sandbox:
        _post(f"{sandbox}/_sandbox/seed", {"domains": [_domain()]})
        yield sandbox


def _on(url: str, sandbox: str) -> dict[str, object]:
    schema.upgrade(url)
    with closing(Database(url)) as database:
        enter_people(database)
    return {name: look(url, sandbox) for name in ("first look", "second look")}


def look(url: str, sandbox: str) -> dict[str, object]:
    """Reconcile once in a process of its own, and return what that needed."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_look, args=(url, sandbox, theirs))
    process.start()
    theirs.close()
    measured: dict[str, object] = ours.recv()
    process.join()
    return measured


def _look(url: str, sandbox: str, answer: Connection) -> None:
    before = len(_calls(sandbox))
    with closing(Database(url)) as database, closing(ThreadClients()) as clients:
        execution = _execution(database, clients, f"{sandbox}/v1")
        at_first = _memory_mb("VmRSS")
        began = time.perf_counter()
        done = reconcile(execution, DOMAIN)
        seconds = time.perf_counter() - began
        peak = _memory_mb("VmHWM")
        with database.read() as session:
            found = {kind.value: number for kind, number in drift.count(session).items()}
    calls = [f"{call['method']} {call['path']}" for call in _calls(sandbox)[before:]]
    answer.send(
        {
            "compared": {"people": done.people, "shared": done.shared},
            "found": found,
            "calls": calls,
            "seconds": round(seconds, 1),
            "people_per_s": round(done.people / seconds),
            "peak_mb": round(peak),
            "peak_growth_mb": round(peak - at_first),
        },
    )


def _execution(database: Database, clients: ThreadClients, url: str) -> Execution:
    def connect(hooks: Hooks) -> MigaduClient:
        return MigaduClient(url, "admin@example.org", "sandbox-key", http=clients.client(), hooks=hooks)

    return Execution(
        database=database,
        clock=SystemClock(),
        bell=SilentBell(),
        precedence={"hr": 10},
        connect=connect,
        worker="benchmark",
        random_password=lambda: "",
        budget=CallBudget(None),
    )


def _memory_mb(which: str) -> float:
    """Return a figure of Linux's own: VmRSS is what is held now, VmHWM the most that was held.

    What ``getrusage`` tells as the most is no use: a process that was forked begins with its parent's.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (kilobytes,) = [int(line.split()[1]) for line in lines if line.startswith(f"{which}:")]
    return kilobytes / 1024


def _calls(sandbox: str) -> list[Mapping[str, str]]:
    calls: list[Mapping[str, str]] = json.loads(_get(f"{sandbox}/_sandbox/calls"))["calls"]
    return calls


def _address(number: int) -> str:
    return f"person{number}.family{number}@{DOMAIN}"


def _domain() -> dict[str, object]:
    """Return what the host holds when everything is as it is wanted."""
    wanted = {"may_access_pop3": False, "footer_active": True, "footer_plain_body": FOOTER}
    boxes = [
        {"local_part": _address(number).partition("@")[0], "name": f"Person{number} Family{number}", **wanted}
        for number in range(1, PEOPLE + 1)
    ]
    members = [[_address(number) for number in range(1, PEOPLE + 1) if number % GROUPS == of] for of in range(GROUPS)]
    aliases = [{"local_part": f"team{of}", "destinations": listed} for of, listed in enumerate(members)]
    return {"name": DOMAIN, "mailboxes": boxes, "aliases": aliases, "rewrites": []}


def enter_people(database: Database) -> None:
    """Enter everybody as if they had joined, had been given their mailboxes and been put into their groups."""
    everybody = range(1, PEOPLE + 1)
    policy = load_policy(POLICY)
    with database.write() as session:
        store_policy(session, POLICY, policy.hash, BEGAN)
        activate(session, policy.hash, BEGAN)
        session.execute(
            insert(PersonRow), [{"id": each, "created_at": BEGAN, "name": "", "phase": ""} for each in everybody]
        )
        session.execute(insert(RecordRow), [_record(each) for each in everybody])
        held = [_held(_address(each), "primary", each) for each in everybody]
        held += [_held(f"team{of}@{DOMAIN}", "shared", None) for of in range(GROUPS)]
        session.execute(insert(AddressRow), held)
        groups = [{"person_id": each, "address": f"team{each % GROUPS}@{DOMAIN}", "since": BEGAN} for each in everybody]
        session.execute(insert(MembershipRow), groups)


def _record(number: int) -> dict[str, object]:
    facts = {
        "givenName": f"Person{number}",
        "familyName": f"Family{number}",
        "personalEmail": f"person{number}@home.example",
        "department": f"Team {number % GROUPS}",
    }
    document = {
        "specversion": "1.0",
        "id": f"evt-{number}",
        "source": "urn:example:hr",
        "type": "person.joined",
        "subject": f"E{number}",
        "time": BEGAN.isoformat(),
        "data": facts,
    }
    record = fold(Record("hr", f"E{number}"), parse_event(document, now=BEGAN), BEGAN)
    return {
        "source": "hr",
        "subject": f"E{number}",
        "person_id": number,
        "document": to_document(record),
        "updated_at": BEGAN,
    }


def _held(address: str, role: str, person_id: int | None) -> dict[str, object]:
    return {
        "address": address,
        "domain": domain_of(address),
        "role": role,
        "provenance": "created",
        "person_id": person_id,
        "held_from": BEGAN,
        "exists_since": BEGAN,
    }
