"""``adopt``: mailboxes that exist already, matched with people, looked at and taken over."""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from worker.cli.commands.adoption_shown import need_a_decision, show_survey, survey_object, what_is_taken
from worker.cli.failed import Failed
from worker.cli.opening import actor, opened
from worker.cli.options import Json
from worker.cli.output import say, show_json
from worker.cli.whom import person_meant
from worker.deployment import Deployment, read_policy
from worker.execution.adopt import Adopter, apply_waiting, look_around, look_over, release
from worker.execution.adopt import adopt as take_over
from worker.execution.adoption_table import Asked
from worker.execution.look import Seen
from worker.mail import Address, InvalidAddress, domain_name
from worker.planning.adoption import MINIMUM
from worker.planning.likeness import HIGHEST
from worker.policy import Policy, load_policy
from worker.store.policies import active_policy


def adopt(
    domain: Annotated[str | None, typer.Argument(metavar="DOMAIN", help="This domain alone.")] = None,
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Take over what the table shows as matched.")] = False,
    table: Annotated[
        str | None, typer.Option(metavar="HASH", help="With --apply: the hash of the table you looked at.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="Take over this one alone; may be repeated.")
    ] = None,
    match: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS=PERSON", help="Say whose it is; may be repeated.")
    ] = None,
    minimum: Annotated[
        int, typer.Option(metavar="SCORE", min=1, max=HIGHEST, help="What is less needs a decision by hand.")
    ] = MINIMUM,
    given_back: Annotated[
        str | None, typer.Option("--release", metavar="ADDRESS", help="Give an adopted one back as foreign.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Match mailboxes that exist with people on the roster, show the table, and take over what you confirm.

    Only lists are read at the mail host, and nothing is written there; jobs follow as ever. Exits with 3 if a look
    finds what needs a decision.
    """
    with opened(ringing=apply or given_back is not None) as deployment:
        adopter = _adopter(deployment)
        if given_back is not None:
            _release(adopter, given_back)
            return
        deployment.require_credentials()
        apply_waiting(deployment.intake)
        asked = Asked(
            domains=_domains(adopter.policy, domain),
            minimum=minimum,
            by_hand=_decisions(deployment, adopter.policy, match or ()),
            only=frozenset(_address(adopter.policy, each) for each in only or ()),
        )
        seen = look_around(adopter.execution, asked.domains)
        if apply:
            _apply(adopter, seen, asked, table, as_json=as_json)
        else:
            _look(adopter, seen, asked, as_json=as_json)


def _look(adopter: Adopter, seen: Seen, asked: Asked, *, as_json: bool) -> None:
    found = look_over(adopter, seen, asked)
    if as_json:
        show_json(survey_object(found, applied=False))
    else:
        show_survey(found)
        if found.selected or found.taken_aliases:
            say(f"  mailroster adopt {' '.join([*_said(asked), '--apply', '--table', found.hash])}")
    if found.undecided:
        raise typer.Exit(3)


def _apply(adopter: Adopter, seen: Seen, asked: Asked, table: str | None, *, as_json: bool) -> None:
    hash_ = table or _confirmed(adopter, seen, asked)
    taken = take_over(adopter, seen, asked, hash_)
    if as_json:
        show_json(survey_object(taken, applied=True))
        return
    decisions = need_a_decision(taken.undecided)
    say(f"{what_is_taken(taken)} are taken over; jobs bring them in step. {decisions}.")


def _confirmed(adopter: Adopter, seen: Seen, asked: Asked) -> str:
    """Return the hash of the table that somebody at a terminal just looked at and agreed to. Raises Failed."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failed("name the table that you looked at: --table HASH, which `mailroster adopt` shows")
    found = look_over(adopter, seen, asked)
    show_survey(found)
    if not typer.confirm(f"Take over {what_is_taken(found)}?"):
        raise Failed("nothing was taken over")
    return found.hash


def _release(adopter: Adopter, text: str) -> None:
    address = _address(adopter.policy, text)
    release(adopter, address)
    say(f"{address} is foreign again, and stays as it is at the mail host")


def _adopter(deployment: Deployment) -> Adopter:
    with deployment.database.read() as session:
        active = active_policy(session)
    policy = load_policy(active[1]) if active else read_policy(deployment.settings.policy)[0]
    return Adopter(deployment.execution, deployment.intake, policy, actor())


def _domains(policy: Policy, asked: str | None) -> tuple[str, ...]:
    known = policy.mail_domains
    if asked is None:
        return known
    try:
        name = domain_name(asked)
    except InvalidAddress as error:
        raise Failed(str(error)) from error
    if name not in known:
        raise Failed(f"the policy has no domain {name}; it has {', '.join(known)}")
    return (name,)


def _decisions(deployment: Deployment, policy: Policy, texts: Sequence[str]) -> Mapping[Address, int]:
    decisions: dict[Address, int] = {}
    for text in texts:
        at, equals, who = text.partition("=")
        if not equals or not who:
            raise typer.BadParameter(f"{text!r} is not ADDRESS=PERSON")
        address = _address(policy, at)
        if address in decisions:
            raise typer.BadParameter(f"{address} is given to two people")
        with deployment.database.read() as session:
            decisions[address] = person_meant(session, who).id
    return decisions


def _address(policy: Policy, text: str) -> Address:
    try:
        return policy.address_of(text)
    except InvalidAddress as error:
        raise Failed(str(error)) from error


def _said(asked: Asked) -> list[str]:
    """Return the arguments that ask the same again."""
    domain = list(asked.domains) if len(asked.domains) == 1 else []
    minimum = [] if asked.minimum == MINIMUM else ["--minimum", str(asked.minimum)]
    matches = [word for at, who in sorted(asked.by_hand.items()) for word in ("--match", f"{at}={who}")]
    return [*domain, *minimum, *matches, *(word for at in sorted(asked.only) for word in ("--only", at))]
