"""The report for people: tables, what comes next, and a line for each special case."""

import shlex

from worker.cli.demo.findings import Findings
from worker.cli.demo.mail_host import ShownMailbox
from worker.cli.demo.report import Kept, Report, calls_by_method, jobs_by_kind
from worker.cli.output import say, show_table
from worker.mail import agreeing, counted

_MOST_COMING = 12

Rows = list[tuple[str, ...]]


def show(report: Report) -> None:
    """Print the whole report."""
    found = report.found
    _section("Jobs", ("kind", "state", "jobs"), [(*key, str(count)) for key, count in jobs_by_kind(found).items()])
    _section("Mailboxes", ("address", "name", "state", "also receives as"), _mailboxes(found))
    _section("Aliases", ("address", "delivers to"), _aliases(found))
    _section("Calls to the mail host", ("method", "calls"), _calls(found))
    _section("What comes next", ("when", "who", "what"), _coming(found))
    say()
    for case in report.cases:
        say(f"{'ok   ' if case.held else 'NOT  '}{case.sentence}", style="green" if case.held else "bold red")
    say(_last_line(report))
    if report.kept is not None:
        _show_kept(report.kept)


def _section(title: str, columns: tuple[str, ...], rows: Rows) -> None:
    say()
    say(title, style="bold")
    show_table(columns, rows, empty="none")


def _mailboxes(found: Findings) -> Rows:
    return [
        (address, mailbox.name, _state(mailbox), ", ".join(identity.address for identity in mailbox.identities))
        for address, mailbox in sorted(found.mail_host.mailboxes.items())
    ]


def _state(mailbox: ShownMailbox) -> str:
    return "blocked" if mailbox.is_blocked else "open"


def _aliases(found: Findings) -> Rows:
    aliases = found.mail_host.aliases.items()
    return [(address, ", ".join(map(_local_part, sorted(destinations)))) for address, destinations in sorted(aliases)]


def _local_part(address: str) -> str:
    return address.partition("@")[0]


def _calls(found: Findings) -> Rows:
    counted = [(method, str(count)) for method, count in calls_by_method(found).items()]
    return [*counted, ("all", str(len(found.mail_host.methods)))]


def _coming(found: Findings) -> Rows:
    soonest = found.upcoming[:_MOST_COMING]
    rows: Rows = [(found.when(one), str(one["name"]), str(one["nextStep"])) for one in soonest]
    more = len(found.upcoming) - len(soonest)
    return [*rows, ("later", f"{more} more {agreeing(more, 'person', 'people')}", "")] if more else rows


def _last_line(report: Report) -> str:
    found = report.found
    sent, jobs = counted(len(found.answers), "delivery"), counted(len(found.jobs), "job")
    calls = counted(len(found.mail_host.methods), "call")
    return f"{sent} became {jobs} and {calls} in {report.seconds:.1f} seconds."


def _show_kept(kept: Kept) -> None:
    say()
    say("Left running until Ctrl-C:", style="bold")
    say(f"  Mailroster         {kept.server}")
    say(f"  mail host's state  {kept.sandbox}/_sandbox/state")
    say(f"  viewer token       {kept.token}")
    say(f"  try                curl -H 'Authorization: Bearer {kept.token}' {kept.server}/api/v1/people")
    say("For commands beside it, such as `mailroster schedule`, in another shell:", style="bold")
    for name, value in kept.environment.items():
        say(f"  export {name}={shlex.quote(value)}")
