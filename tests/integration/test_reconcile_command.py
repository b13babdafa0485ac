"""`reconcile` as a command, what `doctor` says of it, and the API: against a host that was changed by hand."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.office import KEY, USER, Office
from tests.integration.shell import Shell
from tests.integration.test_web_server import served
from worker.execution.reconcile import reconcile
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.tokens import Role

POLICY = """
[organisation]
domain = "example.org"

[mailbox]
may_access_pop3 = false

[[groups]]
address = "engineering"
members = { department = "Engineering" }

[reconcile]
fields = { name = "report" }
"""


@pytest.fixture
def office(database: Database, sandbox: RunningSandbox) -> Iterator[Office]:
    """A deployment where two people have what they should have."""
    with closing(Office(database, sandbox, policy=POLICY)) as opened:
        opened.employ("Ada Lovelace", "Bob Builder", department="Engineering")
        yield opened


@pytest.fixture
def shell(office: Office, migrated_url: str, tmp_path: Path) -> Shell:
    """A shell beside it, with the same database and mail host."""
    directory = tmp_path / "here"
    directory.mkdir()
    (directory / "policy.toml").write_text(POLICY)
    return Shell(
        directory,
        {
            "MAILROSTER_DATABASE_URL": migrated_url,
            "MAILROSTER_MIGADU_URL": office.url,
            "MAILROSTER_MIGADU_USER": USER,
            "MAILROSTER_MIGADU_KEY": KEY,
        },
    )


def meddle(office: Office) -> None:
    """Change things at the host as an administrator might: two fields of Ada's, and an alias of nobody."""
    office.host("PUT", "mailboxes/ada.lovelace", name="Countess", may_access_pop3=True)
    office.host("POST", "aliases", local_part="info", destinations=["ada.lovelace@example.org"])


def test_it_shows_what_differs_and_repairs_what_the_policy_allows(office: Office, shell: Shell) -> None:
    """A line for each difference and 3 while somebody must decide; --apply names the job that takes care of one."""
    meddle(office)
    looked = shell.run("reconcile")
    repaired = shell.run("reconcile", "example.org", "--apply", "--json")

    assert looked.code == 3, looked.err
    lines = [line.split() for line in looked.out.splitlines()]
    assert lines[1][:6] == ["foreign-hand", "mailbox", "ada.lovelace@example.org", "may_access_pop3", "false", "true"]
    assert "name             Ada Lovelace  Countess  left alone, as the policy says" in looked.out
    assert "unmanaged     alias info@example.org" in looked.out
    assert "2 people and 1 shared address compared, 2 foreign-hand, 1 unmanaged." in looked.out
    shown = repaired.document
    assert (repaired.code, shown["queued"], shown["next"]) == (3, 1, None)  # the name is still somebody's to decide
    by_field = {one["field"]: one for one in shown["drift"]}
    assert by_field["may_access_pop3"]["job"] == str(office.job_of(1).id)
    assert (by_field["name"]["job"], by_field["name"]["action"]) == (None, "report")
    assert (by_field["name"]["wanted"], by_field["name"]["found"]) == ("Ada Lovelace", "Countess")
    assert shown["readings"][0]["found"] == {"stale": 0, "foreign-hand": 2, "missing": 0, "unmanaged": 1}


def test_a_long_text_leaves_the_table_readable(office: Office, shell: Shell) -> None:
    """Of a footer that goes on and on the table shows how it begins; --json has all of it."""
    office.activate(POLICY.replace("[mailbox]", '[mailbox]\nfooter_plain_body = "Example Ltd."'))
    office.drain()
    footer = "All views are mine, and none of them is anybody else's. " * 20
    office.host("PUT", "mailboxes/ada.lovelace", footer_plain_body=footer)

    lines, listed = shell.run("reconcile").out.splitlines(), shell.run("reconcile", "--json").document["drift"]

    assert max(map(len, lines)) < 240
    assert any("Example Ltd.  All views are mine, and none of" in line and "...  --apply" in line for line in lines)
    assert [each["found"] for each in listed] == [footer]


