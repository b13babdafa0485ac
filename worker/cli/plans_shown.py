"""Plans that were previewed, shown: a few of them call by call, many of them grouped, and how two policies differ."""

from collections.abc import Iterable
from dataclasses import asdict

from worker.cli.output import moment, say
from worker.cli.steps import show_step
from worker.execution.compared import Difference
from worker.execution.preview import Preview
from worker.execution.previewed import SubjectPlan
from worker.mail import agreeing, counted
from worker.planning.grouping import Group
from worker.web.objects import instant
from worker.web.policy_change_object import policy_change_object

MOST_LISTED = 30
"""So many subjects are shown call by call; more are grouped, and listed where that is asked for."""
_MOST_LISTED_OF_A_POLICY = 3
"""Of a policy that is not in force one wants to know the difference; so many are listed beside it all the same."""


def show_preview(found: Preview, difference: Difference | None, *, details: bool) -> None:
    """Print what would be done, and what of it the change of policy alone brings."""
    for note in found.notes:
        say(note)
    shown = [each for each in found.subjects if _says_something(each) or len(found.subjects) == 1]
    is_listed = details or len(shown) <= (MOST_LISTED if difference is None else _MOST_LISTED_OF_A_POLICY)
    if difference is not None:
        _show_difference(difference)
    elif not is_listed:
        _show_groups("Would be done:", found.groups)
    for braked in found.brakes:
        say(str(braked), style="yellow")
    if is_listed:
        _list(found, shown, difference)
    else:
        say(f"{len(shown)} people and lists have something to say; --details shows each call.")
    all_in_all = "In all, " if difference is not None else ""
    say(f"{all_in_all}{_cost(found.writes, found.reads, found.seconds)} Nothing was changed.")


def preview_object(found: Preview, difference: Difference | None) -> dict[str, object]:
    """Return a preview as JSON shows it, with every subject however many there are."""
    return {
        "subjects": [_subject(each) | _differs(each, difference) for each in found.subjects],
        "notes": list(found.notes),
        "groups": _groups(found.groups),
        "brakes": [asdict(braked) | {"said": str(braked)} for braked in found.brakes],
        "calls": found.writes + found.reads,
        "writes": found.writes,
        "reads": found.reads,
        "seconds": found.seconds,
        "change": _change(difference) if difference is not None else None,
    }


def _show_difference(difference: Difference) -> None:
    admission = difference.admission
    say(f"Policy {admission.policy[:12]} instead of {admission.in_force[:12]}, which is in force", style="bold")
    _show_groups("The change alone brings:", difference.brings)
    if difference.spares:
        _show_groups("It spares:", difference.spares)
    if difference.brings:
        say(_cost(difference.writes, difference.reads, difference.seconds, more=" more"))
    if difference.anyway:
        _show_groups("Comes anyway, under either policy:", difference.anyway)
    if admission.exceeds:
        say(f"Putting it into force would be held: by itself it {admission}", style="yellow")


def _cost(writes: int, reads: int, seconds: float, *, more: str = "") -> str:
    calls = writes + reads
    return (
        f"{counted(calls, 'call')}{more} ({writes} writing, {reads} reading); the call limit makes "
        f"{agreeing(calls, 'it', 'them')} take {seconds:.0f} s."
    )


def _show_groups(title: str, groups: Iterable[Group]) -> None:
    lines = [f"  {group}" for group in groups]
    for line in (title, *(lines or ["  nothing"])):
        say(line)


def _list(found: Preview, shown: list[SubjectPlan], difference: Difference | None) -> None:
    for each in shown:
        _show_subject(each, difference)
    if len(shown) < len(found.subjects):
        rest = len(found.subjects) - len(shown)
        say(agreeing(rest, "The other one is as it should be.", f"The others ({rest}) are as they should be."))


def _says_something(each: SubjectPlan) -> bool:
    return bool(each.plan.steps or each.stopped or each.plan.note)


def _show_subject(each: SubjectPlan, difference: Difference | None) -> None:
    address = f"<{each.address}>" if each.address and each.address != each.name else ""
    say(" ".join(part for part in (each.name, address) if part) or f"{each.kind.value} {each.key}")
    if difference is not None and (each.kind.value, each.key) in difference.subjects:
        say("  differs from what the policy in force brings")
    if each.stopped:
        say(f"  stopped: {each.stopped}", style="yellow")
    elif not each.plan.steps:
        say("  nothing to do")
    for step in each.plan.steps:
        show_step(step)
    if each.plan.note:
        say(f"  note: {each.plan.note}")
    if each.next_at:
        say(f"  next: {each.next_step or 'a look'} at {moment(each.next_at, each.zone)}")


def _subject(each: SubjectPlan) -> dict[str, object]:
    return {
        "subject": {"kind": each.kind.value, "key": each.key},
        "name": each.name,
        "address": each.address,
        "steps": [asdict(step) for step in each.plan.steps],
        "planHash": each.plan.hash if each.plan.steps else None,
        "note": each.plan.note,
        "stopped": each.stopped,
        "needsPerson": each.needs_a_person,
        "nextChangeAt": instant(each.next_at),
        "nextStep": each.next_step,
    }


def _differs(each: SubjectPlan, difference: Difference | None) -> dict[str, object]:
    return {} if difference is None else {"differs": (each.kind.value, each.key) in difference.subjects}


def _change(difference: Difference) -> dict[str, object]:
    return {
        "brings": _groups(difference.brings),
        "spares": _groups(difference.spares),
        "anyway": _groups(difference.anyway),
        "calls": difference.calls,
        "writes": difference.writes,
        "reads": difference.reads,
        "seconds": difference.seconds,
        "policy": policy_change_object(difference.admission),
    }


def _groups(groups: Iterable[Group]) -> list[dict[str, object]]:
    return [_group(group) for group in groups]


def _group(group: Group) -> dict[str, object]:
    shown: dict[str, object] = {
        "operation": group.operation.value,
        "object": group.noun,
        "count": group.count,
        "held": group.held,
        "said": str(group),
    }
    if group.field:
        shown["field"] = group.field
    if group.is_valued:
        shown |= {"before": group.before, "after": group.after}
    return shown
