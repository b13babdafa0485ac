"""What the mail host is not asked for is shown alike, be it everything, creations or one object."""

from pathlib import Path

import pytest

from tests.integration.office import KEY, Office
from tests.integration.shell import Shell, beside
from tests.integration.test_lanes import ON_POSTGRESQL, plans_of
from tests.integration.test_quarantine import HOUR, SQLITE, poison, work_on
from worker.store import quarantines, schema
from worker.web.status_object import status_object

WHY = {
    "account": "the mail host does not accept the account or its key (it answered 401)",
    "creations": "the plan's limit is reached",
    "object": "the mail host answered 500 to suspend-mailbox",
}
WHAT = {
    "account": "all calls",
    "creations": "creations of mailboxes",
    "object": "mailbox ada.lovelace@example.org",
}


@pytest.fixture
def shell(office: Office, tmp_path: Path) -> Shell:
    """A shell beside an office."""
    (tmp_path / "policy.toml").write_text('[organisation]\ndomain = "example.org"\n')
    return beside(office, office.database.engine.url.render_as_string(hide_password=False), tmp_path)


def pause(office: Office, kind: str) -> None:
    """Bring a pause about at the mail host, by whoever leaves and whoever joins."""
    office.employ("Ada Lovelace")
    if kind == "account":
        office.key = "wrong"
    else:
        office.fail(
            {"match": {"method": "POST"}, "fault": "plan-limit-403"}
            if kind == "creations"
            else poison("mailboxes/ada.lovelace", method="PUT")
        )
    office.tell("left", "E1")
    office.join("E2", "Grace Hopper")
    office.drain()
    work_on(office, HOUR / 4 if kind == "object" else HOUR / 60)


def end(office: Office) -> None:
    """Mend everything at the mail host, and wait."""
    office.key = KEY
    office.fail()
    work_on(office, HOUR, every=HOUR / 4)


@SQLITE
@pytest.mark.parametrize("kind", WHY)
def test_a_pause_is_shown_on_its_job_by_the_checkup_and_in_the_status(office: Office, shell: Shell, kind: str) -> None:
    """Each place names what is not asked for, until when and why; when its cause has ended, it is gone."""
    pause(office, kind)
    (shown,) = _paused(office)
    listed, checked = (
        shell.run("jobs", "list").out,
        shell.run("doctor"),
    )  # last, for it makes a call, a probe if need be

    assert WHY[kind].split(" (")[0] in " ".join(listed.replace("│", " ").split())
    assert checked.code == 3
    said = " ".join(checked.out.replace("│", " ").split())
    assert f"{WHAT[kind]}" in said
    assert "each ends by itself with the first success" in said
    assert (shown["kind"], shown["what"], shown["active"]) == (kind, WHAT[kind], True)
    assert WHY[kind] in str(shown["reason"])
    assert str(shown["since"]) < str(shown["until"])
    assert shown["job"] == (str(office.job_of(1).id) if kind == "object" else None)

    end(office)
    assert office.outstanding() == []
    assert _paused(office) == []


@SQLITE
def test_a_job_shows_what_it_leaves_alone(office: Office, shell: Shell) -> None:
    """`jobs show` says which object, how often it failed and until when; it exits with 3, for it may need a person."""
    pause(office, "object")
    job_id = str(office.job_of(1).id)
    text, document = shell.run("jobs", "show", job_id), shell.run("jobs", "show", job_id, "--json").document

    assert text.code == 3
    assert "mailbox ada.lovelace@example.org is left alone until" in text.out
    (alone,) = document["leftAlone"]
    assert (alone["object"], alone["operation"]) == ("mailbox ada.lovelace@example.org", "suspend-mailbox")
    assert alone["failures"] >= 3
    assert alone["since"] < alone["until"]


@ON_POSTGRESQL
def test_what_is_left_alone_is_found_by_its_index(office: Office) -> None:
    """Whoever watches asks every few seconds: no look goes through the objects that failed once."""
    fill = """
    insert into jobs (subject_kind, subject_key, state, urgency, run_at, generation, fence, failures, created_at,
                      updated_at) values ('person', '1', 'held', 1, now(), 1, 0, 0, now(), now());
    insert into quarantines (job_id, noun, target, mailbox, operation, failures, since, until)
    select 1, 'mailbox', n::text, '', 'block-mailbox', 1, now(), case when mod(n, 500) = 0 then now() end
    from generate_series(1, 5000) n
    """
    with office.database.write() as session:
        session.connection().exec_driver_sql(fill)
    with office.database.write() as session:
        session.connection().exec_driver_sql("analyze")

    (shown,) = plans_of(office.database, lambda session: quarantines.left_alone(session, at_most=5))
    (of_job,) = plans_of(office.database, lambda session: quarantines.end_of_job(session, 7))
    assert "ix_quarantines_shown" in shown
    assert "uq_quarantines_object" in of_job


def _paused(office: Office) -> list[dict[str, object]]:
    with office.database.read() as session:
        return status_object(session, office.clock.now(), schema=schema.head())["pauses"]  # type: ignore[return-value]
