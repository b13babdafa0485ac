"""``policy``: check a policy file, and its schema for editors."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.options import Json
from worker.cli.output import say, show_json, warn
from worker.cli.roster_looked_at import look_at_roster
from worker.deployment import read_policy
from worker.policy import PolicyInvalid, advice, policy_schema
from worker.settings import load_settings


def commands() -> typer.Typer:
    """Return the group."""
    group = typer.Typer(no_args_is_help=True)
    group.command()(check)
    group.command()(schema)
    return group


def check(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Else the configured policy.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Check a policy file; every fault is told with its line, its key and the reason.

    What is valid and may not do what was meant is told, too, each with a mend, and is no fault: exit code 0. Where
    there is a database, rules and names are also tried on the people on the roster.
    """
    path = file or load_settings().policy
    try:
        policy, text = read_policy(path)
    except PolicyInvalid as invalid:
        _show_problems(path, invalid, as_json=as_json)
        raise typer.Exit(1) from invalid
    roster = look_at_roster(policy)
    warnings = advice(policy, text, roster.hints)
    if as_json:
        shown = [{"file": str(path), **asdict(each)} for each in warnings]
        looked = {"people": roster.people, "said": roster.said}
        valid = {"file": str(path), "valid": True, "hash": policy.hash, "problems": []}
        show_json(valid | {"warnings": shown, "roster": looked})
        return
    say(f"{path} is valid: {', '.join(policy.mail_domains)}, policy {policy.hash[:12]}")
    for each in warnings:
        say(f"{path}: {each}", style="yellow")
    say(roster.said)


def schema() -> None:
    """Print the JSON Schema of the policy file."""
    show_json(policy_schema())


def _show_problems(path: Path, invalid: PolicyInvalid, *, as_json: bool) -> None:
    if as_json:
        problems = [{"line": each.line, "key": each.key, "reason": each.reason} for each in invalid.problems]
        show_json({"file": str(path), "valid": False, "hash": None, "problems": problems})
        return
    for problem in invalid.problems:
        warn(f"{path}: {problem}")
