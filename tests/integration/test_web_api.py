"""The API for operators: who may do what, what is shown, and what acts change."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.test_web_server import Office, joined, on_sqlite, problem, served
from worker.intake import apply_next
from worker.planning.step import Brake
from worker.store import domains, events, holds, jobs, merges, people
from worker.store.audit import latest_acts
from worker.store.holds import Trip, find_hold
from worker.store.schema import head
from worker.store.states import EventState, JobState
from worker.store.subjects import Subject, SubjectKind
from worker.store.tokens import Role, revoke_token

SOURCE_OF = {Role.SOURCE: "payroll", Role.SCIM: "idp"}
BRAKED = "b" * 64


@pytest.fixture
def office(migrated_url: str, tmp_path: Path) -> Iterator[Office]:
    """A served deployment with a policy, on each engine."""
    with served(migrated_url, tmp_path) as one:
        one.deployment.activate_policy()
        yield one


@pytest.fixture
def ada(office: Office) -> str:
    """The id of a person who joined, has an address reserved, and waits for her mailbox."""
    with office.deployment.database.write() as session:
        domains.set_domain_read(session, "example.org", office.deployment.clock.now())
    assert office.deliver(joined(department="Sales")).status_code == 202
    assert apply_next(office.deployment.intake)
    office.bell.applies = office.bell.runs = 0
    return "1"


def job_in(office: Office, state: JobState, key: str = "team@example.org", hold_id: int | None = None) -> int:
    """Return the id of a new job in a state."""
    now = office.deployment.clock.now()
    with office.deployment.database.write() as session:
        job_id = jobs.refresh(session, Subject(SubjectKind.SHARED, key), urgency=2, now=now)
        row = jobs.get(session, job_id)
        assert row is not None
        row.state, row.failures, row.hold_id = state, 3, hold_id
        row.braked_hash = BRAKED if hold_id else None
        row.finished_at = now if state in (JobState.DONE, JobState.DISMISSED) else None
    return job_id


def park(office: Office, event_id: int) -> None:
    """Have an event be one that could not be applied."""
    with office.deployment.database.write() as session:
        row = events.get(session, event_id)
        assert row is not None
        row.state, row.failures = EventState.PARKED, 5


def open_hold(office: Office) -> int:
    """Return the id of an open hold that stops two jobs."""
    trip = Trip(brake=Brake.DELETE, source="hr", counted=3, allowed=3, population=20)
    with office.deployment.database.write() as session:
        hold_id = holds.open_or_join(session, trip, office.deployment.clock.now())
    for key in ("a@example.org", "b@example.org"):
        job_in(office, JobState.HELD, key, hold_id)
    return hold_id


def get(office: Office, path: str, role: Role = Role.VIEWER, **query: Any) -> Any:
    """Return what a bearer of the role reads."""
    answer = office.http.get(f"/api/v1{path}", params=query, headers=office.token(role, SOURCE_OF.get(role)))
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(office: Office, path: str, role: Role, **given: Any) -> httpx.Response:
    """Act as a bearer of the role."""
    return office.http.post(f"/api/v1{path}", headers=office.token(role, SOURCE_OF.get(role)), **given)


READS = ("/jobs", "/jobs/1", "/people", "/people/1", "/events", "/events/1", "/holds", "/drift", "/status")
READERS = {Role.VIEWER, Role.OPERATOR, Role.APPROVER}
ACTS = {
    "/jobs/1/retry": {Role.OPERATOR, Role.APPROVER},
    "/jobs/1/dismiss": {Role.OPERATOR, Role.APPROVER},
    "/jobs/1/undo": {Role.OPERATOR, Role.APPROVER},
    "/events/1/retry": {Role.OPERATOR, Role.APPROVER},
    "/events/1/dismiss": {Role.OPERATOR, Role.APPROVER},
    "/events/1/undo": {Role.OPERATOR, Role.APPROVER},
    "/holds/1/approve": {Role.APPROVER},
    "/holds/1/reject": {Role.APPROVER},
    "/events": {Role.SOURCE},
}


@on_sqlite
@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_what_is_its_own_and_nothing_else(office: Office, role: Role) -> None:
    """The matrix of roles and routes: everything else is 403 and says which role is needed."""
    headers = office.token(role, SOURCE_OF.get(role))
    refused = {path for path in READS if office.http.get(f"/api/v1{path}", headers=headers).status_code == 403}
    answers = {path: office.http.post(f"/api/v1{path}", headers=headers, json={"plan": BRAKED}) for path in ACTS}

    assert refused == (set() if role in READERS else set(READS))
    assert {path for path, answer in answers.items() if answer.status_code == 403} == {
        path for path, roles in ACTS.items() if role not in roles
    }
    for answer in answers.values():
        if answer.status_code == 403:
            assert f"yours is {role}" in problem(answer, 403)["detail"]


@on_sqlite
@pytest.mark.parametrize("path", READS)
def test_nobody_reads_without_a_valid_token(office: Office, path: str) -> None:
    """Without a token, with an unknown or a revoked one the answer is 401 and names the scheme."""
    revoked = office.token(Role.VIEWER)
    with office.deployment.database.write() as session:
        revoke_token(session, 1, office.deployment.clock.now())
    for headers in ({}, {"authorization": "Bearer mrt_unknown"}, {"authorization": "Basic YTpi"}, revoked):
        answer = office.http.get(f"/api/v1{path}", headers=headers)

        assert problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_jobs_are_listed_by_state_and_person_in_pages(office: Office, ada: str) -> None:
    """A list tells what to ask for next, and filters narrow it."""
    parked, held = (job_in(office, state, f"{state}@example.org") for state in (JobState.PARKED, JobState.HELD))
    first = get(office, "/jobs", limit=2)
    second = get(office, "/jobs", limit=2, after=first["next"])

    assert [one["id"] for one in first["jobs"]] == ["1", str(parked)]
    assert [one["id"] for one in second["jobs"]] == [str(held)]
    assert (first["next"], second["next"]) == (str(parked), None)
    assert [one["id"] for one in get(office, "/jobs", person=ada)["jobs"]] == ["1"]
    assert len(get(office, "/jobs", state=["parked", "held"])["jobs"]) == 2


def test_a_job_is_shown_as_the_contract_says(office: Office, ada: str) -> None:
    """Ids are texts, urgency is a word, instants are UTC with a Z."""
    shown = get(office, "/jobs/1")

    assert shown["subject"] == {"kind": "person", "key": ada}
    assert (shown["state"], shown["urgency"], shown["person"], shown["event"]) == ("queued", "joiner", ada, "1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", shown["createdAt"])
    assert shown["steps"] == shown["attempts"] == []


def test_a_person_is_shown_with_facts_addresses_and_story(office: Office, ada: str) -> None:
    """Who speaks for each fact, what she holds, what happened and what is under way."""
    shown = get(office, f"/people/{ada}", Role.OPERATOR)

    assert (shown["name"], shown["address"], shown["employment"]) == (
        "Ada Lovelace",
        "ada.lovelace@example.org",
        "joined",
    )
    assert shown["facts"]["department"] == {"value": "Sales", "source": "hr", "since": "2026-11-20T09:00:00Z"}
    assert shown["facts"]["personalEmail"]["value"] == "ada@home.example"
    assert [one["address"] for one in shown["addresses"]] == ["ada.lovelace@example.org"]
    assert [next(iter(set(one) - {"at"})) for one in shown["timeline"]] == ["event", "job"]
    assert shown["job"]["id"] == "1"
    assert get(office, "/people")["people"] == [
        {key: shown[key] for key in ("id", "name", "phase", "address", "nextChangeAt", "nextStep", "erasedAt")}
    ]


def test_who_was_merged_is_no_person_of_the_list(office: Office, ada: str) -> None:
    """Pages hold as many people as were asked for, and whoever is one with somebody else is found by id alone."""
    with office.deployment.database.write() as session:
        now = office.deployment.clock.now()
        other, last = people.create(session, now).id, people.create(session, now).id
        merges.note(session, merges.MERGE, (int(ada), other), [], now)

    first = get(office, "/people", limit=1)
    second = get(office, "/people", limit=1, after=first["next"])

    assert ([each["id"] for each in first["people"]], first["next"]) == ([ada], ada)
    assert ([each["id"] for each in second["people"]], second["next"]) == ([str(last)], None)
    assert get(office, f"/people/{other}")["mergedInto"] == ada


def test_personal_data_is_shown_to_operators_only(office: Office, ada: str) -> None:
    """A viewer sees that there is a personal address, and no documents of events."""
    as_viewer = get(office, f"/people/{ada}")

    assert as_viewer["facts"]["personalEmail"]["present"] is True
    assert "ada@home.example" not in str(as_viewer) + str(get(office, "/events/1"))
    assert get(office, "/events/1", Role.OPERATOR)["document"]["data"]["personalEmail"] == "ada@home.example"


def test_an_event_is_settled_when_its_jobs_are(office: Office, ada: str) -> None:
    """An applied event is settled once no job of its person is open."""
    assert get(office, "/events/1")["settled"] is False
    with office.deployment.database.write() as session:
        row = jobs.get(session, 1)
        assert row is not None
        row.state, row.finished_at = JobState.DONE, office.deployment.clock.now()

    assert get(office, "/events/1")["settled"] is True


@on_sqlite
@pytest.mark.parametrize("path", ["/jobs/99", "/people/99", "/events/99", "/nowhere", "/jobs/"])
def test_what_is_not_there_is_told_as_a_problem(office: Office, path: str) -> None:
    """404 in the one form, also from the framework."""
    answer = office.http.get(f"/api/v1{path}", headers=office.token(Role.VIEWER))

    assert problem(answer, 404)["detail"].startswith("there is no")


@on_sqlite
@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/jobs/one", "path.job_id"),
        ("/jobs/99999999999999999999", "path.job_id"),
        ("/jobs?state=lost", "query.state"),
        ("/jobs?after=-1", "query.after"),
        ("/people?limit=0", "query.limit"),
    ],
)
def test_a_wrong_parameter_is_named(office: Office, path: str, where: str) -> None:
    """422 says which parameter is wrong."""
    told = problem(office.http.get(f"/api/v1{path}", headers=office.token(Role.VIEWER)), 422)

    assert where in told["detail"]


@on_sqlite
def test_a_method_that_is_not_there_is_a_problem_too(office: Office) -> None:
    """405 keeps the header that says what is allowed."""
    answer = office.http.delete("/api/v1/jobs/1")

    assert problem(answer, 405)
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("state", [JobState.PARKED, JobState.HELD, JobState.WAITING])
def test_an_operator_retries_a_job(office: Office, state: JobState) -> None:
    """The job runs now with its failures forgotten, the bell rings, and the audit names the token."""
    job_id = job_in(office, state)
    answer = post(office, f"/jobs/{job_id}/retry", Role.OPERATOR)

    assert (answer.json()["state"], answer.json()["failures"]) == ("queued", 0)
    assert office.bell.runs == 1
    with office.deployment.database.read() as session:
        (act,) = latest_acts(session)
    assert (act.actor, act.act, act.target) == ("token:1", "job.retry", f"job {job_id}")
    assert act.detail == {"from": state.value, "failures": 3}


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.DONE])
def test_a_job_that_cannot_be_retried_is_left_alone(office: Office, state: JobState) -> None:
    """409 says in which state it is; nothing is written."""
    job_id = job_in(office, state)
    told = problem(post(office, f"/jobs/{job_id}/retry", Role.OPERATOR), 409)

    assert f"job {job_id} is {state}" in told["detail"]
    assert office.count("audit") == office.bell.runs == 0


def test_what_a_brake_stopped_is_not_retried_past_it(office: Office) -> None:
    """An operator is pointed to the hold, which is for an approver to decide."""
    hold_id = open_hold(office)
    told = problem(post(office, "/jobs/1/retry", Role.OPERATOR), 409)

    assert f"hold {hold_id}" in told["detail"]


def test_an_operator_dismisses_a_job_with_a_reason(office: Office) -> None:
    """The job is over, and its reason and the audit say why."""
    job_id = job_in(office, JobState.PARKED)
    answer = post(office, f"/jobs/{job_id}/dismiss", Role.OPERATOR, json={"reason": "she never started"})

    assert (answer.json()["state"], answer.json()["reason"]) == ("dismissed", "she never started")
    assert answer.json()["finishedAt"]
    with office.deployment.database.read() as session:
        assert latest_acts(session)[0].act == "job.dismiss"


def test_a_reason_may_be_left_out(office: Office) -> None:
    """Dismissing needs no body."""
    answer = post(office, f"/jobs/{job_in(office, JobState.HELD)}/dismiss", Role.OPERATOR)

    assert answer.json()["reason"] == "dismissed by an operator"


@on_sqlite
@pytest.mark.parametrize(
    "given", [r'{"reason": "\u0000"}', r'{"reason": "\ud800"}', '{"why": "x"}', '"x"', "{", "[" * 9999]
)
def test_a_reason_that_cannot_be_kept_is_refused(office: Office, given: str) -> None:
    """Text that no database stores, another shape, or no JSON at all: each is the sender's mistake."""
    job_id = job_in(office, JobState.HELD)
    headers = office.token(Role.OPERATOR) | {"content-type": "application/json"}
    answer = office.http.post(f"/api/v1/jobs/{job_id}/dismiss", content=given, headers=headers)

    assert problem(answer, answer.status_code)
    assert answer.status_code in (400, 422)
    assert office.count("audit") == 0


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.DONE, JobState.DISMISSED])
def test_a_job_that_runs_or_is_over_is_not_dismissed(office: Office, state: JobState) -> None:
    """409 says why not."""
    told = problem(post(office, f"/jobs/{job_in(office, state)}/dismiss", Role.OPERATOR), 409)

    assert f"is {state}" in told["detail"]


