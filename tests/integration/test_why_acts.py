"""What operators decided about somebody is part of the story that `why` tells."""

from pathlib import Path

from tests.integration.office import DAY, Office
from tests.integration.shell import beside
from worker.execution.verbs import dismiss, retry
from worker.intake.merging import merge, split


def test_decisions_stand_in_the_story_with_who_made_them_and_when(
    office: Office, migrated_url: str, tmp_path: Path
) -> None:
    """A job dismissed and tried again, a merge and a split, each at its time; events speak for themselves."""
    office.join("E1", "Ada Lovelace", personalEmail=None)
    office.join("E2", "Ada King", hireDate="2026-06-01")
    office.drain()
    held, moments = office.job_of(1).id, (office.database, office.clock, office.intake.bell)
    dismiss(*moments, held, "cli:ada", reason="not yet")
    office.move(DAY)
    again = retry(*moments, held, "token:7")
    office.move(DAY)
    merge(office.intake, 1, 2, actor="cli:ada")
    split(office.intake, 1, [("hr", "E2")], actor="cli:bob")
    office.drain()

    shell = beside(office, migrated_url, tmp_path)
    told = shell.run("why", "1", "--json").document["acts"]
    lines = shell.run("why", "1").out.splitlines()

    assert [(each["actor"], each["act"], each["target"]) for each in told] == [
        ("cli:ada", "job.dismiss", f"job {held}"),
        ("token:7", "job.retry", f"job {held}"),
        ("cli:ada", "people.merge", "person 1"),
        ("cli:bob", "people.split", "person 1"),
    ]
    assert again != held
    said = [
        f"2026-03-02 09:00 UTC: cli:ada dismissed job {held}",
        f"2026-03-03 09:00 UTC: token:7 had job {held} tried again",
        "2026-03-04 09:00 UTC: cli:ada merged person 2 into this one",
        "2026-03-04 09:00 UTC: cli:bob gave hr/E2 to person 2",
    ]
    assert [line for line in lines if line in said] == said
