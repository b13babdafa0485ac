"""What goes wrong at the mail host: what is paused, repeated, read back, parked, and never done twice."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.integration.office import DAY, KEY, MONDAY, PASSWORD, POLICY, USER, Office
from tests.integration.shell import beside
from worker.execution import run_next, sweep_once
from worker.execution.look import look_at
from worker.execution.verbs import dismiss
from worker.migadu import CALL_DEADLINE, AccountRefused, Hooks, MigaduClient
from worker.sandbox import RunningSandbox
from worker.store.budget import CallLimit, Room
from worker.store.database import Database
from worker.store.states import JobState

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
_Failure = Exception | httpx.Response
NOBODY = "http://127.0.0.1:9/v1"  # the discard port: connections are refused


class _Wire(httpx.BaseTransport):
    """A wire to the real sandbox that fails for some requests, before or after they arrive."""

    def __init__(self, method: str, failure: _Failure, *, times: int, arrives: bool, path: str = "") -> None:
        self._method, self._path, self._failure = method, path, failure
        self._left, self._arrives = times, arrives
        self._real = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, or fail."""
        if self._left and request.method == self._method and self._path in request.url.path:
            self._left -= 1
            if self._arrives:
                self._real.handle_request(request).read()
            if isinstance(self._failure, httpx.Response):
                return self._failure
            raise self._failure
        return self._real.handle_request(request)

    def close(self) -> None:
        """Close the connection."""
        self._real.close()


@pytest.fixture
def break_wire(office: Office) -> Iterator[object]:
    """Make the next requests of a method fail with an exception, after they arrived at the host or without."""
    with closing(_Opened()) as opened:

        def broken(method: str, failure: _Failure, *, times: int = 1, arrives: bool = False, path: str = "") -> None:
            client = httpx.Client(transport=_Wire(method, failure, times=times, arrives=arrives, path=path))
            opened.clients.append(client)

            def connect(hooks: Hooks) -> MigaduClient:
                return MigaduClient(office.url, USER, KEY, http=client, hooks=hooks)

            office.execution = replace(office.execution, connect=connect)

        yield broken


class _Opened:
    def __init__(self) -> None:
        self.clients: list[httpx.Client] = []

    def close(self) -> None:
        for client in self.clients:
            client.close()


def test_closed_call_limit_of_the_host_pauses_everybody(database: Database, sandbox: RunningSandbox) -> None:
    """The proxy's 403 closes the host for all jobs, counts as nobody's failure, and ends when a probe passes."""
    with RunningSandbox(rate_limit=(4, 3600.0)) as limited, closing(Office(database, limited)) as office:
        for number in range(6):
            office.join(f"E{number}", f"Ada {'ABCDEF'[number]}")
        office.drain()
        assert office.calls("POST") == [("POST", "mailboxes")] * 3  # the third was turned away
        assert len(office.mailboxes()) == 2
        assert {job.failures for job in office.jobs()} == {0}

        office.work_on(10 * MINUTE)
        assert len(office.calls()) <= 5 + 3  # probes with growing pauses, not one per job and minute

        office.move_to(sandbox)
        office.work_on(HOUR)

        assert len(office.mailboxes()) == 6
        assert office.outstanding() == []


def test_wrong_key_pauses_everybody_until_it_is_mended(office: Office) -> None:
    """A 401 pauses all jobs with one reason and burns no attempt; with the right key everything goes on."""
    office.employ("Ada Lovelace")
    office.key = "wrong"
    for number in range(2, 6):
        office.join(f"E{number}", f"Grace {'ABCDEF'[number]}")
    office.tell("left", "E1")
    before = len(office.calls())
    office.drain()
    assert len(office.calls()) == before + 1
    assert {job.failures for job in office.jobs()} == {0}

    office.key = KEY
    office.drain()
    assert len(office.calls()) == before + 1

    office.move(2 * MINUTE)
    office.drain()

    assert not office.doors("ada.lovelace")["send"]
    assert len(office.mailboxes()) == 5
    assert office.outstanding() == []