def test_an_operator_decides_about_a_parked_event(office: Office, ada: str) -> None:
    """It is found by its state without its document; dismissed, then tried again, and the audit names the token."""
    park(office, 1)
    (listed,) = get(office, "/events", state="parked")["events"]
    assert get(office, "/status")["eventsParked"] == 1

    given = post(office, "/events/1/dismiss", Role.OPERATOR, json={"reason": "told twice"}).json()
    back = post(office, "/events/1/retry", Role.OPERATOR).json()

    assert (listed["id"], listed["failures"], listed["person"]) == ("1", 5, ada)
    assert "ada@home.example" not in str(get(office, "/events"))
    assert get(office, "/status")["eventsParked"] == 0
    assert (given["state"], given["reason"]) == ("dismissed", "told twice")
    assert (back["state"], back["failures"]) == ("accepted", 0)
    assert back["document"]["subject"] == listed["subject"]
    assert office.bell.applies == 1
    with office.deployment.database.read() as session:
        acts = [(act.actor.partition(":")[0], act.act, act.target) for act in latest_acts(session)]
    assert acts == [("token", "event.retry", "event 1"), ("token", "event.dismiss", "event 1")]


def test_an_event_is_undone_through_the_api(office: Office, ada: str) -> None:
    """The statement is the operator's; what was never applied is refused with 409."""
    post(office, "/events/1/undo", Role.OPERATOR)

    assert get(office, "/events/2")["type"] == "person.joining_cancelled"
    assert "nothing came of it yet" in problem(post(office, "/events/2/undo", Role.OPERATOR), 409)["detail"]
    assert "is applied" in problem(post(office, "/events/1/dismiss", Role.OPERATOR), 409)["detail"]
    assert problem(post(office, "/events/9/retry", Role.OPERATOR), 404)["detail"] == "there is no event 9"


