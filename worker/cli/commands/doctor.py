"""``doctor``: whether everything that is needed is there, and the mend for what is not."""

import typer

from worker.cli.checkup import checkup
from worker.cli.options import Json
from worker.cli.output import say, show_json, show_table


def doctor(*, as_json: Json = False) -> None:
    """Check settings, database, schema, broker, worker, policy, sources, records, events, mail host: a line each.

    Exits with 1 if something is broken. Makes one reading call at the mail host.
    """
    findings = checkup()
    broken = [each for each in findings if not each.ok]
    if as_json:
        checks = [{"check": each.check, "ok": each.ok, "said": each.said, "mend": each.mend} for each in findings]
        show_json({"ok": not broken, "checks": checks})
    else:
        rows = [(each.check, "ok" if each.ok else "broken", each.said) for each in findings]
        show_table(("check", "state", "what was found"), rows, empty="Nothing was checked.")
        for each in broken:
            say(f"{each.check}: {each.mend}")
    if broken:
        raise typer.Exit(1)
