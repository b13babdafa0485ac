"""The special cases of the sample week, each with whether it ended as it should and a sentence that says so.

Addresses and names are written out: a case is checked against what the mail host says, not against our own tables.
"""

from dataclasses import dataclass

from worker.cli.demo.findings import Findings
from worker.cli.demo.mail_host import ShownMailbox


@dataclass(frozen=True, slots=True)
class Case:
    """One special case."""

    name: str
    held: bool
    """It ended as the sentence says."""
    sentence: str


def cases_of(found: Findings) -> tuple[Case, ...]:
    """Return all special cases of the sample week."""
    checks = (
        _same_address,
        _renamed,
        _duplicate,
        _out_of_order,
        _left_before_joined,
        _future_hire,
        _future_departure,
        _immediate_departure,
        _forged,
    )
    return tuple(check(found) for check in checks)


def _same_address(found: Findings) -> Case:
    holders = [_mailbox(found, "anna.kowalska"), _mailbox(found, "a.kowalska")]
    return Case(
        "same-address",
        all(mailbox is not None and mailbox.name == "Anna Kowalska" for mailbox in holders),
        "two people called Anna Kowalska got anna.kowalska@example.org and a.kowalska@example.org",
    )


def _renamed(found: Findings) -> Case:
    mailbox = _mailbox(found, "ingrid.sorensen")
    identities = [(identity.address, identity.name) for identity in mailbox.identities] if mailbox else []
    return Case(
        "renamed",
        mailbox is not None
        and mailbox.name == "Ingrid Lindqvist"
        and identities == [("ingrid.lindqvist@example.org", "Ingrid Lindqvist")],
        "Ingrid Sørensen is Ingrid Lindqvist now: the mailbox stays, and receives at both addresses",
    )


def _duplicate(found: Findings) -> Case:
    repeated = [answer for answer in found.answers if answer.delivery.repeated]
    return Case(
        "duplicate",
        bool(repeated) and all(answer.status == 202 and answer.duplicate for answer in repeated),
        "the second delivery of her rename was recognised as a duplicate and changed nothing",
    )


def _out_of_order(found: Findings) -> Case:
    return Case(
        "out-of-order",
        found.mail_host.groups_of("joao.conceicao@example.org") == ["everyone@example.org", "support@example.org"],
        "João Conceição is in support@, although the older news of finance@ came last",
    )


def _left_before_joined(found: Findings) -> Case:
    return Case(
        "left-before-joined",
        not found.mail_host.knows("priya.raman@example.org"),
        "Priya Raman's departure came before her joining, and no mailbox was made",
    )


def _future_hire(found: Findings) -> Case:
    at, step = _next(found, "Yūki Tanaka")
    return Case(
        "future-hire",
        not found.mail_host.knows("yuki.tanaka@example.org") and step == "create-mailbox",
        f"Yūki Tanaka starts later: nothing is there yet, the mailbox comes on {at}",
    )


def _future_departure(found: Findings) -> Case:
    mailbox, (at, step) = _mailbox(found, "zoltan.szucs"), _next(found, "Zoltán Szűcs")
    return Case(
        "future-departure",
        mailbox is not None and not mailbox.is_blocked and "block" in step,
        f"Zoltán Szűcs works on until his last day: the mailbox is open, and closes on {at}",
    )


def _immediate_departure(found: Findings) -> Case:
    mailbox = _mailbox(found, "maris.berzins")
    return Case(
        "immediate-departure",
        mailbox is not None and mailbox.is_blocked and not found.mail_host.groups_of(mailbox.address),
        "Māris Bērziņš left at once: the mailbox is blocked and in no alias",
    )


def _forged(found: Findings) -> Case:
    forged = [answer for answer in found.answers if answer.delivery.forged]
    director = _mailbox(found, "amelie.beausejour")
    refused = bool(forged) and all(answer.status == 401 for answer in forged)
    return Case(
        "forged",
        refused and not found.strays and director is not None and not director.is_blocked,
        "the forged delivery was refused with 401 and left no trace",
    )


def _mailbox(found: Findings, local_part: str) -> ShownMailbox | None:
    return found.mail_host.mailboxes.get(f"{local_part}@example.org")


def _next(found: Findings, name: str) -> tuple[str, str]:
    """Return when and what comes next for the only person of that name; empty texts if nothing does."""
    for person in found.upcoming:
        if person["name"] == name:
            return found.when(person), str(person["nextStep"])
    return "", ""