def test_an_operator_undoes_a_job_once(office: Office, ada: str) -> None:
    """The joining is called off by a statement, which the job names; a second time there is nothing to undo."""
    (job,) = get(office, "/jobs", person=ada)["jobs"]
    assert (job["undoable"], job["undoableUntil"], job["undoneBy"]) == (True, None, None)

    answer = post(office, f"/jobs/{job['id']}/undo", Role.OPERATOR)

    assert answer.status_code == 200
    assert (answer.json()["undoable"], answer.json()["undoneBy"]) == (False, "2")
    assert get(office, "/events/2")["type"] == "person.joining_cancelled"
    assert office.bell.applies == 1
    told = problem(post(office, f"/jobs/{job['id']}/undo", Role.OPERATOR), 409)
    assert told["detail"] == f"job {job['id']} is undone already, by event 2"
    with office.deployment.database.read() as session:
        assert latest_acts(session)[0].act == "job.undo"


def test_acts_on_what_is_not_there_are_404(office: Office) -> None:
    """Neither a job nor a hold is made up."""
    assert problem(post(office, "/jobs/9/retry", Role.OPERATOR), 404)
    assert problem(post(office, "/jobs/9/dismiss", Role.OPERATOR), 404)
    assert problem(post(office, "/holds/9/approve", Role.APPROVER, json={"plan": BRAKED}), 404)
    assert problem(post(office, "/holds/9/reject", Role.APPROVER), 404)


