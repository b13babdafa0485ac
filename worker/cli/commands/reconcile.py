"""``reconcile``: what the mail host holds otherwise than is wanted, whose doing it is, and the repair of it."""

from collections.abc import Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from worker.cli.failed import Failed
from worker.cli.opening import actor, opened
from worker.cli.options import Json
from worker.cli.output import moment, say, show_json, show_table
from worker.cli.steps import MOST_MEMBERS, written
from worker.execution import reconcile as execution
from worker.execution.context import Execution
from worker.execution.look import UnknownMailDomain
from worker.execution.reconcile import Reconciled
from worker.mail import FieldValue, agreeing, counted, domain_name
from worker.planning.drift import Drift
from worker.store import drift
from worker.store.database import Session
from worker.store.drift import DriftFilter
from worker.store.tables import DriftRow
from worker.store.zones import zones
from worker.web.drift_objects import drift_listing

_LONGEST = 60
"""So many characters of a text are shown; --json has them all."""
_MOST_NAMED = 3
"""So many members of a long list are named in a row of the table."""


def reconcile(
    domain: Annotated[str | None, typer.Argument(metavar="DOMAIN", help="Only this one of the policy's.")] = None,
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Queue the repairs that the policy allows.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many; all are kept.")] = 1000,
    as_json: Json = False,
) -> None:
    """Compare what the mail host holds with what is wanted, in a few list calls per domain, and show what differs.

    Exits with 3 if something differs that no job takes care of, and with 1, after showing the other domains, if the
    account lacks one of them.
    """
    only = domain_name(domain) if domain else None
    with opened(ringing=apply) as deployment:
        deployment.require_credentials()
        room = deployment.execution
        repair_for = actor() if apply else None
        names = [only] if only else execution.domains_of(room)
        done, unknown = _of_each(room, names, repair_for)
        with deployment.database.read() as session:
            if done:
                _show(session, only, done, limit=limit, as_json=as_json)
            undecided = drift.count_undecided(session, only)
    if unknown:
        raise Failed("; ".join(map(str, unknown)))
    if undecided:
        raise typer.Exit(3)


def _of_each(
    room: Execution, names: Sequence[str], repair_for: str | None
) -> tuple[list[Reconciled], list[UnknownMailDomain]]:
    """Reconcile each domain; one that the account lacks keeps nobody from seeing what the others hold."""
    done: list[Reconciled] = []
    unknown: list[UnknownMailDomain] = []
    for name in names:
        try:
            done.append(execution.reconcile(room, name, repair_for=repair_for))
        except UnknownMailDomain as error:
            unknown.append(error)
    return done, unknown


def _show(session: Session, only: str | None, done: Sequence[Reconciled], *, limit: int, as_json: bool) -> None:
    wanted = DriftFilter(only)
    if as_json:
        show_json(drift_listing(session, wanted, after=0, limit=limit) | {"queued": sum(each.queued for each in done)})
        return
    rows = [row for row, _ in drift.page(session, wanted, after=0, limit=limit + 1)]
    shown = [(row.kind, _object(row), row.field, *_values(row), _done(row)) for row in rows[:limit]]
    columns = ("kind", "object", "field", "wanted", "found", "what is done")
    show_table(columns, shown, empty="Everything is as it is wanted.")
    if len(rows) > limit:
        say("There are more: --limit, or GET /api/v1/drift")
    for each in done:
        _sum_up(session, each, zones(session, {}).organisation)


def _object(row: DriftRow) -> str:
    return f"{row.noun} {row.address}" + (f" of {row.mailbox}" if row.mailbox else "")


def _values(row: DriftRow) -> tuple[str, str]:
    if row.field is None:
        return "", ""
    if isinstance(row.wanted, list) and isinstance(row.found, list):
        return _beyond(row.wanted, row.found), _beyond(row.found, row.wanted)
    return _value(row.wanted), _value(row.found)


def _beyond(members: list[str], others: list[str]) -> str:
    """Return a list; where one of both is long, its length and what the other has not."""
    if max(len(members), len(others)) <= MOST_MEMBERS:
        return _value(members)
    alone = sorted(set(members) - set(others))
    return f"{len(members)}, also {_value(alone)}" if alone else str(len(members))


def _value(kept: FieldValue | list[str]) -> str:
    if isinstance(kept, list) and len(kept) > MOST_MEMBERS:
        return f"{len(kept)}, of them {', '.join(kept[:_MOST_NAMED])}, ..."
    text = written(tuple(kept) if isinstance(kept, list) else kept)
    return text if isinstance(kept, list) or len(text) <= _LONGEST else text[: _LONGEST - 3].rstrip() + "..."


def _done(row: DriftRow) -> str:
    if row.action is None:
        return "nothing: it is not ours"
    if row.job_id is not None:
        return f"job {row.job_id}"
    return row.note or {"repair": "--apply repairs it", "report": "left alone, as the policy says"}[row.action]


def _sum_up(session: Session, done: Reconciled, zone: ZoneInfo) -> None:
    (reading,) = drift.readings(session, done.domain)
    by_kind = drift.count(session, done.domain)
    found = ", ".join(f"{by_kind[kind]} {kind.value}" for kind in Drift if kind in by_kind) or "no difference"
    queued = f"; {counted(done.queued, 'repair')} {agreeing(done.queued, 'is', 'are')} queued" if done.queued else ""
    say(
        f"{done.domain} at {moment(reading.read_at, zone)}: {counted(done.people, 'person')} and "
        f"{counted(done.shared, 'shared address')} compared, {found}{queued}.",
    )
