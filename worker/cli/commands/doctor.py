"""``doctor``: whether everything that is needed is there, and the mend for what is not."""

import typer

from worker.cli.checkup import checkup
from worker.cli.finding import Finding
from worker.cli.options import Json
from worker.cli.output import say, show_json, show_table

_BROKEN = "broken"


def doctor(*, as_json: Json = False) -> None:
    """Check everything that is needed, a line each, and look for what needs a person. Makes one reading call.

    Exits with 1 if something is broken, else with 3 if something is held, parked or belongs to nobody.
    """
    findings = checkup()
    if as_json:
        show_json({"ok": all(each.ok for each in findings), "checks": [_shown(each) for each in findings]})
    else:
        rows = [(each.check, _state(each), each.said) for each in findings]
        show_table(("check", "state", "what was found"), rows, empty="Nothing was checked.")
        for each in findings:
            if each.mend:
                say(f"{each.check}: {each.mend}")
    if any(_state(each) == _BROKEN for each in findings):
        raise typer.Exit(1)
    if not all(each.ok for each in findings):
        raise typer.Exit(3)


def _state(finding: Finding) -> str:
    if finding.ok:
        return "ok"
    return "needs you" if finding.needs_person else _BROKEN


def _shown(finding: Finding) -> dict[str, object]:
    return {
        "check": finding.check,
        "ok": finding.ok,
        "needsPerson": finding.needs_person,
        "said": finding.said,
        "mend": finding.mend,
    }