def test_an_approver_lets_a_hold_pass_by_its_hash(office: Office) -> None:
    """Its jobs go on, carrying the approval, each with a ring, and the decision has a name."""
    hold_id = open_hold(office)
    (shown,) = get(office, "/holds")["holds"]
    answer = post(office, f"/holds/{hold_id}/approve", Role.APPROVER, json={"plan": shown["plan"]})

    assert len(shown["jobs"]) == 2
    assert (answer.json()["state"], answer.json()["jobs"]) == ("approved", [])
    assert answer.json()["decidedBy"].startswith("token:")
    with office.deployment.database.read() as session:
        passed = [jobs.get(session, job_id) for job_id in (1, 2)]
        assert [(row.state, row.approved_hash) for row in passed if row] == [(JobState.QUEUED, BRAKED)] * 2
        assert latest_acts(session)[0].act == "hold.approve"
    assert office.bell.runs == 2
    assert get(office, "/holds")["holds"] == []
    assert len(get(office, "/holds", state="approved")["holds"]) == 1


def test_an_approval_of_another_plan_changes_nothing(office: Office) -> None:
    """What changed since the approver looked must be looked at again."""
    hold_id = open_hold(office)
    told = problem(post(office, f"/holds/{hold_id}/approve", Role.APPROVER, json={"plan": "c" * 64}), 409)

    assert "changed since you looked" in told["detail"]
    with office.deployment.database.read() as session:
        hold = find_hold(session, hold_id)
        assert hold is not None
        assert hold.state == "open"
    assert office.count("audit") == 0


