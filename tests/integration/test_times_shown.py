"""Times, shown: by the clock of the person, else of the organisation, and always with the name of the zone."""

import re
from pathlib import Path

from tests.integration.office import POLICY, Office
from tests.integration.shell import Shell, beside

BRAKES = '[brakes]\nblock = { floor = 0, share = 0.0, per = "24h" }\n'
_A_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d\S*(?: \S+)?")


def _times(shell: Shell, *command: str) -> set[str]:
    """Return the times that a command shows, each with the word behind it."""
    ran = shell.run(*command)
    assert ran.code in (0, 3), ran.err
    found = set(_A_TIME.findall(ran.out))
    assert found, ran.out
    return found


def test_every_time_names_its_zone(office: Office, migrated_url: str, tmp_path: Path) -> None:
    """Ada works in Tokyo, Grace nowhere in particular: a list tells each by her own clock, a hold by the office's."""
    office.activate(POLICY.replace('"UTC"', '"Europe/Berlin"') + BRAKES)
    office.employ("Ada Lovelace", timezone="Asia/Tokyo")
    office.join("E2", "Grace Hopper")
    office.drain()
    office.tell("left", "E1", lastWorkingDay="2026-03-31")
    office.tell("left", "E2", lastWorkingDay="2026-03-31")
    office.drain()
    shell = beside(office, migrated_url, tmp_path)

    tokyo, berlin = "2026-04-01 00:00 Asia/Tokyo", "2026-04-01 00:00 Europe/Berlin"
    assert _times(shell, "people", "list") == {tokyo, berlin}
    assert _times(shell, "plan", "--person", "E1") == {tokyo}
    assert _times(shell, "plan", "--person", "E2") == {berlin}
    assert {tokyo, berlin} <= _times(shell, "schedule", "--days", "40")
    for command in (("people", "show", "E1"), ("why", "E1"), ("jobs", "show", str(office.job_of(1).id))):
        assert all("Asia/Tokyo" in each for each in _times(shell, *command)), command
    assert {each.rpartition(" ")[2] for each in _times(shell, "jobs", "list")} == {"Asia/Tokyo", "Europe/Berlin"}
    assert shell.run("people", "show", "E1", "--json").document["nextChangeAt"] == "2026-03-31T15:00:00Z"

    office.tell("left", "E1", immediate=True)
    office.tell("left", "E2", lastWorkingDay="2026-02-27")
    office.drain()
    assert all("Europe/Berlin" in each for each in _times(shell, "holds", "list"))
