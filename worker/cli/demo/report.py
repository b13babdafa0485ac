"""The report as one JSON document, and the counts that both it and the tables show."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.cli.demo.cases import Case
from worker.cli.demo.findings import Findings
from worker.cli.demo.verdict import Problem
from worker.web.objects import JsonObject


@dataclass(frozen=True, slots=True)
class Kept:
    """How to reach a demo that is left running."""

    server: str
    sandbox: str
    """Its control: ``/_sandbox/state``, ``/_sandbox/calls``."""
    token: str
    """A viewer's token for the API; shown once."""
    environment: Mapping[str, str]
    """The settings that point other commands at it."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything there is to tell at the end."""

    found: Findings
    cases: Sequence[Case]
    problems: Sequence[Problem]
    seconds: float
    """How long it took, from the first line to the last look."""
    kept: Kept | None


def document(report: Report) -> JsonObject:
    """Return the report as ``--json`` prints it; ``mailHost`` is the sandbox's state as the sandbox gave it."""
    found = report.found
    return {
        "asExpected": not report.problems,
        "problems": [problem.sentence for problem in report.problems],
        "cases": [{"case": case.name, "held": case.held, "sentence": case.sentence} for case in report.cases],
        "deliveries": deliveries(found),
        "jobsByKind": [
            {"kind": kind, "state": state, "count": count} for (kind, state), count in jobs_by_kind(found).items()
        ],
        "jobs": list(found.jobs),
        "people": list(found.people),
        "next": list(found.upcoming),
        "calls": {"total": len(found.mail_host.methods), "byMethod": dict(calls_by_method(found))},
        "mailHost": found.mail_host.document,
        "seconds": round(report.seconds, 1),
        "kept": _kept(report.kept),
    }


def deliveries(found: Findings) -> dict[str, object]:
    """Return how many deliveries there were and how they were answered."""
    return {
        "sent": len(found.answers),
        "accepted": sum(answer.status == 202 and not answer.duplicate for answer in found.answers),
        "duplicates": sum(answer.duplicate for answer in found.answers),
        "refused": [
            {"delivery": answer.delivery.name, "status": answer.status, "reason": answer.why}
            for answer in found.answers
            if answer.status != 202
        ],
    }


def jobs_by_kind(found: Findings) -> dict[tuple[str, str], int]:
    """Return the number of jobs by kind of subject and state, sorted."""
    return dict(sorted(Counter((_kind(job), str(job["state"])) for job in found.jobs).items()))


def calls_by_method(found: Findings) -> dict[str, int]:
    """Return the number of calls by method, sorted."""
    return dict(sorted(Counter(found.mail_host.methods).items()))


def _kind(job: JsonObject) -> str:
    subject = job["subject"]
    assert isinstance(subject, dict)
    return str(subject["kind"])


def _kept(kept: Kept | None) -> JsonObject | None:
    if kept is None:
        return None
    reached = {"server": kept.server, "sandbox": kept.sandbox, "token": kept.token}
    return reached | {"environment": dict(kept.environment)}