def test_an_approver_rejects_a_hold_once(office: Office) -> None:
    """Its jobs are dismissed, and a second decision is refused."""
    hold_id = open_hold(office)
    answer = post(office, f"/holds/{hold_id}/reject", Role.APPROVER)

    assert answer.json()["state"] == "rejected"
    assert len(get(office, "/jobs", state="dismissed")["jobs"]) == 2
    assert problem(post(office, f"/holds/{hold_id}/reject", Role.APPROVER), 409)


def test_the_status_tells_how_the_deployment_fares(office: Office, ada: str) -> None:
    """Work that is not over by state, people by phase, the active policy and the schema."""
    job_in(office, JobState.PARKED)
    job_in(office, JobState.DONE, "past@example.org")
    hold_id = open_hold(office)
    office.deliver(joined(2))
    shown = get(office, "/status")

    assert (shown["eventsWaiting"], shown["eventsParked"], shown["recordsUnmatched"]) == (1, 0, 0)
    assert shown["jobs"] == {"queued": 1, "parked": 1, "held": 2}
    assert sum(shown["people"].values()) == 1
    assert shown["openHolds"] == [str(hold_id)]
    assert shown["behindS"] >= 0
    assert shown["stalledSince"] is None
    assert (shown["schema"], len(shown["policy"])) == (head(), 64)


@on_sqlite
def test_what_is_read_is_not_cached(office: Office) -> None:
    """Answers that name people are not kept by anything between."""
    answer = office.http.get("/api/v1/people", headers=office.token(Role.VIEWER))

    assert answer.headers["cache-control"] == "no-store"


@on_sqlite
def test_the_api_describes_itself_and_loads_nothing_from_elsewhere(office: Office) -> None:
    """OpenAPI is at the contract's path; the pages that load scripts are off."""
    described = office.http.get("/api/v1/openapi.json").json()

    assert {f"/api/v1{path}" for path in ("/jobs", "/people", "/holds", "/status", "/events")} <= set(
        described["paths"]
    )
    assert office.http.get("/docs").status_code == office.http.get("/redoc").status_code == 404


def test_a_schema_that_is_not_ours_is_not_ready(office: Office) -> None:
    """/readyz names the command that mends it; /healthz does not care."""
    assert office.http.get("/readyz").json() == {"status": "ready"}
    office.execute("delete from alembic_version")

    assert "mailroster db upgrade" in problem(office.http.get("/readyz"), 503)["detail"]
    assert office.http.get("/healthz").status_code == 200


@on_sqlite
def test_a_broker_that_is_down_only_degrades(migrated_url: str, tmp_path: Path) -> None:
    """Intake goes on without a broker, so the answer stays 200."""
    with served(migrated_url, tmp_path, broker_answers=lambda: False) as office:
        answer = office.http.get("/readyz")

        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


@on_sqlite
def test_a_defect_is_a_problem_that_quotes_nothing(
    migrated_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong inside, the answer keeps its form, and the log has the traceback."""
    with served(migrated_url, tmp_path) as office:
        job_id = job_in(office, JobState.PARKED)
        office.execute("update jobs set urgency = 99")
        told = problem(office.http.get(f"/api/v1/jobs/{job_id}", headers=office.token(Role.VIEWER)), 500)

    assert told["detail"] == "a defect of ours; the log has the details"
    assert "99 is not a valid Urgency" in caplog.text