def test_call_limit_is_never_exceeded_and_keeps_a_reserve_for_revocations(office: Office) -> None:
    """Joiners stop where the reserve begins, a departure uses it, and nothing goes beyond the limit."""
    office.employ("Ada Lovelace", "Grace Hopper")
    before = len(office.calls())
    office.limited(CallLimit(calls=3, window=HOUR, reserve=2))
    office.join("E3", "Alan Turing")
    office.join("E4", "Edsger Dijkstra")
    office.drain()
    assert office.calls()[before:] == [("POST", "mailboxes")]

    office.tell("left", "E1")
    office.tell("left", "E2")
    office.drain()
    assert office.calls()[before + 1 :] == [("GET", "mailboxes/ada.lovelace"), ("PUT", "mailboxes/ada.lovelace")]

    for _ in range(2):
        office.execute("update call_slots set busy_until = :past", past=_past(office))
        office.drain()

    assert not office.doors("grace.hopper")["send"]
    assert "edsger.dijkstra" in office.mailboxes()


def _past(office: Office) -> object:
    past = MONDAY - DAY
    return past.replace(tzinfo=None).isoformat(" ") if office.database.is_sqlite else past


def test_call_limit_holds_for_many_threads(office: Office) -> None:
    """Eight workers at once make no more calls than the limit allows for all together."""
    office.employ("Grace Hopper")
    for number in range(2, 14):
        office.join(f"E{number}", f"Ada {'ABCDEFGHIJKLMNO'[number]}")
    office.apply_all()
    before = len(office.calls())
    office.limited(CallLimit(calls=5, window=HOUR, reserve=1))
    workers = [office.colleague(f"w{number}") for number in range(8)]
    threads = [Thread(target=office.run_all, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(office.calls()) - before == 4  # five less the reserve
    assert JobState.RUNNING not in {job.state for job in office.jobs()}


def test_step_that_met_the_limit_was_not_sent(office: Office) -> None:
    """Where the limit is reached between looking and writing, the step stays intended and needs no settling."""
    office.employ("Ada Lovelace")
    office.limited(CallLimit(calls=1, window=HOUR, reserve=0))

    office.tell("left", "E1")
    office.drain()
    assert office.ledger()[-1] == ("block-mailbox", "intended")
    assert office.outstanding() == [("person", "waiting", "the call limit is reached")]

    office.execution = replace(office.execution, budget=office.budget(None))
    office.move(HOUR + MINUTE)
    office.drain()

    assert office.ledger()[-1] == ("block-mailbox", "confirmed")
    assert office.calls("PUT") == [("PUT", "mailboxes/ada.lovelace")]


def test_revocation_waits_in_place_for_a_slot(office: Office) -> None:
    """Where the next slot is free in a moment, a departure waits for it within its run instead of coming back."""
    office.employ("Ada Lovelace")
    office.limited(CallLimit(calls=1, window=3 * SECOND, reserve=0))
    began_at = office.clock.now()
    office.tell("left", "E1")
    office.apply_all()

    run_next(office.execution)

    assert office.outstanding() == []
    assert not office.doors("ada.lovelace")["send"]
    assert 3 * SECOND <= office.clock.now() - began_at <= 5 * SECOND


@pytest.mark.parametrize(("event", "window"), [("left", 30), ("renamed", 3)], ids=["too long", "no revocation"])
def test_nobody_waits_in_place_for_long_or_without_need(office: Office, event: str, window: int) -> None:
    """A revocation that would wait longer than five seconds, and any other job, comes back when it was told."""
    office.employ("Ada Lovelace")
    office.limited(CallLimit(calls=1, window=window * SECOND, reserve=0))
    began_at = office.clock.now()
    office.tell(event, "E1", **({"givenName": "Augusta"} if event == "renamed" else {}))
    office.apply_all()

    run_next(office.execution)

    assert office.clock.now() == began_at
    assert office.outstanding() == [("person", "waiting", "the call limit is reached")]
    assert window * SECOND <= office.job_of(1).run_at - began_at <= (window + 1) * SECOND


def test_too_many_requests_stop_everybody_for_as_long_as_the_host_asks(office: Office, break_wire) -> None:
    """A 429 with Retry-After is one call; until the time is over nobody else makes one, and then one probes."""
    office.employ("Ada Lovelace", "Grace Hopper", "Alan Turing")
    break_wire("GET", httpx.Response(429, headers={"Retry-After": "60"}))
    before = len(office.attempts())
    for number in (1, 2, 3):
        office.tell("left", f"E{number}")
    office.drain()
    office.move(50 * SECOND)
    office.drain()
    assert [attempt.status for attempt in office.attempts()[before:]] == [429]

    office.move(MINUTE)
    office.drain()

    assert not any(office.doors(name)["send"] for name in ("ada.lovelace", "grace.hopper", "alan.turing"))
    assert office.outstanding() == []


def test_busy_host_stops_nobody_else(office: Office, break_wire) -> None:
    """A 503 speaks of its own call, even with Retry-After: the others go on."""
    office.employ("Ada Lovelace", "Grace Hopper")
    break_wire("GET", httpx.Response(503, headers={"Retry-After": "60"}), path="ada.lovelace", times=9)
    office.tell("left", "E1")
    office.tell("left", "E2")
    office.drain()

    assert not office.doors("grace.hopper")["send"]
    assert office.job_of(1).run_at >= office.clock.now() + MINUTE


def test_refused_account_is_probed_by_one_with_growing_pauses(office: Office) -> None:
    """While the key is wrong, eight workers make one call after one minute, after two more, after four more."""
    office.employ("Ada Lovelace")
    office.key = "wrong"
    for number in range(2, 12):
        office.join(f"E{number}", f"Grace {'ABCDEFGHIJKLM'[number]}")
    office.apply_all()
    before = len(office.calls())
    workers = [office.colleague(f"w{number}") for number in range(8)]
    for minutes in (0, 1, 2, 4):
        office.move(minutes * MINUTE)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(office.run_all, workers))

    assert len(office.calls()) - before <= 8 + 3  # at first all may be under way, then one each time
    assert {job.failures for job in office.jobs()} == {0}


def test_look_with_a_wrong_key_closes_nothing(office: Office) -> None:
    """Whoever looks from the command line may have another key than the workers, and must not stop them."""
    office.employ("Ada Lovelace")
    office.key = "wrong"
    with pytest.raises(AccountRefused):
        look_at(office.execution, "example.org")
    office.key = KEY
    office.tell("left", "E1")
    office.drain()

    assert not office.doors("ada.lovelace")["send"]


def test_host_that_is_down_is_tried_with_growing_pauses_and_then_left_to_a_person(office: Office) -> None:
    """Refused connections make a job wait longer each time, and park it after two days."""
    office.employ("Ada Lovelace")
    office.url = NOBODY
    office.tell("left", "E1")
    office.drain()
    pauses = []
    for _ in range(60):
        job = office.job_of(1)
        if job.state is not JobState.WAITING:
            break
        pauses.append(job.run_at - office.clock.now())
        office.clock.instant = job.run_at
        office.drain()

    assert pauses[:4] == [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE]
    assert max(pauses) == 6 * HOUR
    assert sum(pauses, timedelta()) >= 2 * DAY
    assert job.state is JobState.PARKED
    assert "it failed" in str(job.reason)


def test_host_that_comes_back_is_served(office: Office) -> None:
    """After an outage the waiting jobs are done, and their failures forgotten."""
    url = office.url
    office.url = NOBODY
    office.employ("Ada Lovelace")
    office.url = url

    office.work_on(3 * MINUTE)

    assert set(office.mailboxes()) == {"ada.lovelace"}
    assert office.outstanding() == []


def test_defect_is_recorded_and_does_not_loop(office: Office, break_wire) -> None:
    """An exception that nobody foresaw becomes a reason on the job and a pause; other jobs go on."""
    office.employ("Ada Lovelace", "Grace Hopper")
    break_wire("GET", RuntimeError("nobody foresaw this"), times=99, path="ada.lovelace")

    office.tell("left", "E1")
    office.tell("left", "E2")
    office.drain()

    job = office.job_of(1)
    assert (job.state, job.failures) == (JobState.WAITING, 1)
    assert "defect" in str(job.reason)
    assert not office.doors("grace.hopper")["send"]


def test_answer_that_got_lost_is_read_back(office: Office, break_wire) -> None:
    """A create that arrived and whose answer is missing is confirmed by reading, and not repeated."""
    office.employ("Grace Hopper")
    break_wire("POST", httpx.ReadTimeout("no answer"), arrives=True)

    office.join("E2", "Ada Lovelace", department="Engineering")
    office.drain()

    assert office.calls("POST").count(("POST", "mailboxes")) == 2
    assert office.ledger()[1] == ("create-mailbox", "confirmed")
    assert office.aliases() == {"engineering": {"ada.lovelace"}}
    assert office.outstanding() == []


def test_request_that_got_lost_is_repeated_once_it_can_no_longer_arrive(office: Office, break_wire) -> None:
    """A create of unknown fate that is absent is looked at again after its deadline, and only then sent again."""
    office.employ("Grace Hopper")
    break_wire("POST", httpx.ReadTimeout("no answer"))
    office.join("E2", "Ada Lovelace")
    office.drain()
    assert office.calls("POST").count(("POST", "mailboxes")) == 1
    assert office.outstanding() == [("person", "waiting", "an unanswered call may still arrive")]

    office.move(MINUTE)
    office.drain()

    assert "ada.lovelace" in office.mailboxes()
    assert office.calls("POST").count(("POST", "mailboxes")) == 2
    assert office.outstanding() == []


def test_create_that_somebody_else_may_have_made_is_held(office: Office, break_wire) -> None:
    """Where something else stands at the address of a create of unknown fate, a person decides."""
    office.employ("Grace Hopper")
    break_wire("POST", httpx.ReadTimeout("no answer"))
    office.join("E2", "Ada Lovelace")
    office.apply_all()
    office.run_all()
    office.host("POST", "mailboxes", local_part="ada.lovelace", name="Somebody", password="s3cret-s3cret")

    office.move(MINUTE)
    office.drain()

    assert office.mailboxes()["ada.lovelace"]["name"] == "Somebody"
    assert [state for _, state, _ in office.outstanding()] == ["held"]


def test_lost_answer_to_a_block_is_read_back(office: Office, break_wire) -> None:
    """A block whose answer is missing is confirmed by the closed doors."""
    office.employ("Ada Lovelace")
    break_wire("PUT", httpx.ReadTimeout("no answer"), arrives=True)

    office.tell("left", "E1")
    office.drain()

    assert office.calls("PUT") == [("PUT", "mailboxes/ada.lovelace")]
    assert office.ledger()[-1] == ("block-mailbox", "confirmed")
    assert office.outstanding() == []


def test_write_that_is_never_answered_is_given_up(office: Office, break_wire) -> None:
    """An object whose writes are never answered is tried with growing pauses, parked, and stops nobody else."""
    office.employ("Ada Lovelace", "Grace Hopper")
    break_wire("PUT", httpx.ReadTimeout("no answer"), times=10_000, path="ada.lovelace")
    office.tell("left", "E1")
    office.tell("left", "E2")
    office.drain()
    assert not office.doors("grace.hopper")["send"]
    tries = 0
    for _ in range(200):
        if (job := office.job_of(1)).state is not JobState.WAITING:
            break
        tries += 1
        office.clock.instant = max(job.run_at, office.clock.now() + timedelta(seconds=1))
        office.drain()

    assert job.state is JobState.PARKED
    assert tries < 60


def test_dry_run_shows_the_plan_and_writes_nothing(office: Office) -> None:
    """In a dry run no write reaches the host and the plan stands on the job; afterwards the job runs by itself."""
    wet = office.execution
    office.execution = replace(wet, dry_run=True)
    office.employ("Ada Lovelace", department="Engineering")

    assert office.writes() == []
    person = office.job_of(1)
    assert person.state is JobState.HELD
    assert str(person.reason).startswith("dry run")
    assert [step["operation"] for step in person.plan or ()] == ["create-mailbox"]

    office.execution = wet
    sweep_once(wet, 4)
    office.drain()

    assert office.aliases() == {"engineering": {"ada.lovelace"}}
    assert office.outstanding() == []


def test_ledger_tells_every_step_and_attempt(office: Office) -> None:
    """Each step has its moments from intended to settled, and each request is there with its step."""
    office.employ("Ada Lovelace")

    (step,) = office.steps()
    index, aliases, create = office.attempts()
    assert (step.operation, step.state.value, step.target) == (
        "create-mailbox",
        "confirmed",
        "ada.lovelace@example.org",
    )
    assert None not in (step.sent_at, step.settled_at, step.seen_free_at)
    assert (index.operation, index.step_id) == ("list-mailboxes", None)
    assert aliases.operation == "list-aliases"
    assert (create.method, create.status, create.step_id, create.failure) == ("POST", 200, step.id, None)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_every_attempt_is_shown_with_start_duration_status_class_and_excerpt(
    office: Office, migrated_url: str, tmp_path: Path
) -> None:
    """A call that was answered 503, and one whose answer was lost: the same in `jobs show` and in the API's object."""
    faults = ("503", "drop-after-apply")
    match = {"method": "POST", "path": "/v1/domains/*/mailboxes"}
    office.fail(*({"match": match, "times": 1, "fault": fault} for fault in faults))
    office.join("E1", "Ada Lovelace")
    office.drain()
    office.move(MINUTE)
    office.drain()
    shell = beside(office, migrated_url, tmp_path)
    job_id = str(office.job_of(1).id)
    shown = shell.run("jobs", "show", job_id, "--json").document
    rows = [line.split() for line in shell.run("jobs", "show", job_id).out.splitlines()]

    made = [each for each in shown["attempts"] if each["method"] == "POST"]
    assert [(each["status"], each["failure"]) for each in made] == [(503, "transient"), (None, "unknown")]
    assert {each["step"] for each in made} == {shown["steps"][0]["id"]}
    assert all(each["startedAt"].endswith("Z") and each["durationS"] >= 0 for each in made)
    assert made[0]["excerpt"]
    assert made[1]["excerpt"] is None
    assert shown["steps"][0]["state"] == "confirmed"
    assert ["AT", "CALL", "TARGET", "STATUS", "CLASS", "SECONDS", "ANSWER"] in rows
    assert [row[3:7] for row in rows if "create-mailbox" in row[3:4]] == [
        ["create-mailbox", "ada.lovelace@example.org", "503", "transient"],
        ["create-mailbox", "ada.lovelace@example.org", "-", "unknown"],
    ]
    assert "home.example" not in str(rows) + str(shown["attempts"])


def test_no_secret_reaches_jobs_steps_or_attempts(office: Office, break_wire) -> None:
    """Neither a password nor a personal address stands in any column of the tables that are shown."""
    office.employ("Ada Lovelace", "Grace Hopper")
    office.host("POST", "mailboxes", local_part="alan.turing", name="Somebody", password="s3cret-s3cret")
    office.join("E3", "Alan Turing")
    office.tell("left", "E1")
    break_wire("PUT", httpx.ReadTimeout("no answer"), arrives=True)
    office.drain()
    office.move(31 * DAY)
    office.drain()

    with office.database.read() as session:
        connection = session.connection()
        dump = repr(
            [
                tuple(row)
                for table in ("jobs", "steps", "attempts", "holds", "audit", "pauses")
                for row in connection.exec_driver_sql(f"select * from {table}")
            ]
        )
    assert "delete-mailbox" in dump
    assert PASSWORD not in dump
    assert "home.example" not in dump


def test_creation_that_only_its_repetition_brings_to_light_is_ours(office: Office) -> None:
    """A mailbox that reads are slow to show is made once: the refusal of a second call means looking again."""
    office.join("E1", "Ada Lovelace")
    lost = {"match": {"method": "POST", "path": "/v1/domains/*/mailboxes"}, "times": 1, "fault": "drop-after-apply"}
    slow = {"match": {"path": "/v1/domains/*/mailboxes/*"}, "times": 2, "fault": "stale-read", "seconds": 3600}
    office.fail(lost, slow)
    office.drain()
    office.work_on(5 * MINUTE)

    assert office.calls("POST") == [("POST", "mailboxes")] * 2
    assert set(office.mailboxes()) == {"ada.lovelace"}
    assert office.ledger() == [("create-mailbox", "confirmed")]
    assert office.outstanding() == []


def test_creation_whose_place_another_hand_takes_is_looked_at_once_more_and_no_oftener(office: Office) -> None:
    """What is refused after a call that was lost on its way is refused for good when looking again shows nothing."""
    office.join("E1", "Ada Lovelace")
    lost = {"match": {"method": "POST", "path": "/v1/domains/*/mailboxes"}, "times": 1, "fault": "502-before-apply"}
    office.fail(lost)
    office.drain()
    office.host("POST", "aliases", local_part="ada.lovelace", destinations=["postmaster@example.org"])
    office.work_on(10 * MINUTE)

    assert office.calls("POST").count(("POST", "mailboxes")) == 3  # lost, refused, and refused again
    assert office.ledger() == [("create-mailbox", "refused")]
    ((_, state, reason),) = office.outstanding()
    assert (state, reason) == (
        "held",
        "ada.lovelace@example.org exists already and was not made here: adopt it, free it, or state a workEmail",
    )


@pytest.mark.parametrize("existing", ["hold", "next-name"])
@pytest.mark.parametrize(("methods", "job"), [(["POST"], []), (["POST", "PUT"], ["parked"])], ids=["once", "always"])
def test_creation_with_a_door_that_stays_open_is_ours(
    office: Office, existing: str, methods: list[str], job: list[str]
) -> None:
    """What is made otherwise than asked for is made: it is mended or shown to a person, and no other one is made."""
    office.activate(f'{POLICY}[mailbox]\nmay_access_pop3 = false\n[joining]\nexisting = "{existing}"\n')
    office.fail(
        *({"match": {"method": each}, "fault": "ignore-fields", "fields": ["may_access_pop3"]} for each in methods)
    )
    office.join("E1", "Ada Lovelace")
    office.work_on(10 * MINUTE)

    assert office.calls("POST") == [("POST", "mailboxes")]
    assert office.doors("ada.lovelace")["pop3"] is ("PUT" in methods)
    assert office.ledger()[0] == ("create-mailbox", "confirmed")
    assert [state for _, state, _ in office.outstanding()] == job

    office.fail()
    office.tell("left", "E1")
    office.drain()
    assert not any(office.doors("ada.lovelace").values())


@pytest.fixture
def slow_wire(office: Office) -> Iterator[Callable[..., list[str]]]:
    """Make each request of a method last, and fail as it is told first; return the list of what was asked."""
    with closing(_Opened()) as opened:

        def slow(method: str, lasts: timedelta, *failures: _Failure) -> list[str]:
            wire = _SlowWire(office, method, lasts, list(failures))
            client = httpx.Client(transport=wire)
            opened.clients.append(client)
            office.execution = replace(
                office.execution, connect=lambda hooks: MigaduClient(office.url, USER, KEY, http=client, hooks=hooks)
            )
            return wire.asked

        yield slow


class _SlowWire(httpx.BaseTransport):
    """A wire to the real sandbox on which requests of one method take their time, by the test's clock."""

    def __init__(self, office: Office, method: str, lasts: timedelta, failures: list[_Failure]) -> None:
        self._office, self._method, self._lasts, self._failures = office, method, lasts, failures
        self._real = httpx.HTTPTransport()
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, or fail."""
        self.asked.append(request.method)
        answer: _Failure | None = None
        if request.method == self._method and self._failures:
            answer = self._failures.pop(0)
        if answer is None:
            answer = self._real.handle_request(request)
        if request.method == self._method:
            self._office.move(self._lasts)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._real.close()


def test_look_that_began_before_the_deadline_does_not_show_what_arrived_since(
    office: Office, break_wire, slow_wire
) -> None:
    """A look that is answered after the deadline of the call, but was sent before it, is not the second look."""
    office.employ("Grace Hopper")
    break_wire("POST", httpx.ReadTimeout("no answer"))
    office.join("E2", "Ada Lovelace")
    office.drain()

    office.move(CALL_DEADLINE - SECOND)
    office.execute("update jobs set run_at = :now where state = 'waiting'", now=_as_stored(office, office.clock.now()))
    asked = slow_wire("GET", 2 * SECOND)
    office.drain()

    assert asked == ["GET", "GET", "POST"]


def test_deadline_of_a_call_counts_from_its_last_try(office: Office, slow_wire) -> None:
    """Of three tries the last is unknown: what it does not show at once may arrive until its own deadline."""
    office.employ("Ada Lovelace")
    asked = slow_wire("PUT", 16 * SECOND, httpx.Response(503), httpx.Response(503), httpx.ReadTimeout("no answer"))
    began_at = office.clock.now()
    office.tell("left", "E1")
    office.drain()

    assert asked == ["GET", "PUT", "PUT", "PUT", "GET"]
    assert office.outstanding() == [("person", "waiting", "an unanswered call may still arrive")]
    assert office.job_of(1).run_at == began_at + 32 * SECOND + CALL_DEADLINE


def _as_stored(office: Office, at: datetime) -> object:
    return at.replace(tzinfo=None).isoformat(" ") if office.database.is_sqlite else at


def test_lost_call_has_its_slot_to_the_end_and_a_clock_set_back_gives_it_back(office: Office, slow_wire) -> None:
    """A call that was given up may still arrive, so nobody follows it a window later; a sweep follows the clock."""
    office.employ("Ada Lovelace")
    office.limited(CallLimit(calls=1, window=2 * MINUTE, reserve=0))
    asked = slow_wire("GET", 20 * SECOND, httpx.ReadTimeout("no answer"))
    office.tell("left", "E1")
    office.drain()
    office.move(2 * MINUTE + 24 * SECOND)
    office.drain()
    assert asked == ["GET"]

    office.move(-DAY)
    sweep_once(office.execution, 4)
    office.move(2 * MINUTE + 45 * SECOND)
    with office.database.read() as session:
        assert office.execution.budget.room(session) is Room.EVERYBODY


@pytest.mark.parametrize("between", [{}, {"nickName": "Countess"}], ids=["at once", "after a change"])
def test_what_a_dismissed_job_left_unknown_is_settled_by_the_next(office: Office, between: dict[str, str]) -> None:
    """A mailbox that was made by a call without an answer is ours, though an operator gave up the job that made it."""
    office.employ("Grace Hopper")
    office.fail(
        {"match": {"method": "POST", "path": "/v1/domains/*/mailboxes"}, "times": 1, "fault": "502-after-apply"},
        {"match": {"method": "GET", "path": "/v1/domains/*/mailboxes/*"}, "fault": "503"},
    )
    office.join("E2", "Ada Lovelace")
    office.drain()
    assert office.ledger()[-1] == ("create-mailbox", "unknown")
    dismiss(office.database, office.clock, office.execution.bell, office.job_of(2).id, "operator", reason="no idea")

    office.fail()
    if between:
        office.tell("renamed", "E2", **between)
        office.drain()
    office.tell("left", "E2")
    office.work_on(MINUTE)

    assert [step for step in office.ledger()[1:] if step[0] != "update-mailbox"] == [
        ("create-mailbox", "confirmed"),
        ("block-mailbox", "confirmed"),
    ]
    assert not any(office.doors("ada.lovelace").values())
    assert office.outstanding() == []
