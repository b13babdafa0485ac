"""Lists of many members, shown: how many there are, and what comes and goes, not everybody who stays."""

from pathlib import Path

from tests.integration.office import Office
from tests.integration.shell import beside

NAMES = [f"Ada {letter}love" for letter in "ABCDEFGHIJKL"]


def test_a_long_list_is_told_by_what_changes(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """A plan, a job and a difference name the number, the first of them, and who comes or goes; --json has them all."""
    office.employ(*NAMES, department="Engineering")
    shell = beside(office, migrated_url, tmp_path)
    job = shell.run("jobs", "show", str(office.job_on("engineering").id))
    office.tell("updated", "E1", department="Support")
    office.apply_all()

    plan, whole = shell.run("plan", "--all"), shell.run("plan", "--all", "--json").document
    office.drain()
    others = [f"ada.{letter}love@example.org" for letter in "bcdefghijk"]
    office.host("PUT", "aliases/engineering", destinations=[*others, "info@example.org"])
    drift = shell.run("reconcile")
    office.host("PUT", "aliases/engineering", destinations=["info@example.org"])
    emptied = shell.run("reconcile").out.splitlines()

    first = ", ".join(f"ada.{letter}love@example.org" for letter in "abcdefghij")
    assert f"destinations: 12, of them {first}, ...\n" in job.out
    assert "destinations: 12 -> 11; removes ada.alove@example.org\n" in plan.out
    lists = {each["subject"]["key"]: each for each in whole["subjects"] if each["subject"]["kind"] == "shared"}
    assert len(lists["engineering@example.org"]["steps"][0]["after"]["destinations"]) == 11
    assert lists["support@example.org"]["steps"][0]["after"]["destinations"] == ["ada.alove@example.org"]
    assert "11, also ada.llove@example.org  11, also info@example.org" in drift.out
    wanted = (
        "11, also 11, of them ada.blove@example.org, ada.clove@example.org, ada.dlove@example.org, ...  1, also info@"
    )
    assert wanted in emptied[1]