def test_nothing_that_differs_ends_with_0(office: Office, shell: Shell) -> None:
    """Where all is as it is wanted, and what is of nobody is only listed, nobody is needed."""
    nothing = shell.run("reconcile")
    office.host("POST", "aliases", local_part="info", destinations=["ada.lovelace@example.org"])
    of_nobody = shell.run("reconcile")

    assert (nothing.code, of_nobody.code) == (0, 0), nothing.err + of_nobody.err
    assert nothing.out.splitlines()[0] == "Everything is as it is wanted."
    assert "nothing: it is not ours" in of_nobody.out


def test_the_checkup_tells_what_the_last_one_found(office: Office, shell: Shell) -> None:
    """`doctor` has a line for drift that nobody has decided about, with the command that shows it."""
    meddle(office)
    before = {check["check"]: check for check in shell.run("doctor", "--json").document["checks"]}
    shell.run("reconcile")
    after = {check["check"]: check for check in shell.run("doctor", "--json").document["checks"]}

    assert before["drift"]["ok"]
    assert (after["drift"]["ok"], after["drift"]["needsPerson"]) == (False, True)
    assert after["drift"]["said"].startswith("2 foreign-hand, as read from example.org at ")
    assert "mailroster reconcile" in after["drift"]["mend"]


def test_another_domain_is_refused_with_a_sentence(shell: Shell) -> None:
    """A domain that the policy does not speak of, or that is none, is one sentence and 1."""
    elsewhere, none = shell.run("reconcile", "elsewhere.example"), shell.run("reconcile", "no domain")

    assert (elsewhere.code, none.code) == (1, 1)
    assert "elsewhere.example is not a domain of the active policy" in elsewhere.err
    assert "not a valid domain" in none.err


def test_the_api_lists_drift_in_pages(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """GET /api/v1/drift shows the latest findings to viewers, by kind and in pages, with when the domain was read."""
    meddle(office)
    office.move(timedelta(hours=1))
    reconcile(office.execution, "example.org")
    with served(migrated_url, tmp_path) as web:
        viewer = web.token(Role.VIEWER)
        first = web.http.get("/api/v1/drift", params={"limit": 2}, headers=viewer).json()
        rest = web.http.get("/api/v1/drift", params={"after": first["next"]}, headers=viewer).json()
        only = web.http.get("/api/v1/drift", params={"kind": "unmanaged"}, headers=viewer).json()
        wrong = web.http.get("/api/v1/drift", params={"kind": "odd"}, headers=viewer)
        described = web.http.get("/api/v1/openapi.json").json()["paths"]

    named = [(one["kind"], one["field"]) for one in first["drift"]]
    assert named == [("foreign-hand", "may_access_pop3"), ("foreign-hand", "name")]
    assert [one["address"] for one in rest["drift"]] == ["info@example.org"]
    assert [one["object"] for one in only["drift"]] == ["alias"]
    assert (rest["next"], wrong.status_code) == (None, 422)
    assert first["readings"][0]["readAt"] == "2026-03-02T10:00:00Z"
    assert "/api/v1/drift" in described


def test_a_domain_that_the_account_lacks_hides_nothing_of_the_others(office: Office, shell: Shell) -> None:
    """What the others hold is shown and repaired all the same; then the missing one is named, with 1."""
    policy = POLICY + '[[domains]]\nname = "example.fr"\npeople = { country = "FR" }\n'
    office.activate(policy)
    meddle(office)

    ran = shell.run("reconcile", "--apply")

    assert ran.code == 1
    assert f"job {office.job_of(1).id}" in ran.out
    assert "example.org at " in ran.out
    assert ran.err == "mailroster: the mail host's account has no domain example.fr\n"
    assert shell.run("reconcile", "example.fr").out == ""


def test_why_names_the_domain_that_somebody_waits_for(office: Office, shell: Shell) -> None:
    """Who gets no address because their domain cannot be read is told so, with the job that a person must look at."""
    office.activate(POLICY + '[[domains]]\nname = "example.fr"\npeople = { country = "FR" }\n')
    office.join("E3", "Sophie Germain", country="FR")
    office.drain()

    ran = shell.run("why", "E3")

    assert ran.code == 3
    assert "which reads the addresses of example.fr and is held: the mail host has no domain example.fr" in ran.out
