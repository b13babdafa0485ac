"""The scenarios: each a change that takes several calls, on an organisation that stands already."""

from functools import partial
from typing import Any

from tests.crashes.scene import At, Scenario, Step
from tests.integration.office import DAY, MONDAY, Office

POLICY = """
[organisation]
domain = "example.org"
timezone = "UTC"
[[groups]]
address = "engineering"
members = { department = "Engineering" }
fallback = "postmaster"
[[groups]]
address = "support"
members = { department = "Support" }
[[rewrites]]
name = "help"
local_part_rule = "help-*"
members = { department = "Support" }
[leaving]
fallback = "postmaster"
autoreply = { subject = "Gone", body = "Write to {manager.displayName}." }
[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups", "autoreply", "forward-to-manager"]
[[leaving.stages]]
after = "10d"
do = ["delete-mailbox", "alias-to-manager"]
[[leaving.stages]]
after = "20d"
do = ["release-address"]
[brakes]
block = { floor = 100, share = 1.0, per = "24h" }
delete = { floor = 100, share = 1.0, per = "24h" }
lists = { floor = 100, share = 1.0, per = "24h" }
"""


def told(day: float, type_: str, subject: str, **more: Any) -> Step:
    """Tell an event that happens so many days after the beginning; told again, it is the same event."""
    event_id = f"{type_}-{subject}-{day}"

    def step(office: Office) -> None:
        office.tell(type_, subject, id=event_id, time=MONDAY + day * DAY, **more)

    return step


def joined(day: float, subject: str, name: str, **more: Any) -> Step:
    """Tell that somebody joined."""
    given, _, family = name.partition(" ")
    facts = {"givenName": given, "familyName": family, "personalEmail": f"{subject.lower()}@home.example"}
    return told(day, "joined", subject, **(facts | more))


STAFF = (
    joined(0, "E1", "Ada Lovelace", department="Engineering"),
    joined(0, "E2", "Grace Hopper", department="Support", manager="E1"),
    joined(0, "E3", "Alan Turing", department="Engineering", manager="E1"),
    At(0),
)
_scenario = partial(Scenario, policy=POLICY)

SCENARIOS = (
    _scenario(
        "join",
        before=STAFF,
        steps=(joined(1, "E4", "Karen Jones", department="Support"), At(1)),
    ),
    _scenario("first_join", before=(), steps=STAFF),
    _scenario("rename", before=STAFF, steps=(told(1, "renamed", "E2", familyName="Murray"), At(1))),
    _scenario("move", before=STAFF, steps=(told(1, "updated", "E2", department="Engineering"), At(1))),
    _scenario("leave", before=STAFF, steps=(told(1, "left", "E2"), At(1), At(12), At(22))),
    _scenario(
        "rehire_after_the_block",
        before=(*STAFF, told(1, "left", "E2"), At(1)),
        steps=(joined(2, "E2", "Grace Hopper", manager="E1"), At(2)),
    ),
    _scenario(
        "rehire_after_the_deletion",
        before=(*STAFF, told(1, "left", "E2"), At(1), At(12)),
        steps=(joined(13, "E2", "Grace Hopper", manager="E1"), At(13)),
    ),
    _scenario(
        "swap_of_names",
        before=STAFF,
        steps=(
            told(1, "renamed", "E2", givenName="Alan", familyName="Turing"),
            told(1, "renamed", "E3", givenName="Grace", familyName="Hopper"),
            At(1),
        ),
    ),
    _scenario("suspension", before=STAFF, steps=(told(1, "suspended", "E3"), At(1), told(2, "resumed", "E3"), At(2))),
)
