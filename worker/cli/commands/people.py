"""``people``: look at them, and an operator's own statements about them."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from worker.cli.commands import merging
from worker.cli.commands.jobs import NEEDS_A_PERSON
from worker.cli.opening import actor, opened
from worker.cli.options import After, Json, LastDay, Who
from worker.cli.output import moment, say, show_json, show_table
from worker.cli.whom import erased_sentence, person_meant
from worker.deployment import Deployment
from worker.events import EventType
from worker.execution import passwords
from worker.intake import Receipt, call_back, state_of_person
from worker.store import jobs, people
from worker.store.subjects import Subject, SubjectKind
from worker.store.tables import JobRow, PersonRow
from worker.store.zones import zones
from worker.web.objects import JsonObject, listing
from worker.web.person_objects import person_detail, person_objects


def commands() -> typer.Typer:
    """Return the group."""
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(list_people)
    group.command()(show)
    group.command()(leave)
    group.command()(suspend)
    group.command()(resume)
    group.command()(reset_password)
    group.command()(merging.merge)
    group.command()(merging.split)
    return group


def list_people(
    *,
    after: After = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 1000,
    as_json: Json = False,
) -> None:
    """List people with their addresses and what comes next. Who was merged into somebody is that one."""
    with opened() as deployment, deployment.database.read() as session:
        rows = people.listed(session, after=after, limit=limit + 1)
        shown = person_objects(session, rows)
        local = zones(session, deployment.sources.precedence, [row.id for row in rows if row.next_change_at])
    if as_json:
        show_json(listing("people", shown, limit=limit))
        return
    columns = ("id", "name", "phase", "address", "next")
    show_table(
        columns,
        [_line(*each, local.of(each[0].id)) for each in zip(rows[:limit], shown, strict=False)],
        empty="Nobody is known yet.",
    )
    if len(rows) > limit:
        say(f"There are more: --after {rows[limit - 1].id}")


def show(who: Who, *, as_json: Json = False) -> None:
    """Show a person: facts and who stated them, addresses, groups, what comes next.

    Exits with 3 if their job is held or parked: then it needs a person.
    """
    with opened() as deployment, deployment.database.read() as session:
        row = person_meant(session, who)
        detail = person_detail(session, row, deployment.sources.precedence, personal=True)
        job = jobs.outstanding(session, Subject(SubjectKind.PERSON, str(row.id)))
        if as_json:
            show_json(detail)
        else:
            _show(row, detail, job, zones(session, deployment.sources.precedence, [row.id]).of(row.id))
    if job is not None and job.state in NEEDS_A_PERSON:
        raise typer.Exit(3)


def leave(
    who: Who,
    *,
    on: LastDay = None,
    now: Annotated[bool, typer.Option("--now", help="Block at once, whatever the dates.")] = False,
    as_json: Json = False,
) -> None:
    """Say that a person leaves: on a day, or now. It holds until anybody says something newer of their employment."""
    if on is None and not now:
        raise typer.BadParameter("say when: --on DATE, or --now")
    told: dict[str, object] = {"immediate": True} if now else {}
    if on is not None:
        told["lastWorkingDay"] = date.isoformat(on.date())
    _state(who, EventType.LEFT, told, as_json=as_json)


def suspend(who: Who, *, as_json: Json = False) -> None:
    """Close a person's mailbox for them, without a departure and without touching the mail."""
    _state(who, EventType.SUSPENDED, {}, as_json=as_json)


def resume(who: Who, *, as_json: Json = False) -> None:
    """Take a suspension back, and a departure. Somebody who was blocked needs a new password afterwards."""
    with opened(ringing=True) as deployment:
        row = _meant(deployment, who)
        receipts = call_back(deployment.intake, row.id, actor=actor())
    _say_accepted(row, receipts, as_json=as_json)


def reset_password(who: Who, *, as_json: Json = False) -> None:
    """Set a fresh random password for a person's mailbox and show it, once: it is kept nowhere."""
    with opened() as deployment:
        row = _meant(deployment, who)
        fresh = passwords.reset_password(deployment.execution, row.id, actor=actor())
    if as_json:
        show_json({"person": str(row.id), "address": fresh.address, "password": fresh.password})
        return
    say(f"The password of {fresh.address} is now")
    print(fresh.password)
    say("Hand it over now: it is kept nowhere, and nobody can show it again.")


def _state(who: str, statement: EventType, told: dict[str, object], *, as_json: bool) -> None:
    with opened(ringing=True) as deployment:
        row = _meant(deployment, who)
        receipt = state_of_person(deployment.intake, row.id, statement, data=told, actor=actor())
    _say_accepted(row, (receipt,), as_json=as_json)


def _meant(deployment: Deployment, who: str) -> PersonRow:
    with deployment.database.read() as session:
        return person_meant(session, who)


def _say_accepted(row: PersonRow, receipts: Sequence[Receipt], *, as_json: bool) -> None:
    if as_json:
        show_json({"events": [str(receipt.id) for receipt in receipts], "person": str(row.id)})
        return
    for receipt in receipts:
        say(f"event {receipt.id} about {row.name or f'person {row.id}'} is accepted")


def _line(row: PersonRow, shown: JsonObject, zone: ZoneInfo) -> tuple[object, ...]:
    return row.id, row.name, row.phase, shown["address"], _next(row, zone)


def _next(row: PersonRow, zone: ZoneInfo) -> str | None:
    if row.next_change_at is None:
        return None
    return f"{row.next_step or 'a look'} at {moment(row.next_change_at, zone)}"


def _show(row: PersonRow, detail: JsonObject, job: JobRow | None, zone: ZoneInfo) -> None:
    if row.erased_at is not None:
        say(erased_sentence(row, zone))
        return
    say(f"{row.name or 'no name'} (person {row.id}): {row.phase or 'unknown'}", style="bold")
    if row.next_change_at:
        say(f"  next: {_next(row, zone)}")
    if job is not None:
        say(f"  job {job.id} is {job.state.value}{f': {job.reason}' if job.reason else ''}")
    records = detail["records"]
    assert isinstance(records, list)
    keys = [f"{each['source']}/{each['subject']}" for each in records]
    say(f"  records: {', '.join(keys) or 'none'}")
    facts = detail["facts"]
    assert isinstance(facts, dict)
    rows = [(name, _value(fact), fact["source"], moment(fact["since"], zone)) for name, fact in facts.items()]
    show_table(("fact", "value", "source", "since"), rows, empty="  no facts")
    ledger = detail["addresses"]
    assert isinstance(ledger, list)
    held = [
        (each["address"], each["role"], each["provenance"], *(moment(each[at], zone) for at in ("heldFrom", "heldTo")))
        for each in ledger
    ]
    say()
    show_table(("address", "as", "by", "from", "to"), held, empty="no addresses")
    say()
    for lists in ("groups", "rewrites"):
        belongs_to = detail[lists]
        assert isinstance(belongs_to, list)
        say(f"{lists}: {', '.join(belongs_to) or 'none'}")
    left_out = detail["leftOutOf"]
    assert isinstance(left_out, list)
    for each in left_out:
        say(f"left out of {each['list']}: {each['why']}")


def _value(fact: JsonObject) -> object:
    value = fact.get("value")
    return ", ".join(map(str, value)) if isinstance(value, list) else value
