"""The table of an adoption, for people and as JSON. No recovery address is ever in it."""

from collections.abc import Iterator
from dataclasses import asdict

from worker.cli.output import say, show_table
from worker.cli.steps import show_step
from worker.execution.adoption_table import AliasLine, MailboxLine, Survey
from worker.mail import agreeing, counted
from worker.planning.adoption import Standing
from worker.planning.plan import Plan

_COLUMNS = ("address", "person", "name", "phase", "score", "why", "then")


def show_survey(found: Survey) -> None:
    """Print the table, in the order in which somebody looks at it: what would be taken, what to decide, the rest."""
    say("Matched: what --apply takes over", style="bold")
    show_table(_COLUMNS, [_taken(found, line) for line in found.selected], empty="  nothing")
    _show_others(found)
    for line in found.aliases:
        _show_alias(line)
    _show_rest(found)
    say(f"{what_is_taken(found)} would be taken over; {need_a_decision(found.undecided)}. Nothing was changed.")


def what_is_taken(found: Survey) -> str:
    """Return how much is taken over, in words."""
    return f"{counted(len(found.selected), 'mailbox')} and {counted(len(found.taken_aliases), 'alias')}"


def need_a_decision(number: int) -> str:
    """Return that so many lines need somebody who decides."""
    return f"{number} {agreeing(number, 'needs', 'need')} a decision"


def survey_object(found: Survey, *, applied: bool) -> dict[str, object]:
    """Return the table as one JSON object."""
    return {
        "domains": list(found.domains),
        "table": found.hash,
        "applied": applied,
        "mailboxes": [_mailbox_object(found, line) for line in found.mailboxes],
        "aliases": [_alias_object(line) for line in found.aliases],
        "peopleWithoutMailbox": [
            {"id": str(key), "name": found.names[key], "then": fate} for key, fate in found.without.items()
        ],
        "undecided": found.undecided,
    }


def _taken(found: Survey, line: MailboxLine) -> tuple[object, ...]:
    said = line.proposal
    name = found.names[said.person] if said.person is not None else None
    return said.address, said.person, name, line.phase, said.score, said.reason, _then(line.plan)


def _show_others(found: Survey) -> None:
    undecided = [line for line in found.mailboxes if line.proposal.standing is Standing.UNDECIDED]
    if undecided:
        say("To be decided, with --match ADDRESS=PERSON", style="bold")
        columns = ("address", "person", "name", "score", "why")
        show_table(columns, [row for line in undecided for row in _rivals(found, line)], empty="")
    left = [
        line
        for line in found.mailboxes
        if not line.selected and line.proposal.standing not in (Standing.UNDECIDED, Standing.NOBODYS)
    ]
    if left:
        say("Matched, and left out by --only", style="bold")
        show_table(("address", "person"), [(line.proposal.address, line.proposal.person) for line in left], empty="")


def _rivals(found: Survey, line: MailboxLine) -> Iterator[tuple[object, ...]]:
    yield line.proposal.address, None, None, None, line.proposal.reason
    for rival in line.proposal.rivals:
        yield "", rival.person, found.names[rival.person], rival.score, rival.reason


def _show_alias(line: AliasLine) -> None:
    what = "left out" if not line.selected else "taken over"
    if line.standing is Standing.UNDECIDED:
        what = f"to be decided, for it would be deleted: --only {line.address}"
    say(f"Group {line.address}: {what}", style="bold")
    for step in line.plan.steps:
        show_step(step)
    if not line.plan.steps:
        say("  has the members that the policy wants")


def _show_rest(found: Survey) -> None:
    nobodys = [line.proposal for line in found.mailboxes if line.proposal.standing is Standing.NOBODYS]
    if nobodys:
        say("Nobody's: they stay as they are", style="bold")
        show_table(("address", "why"), [(each.address, each.reason) for each in nobodys], empty="")
    if found.without:
        say("People without a mailbox, and what becomes of them", style="bold")
        rows = [(key, found.names[key], fate) for key, fate in found.without.items()]
        show_table(("person", "name", "then"), rows, empty="")


def _then(plan: Plan) -> str:
    return ", ".join(step.operation.value for step in plan.steps) or "nothing to do"


def _mailbox_object(found: Survey, line: MailboxLine) -> dict[str, object]:
    said = line.proposal
    return {
        "address": said.address,
        "standing": said.standing.value,
        "selected": line.selected,
        "person": None if said.person is None else str(said.person),
        "name": None if said.person is None else found.names[said.person],
        "phase": line.phase or None,
        "score": said.score,
        "reason": said.reason,
        "candidates": [
            {"person": str(each.person), "name": found.names[each.person], "score": each.score, "reason": each.reason}
            for each in said.rivals
        ],
        "identities": sorted(line.identities),
        "steps": [asdict(step) for step in line.plan.steps],
    }


def _alias_object(line: AliasLine) -> dict[str, object]:
    return {
        "address": line.address,
        "standing": line.standing.value,
        "selected": line.selected,
        "has": sorted(line.has),
        "wouldHave": sorted(line.would_have),
        "steps": [asdict(step) for step in line.plan.steps],
    }
