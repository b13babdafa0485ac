"""Reading the policy file: TOML to a checked ``Policy``, every problem with its line, its key and a sentence."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from worker.mail import WRITABLE_FIELDS
from worker.policy.checks import contradictions
from worker.policy.document import Policy
from worker.policy.drift_terms import RECONCILED_FIELDS
from worker.policy.lines import Finding, KeyPath, key_of, line_of, lines_of

_AT_LINE = re.compile(r"^(.*) \(at line (\d+), column \d+\)$", re.DOTALL)
_REASONS = {
    "missing": "is required",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "model_type": "must be a table",
}


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """One thing that is wrong with a policy file."""

    line: int | None
    """From 1; None where nothing is written that a line could be told of."""
    key: str
    """The path of the key, such as ``groups[0].address``; empty for a text that is no TOML."""
    reason: str

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else ""
        return ": ".join(part for part in (where, self.key, self.reason) if part)


class PolicyInvalid(ValueError):
    """The policy file cannot be used; ``problems`` says why, in the order of its lines."""

    def __init__(self, problems: tuple[PolicyProblem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@lru_cache(maxsize=8)
def load_policy(text: str) -> Policy:
    """Read and check a policy file (`contracts.md` 5). Raises PolicyInvalid with every problem it found.

    Remembers the last few, because every evaluation of a person reads the active one.
    """
    try:
        return _checked(text)
    except RecursionError as error:
        raise PolicyInvalid((PolicyProblem(None, "", "this is nested too deeply"),)) from error


def _checked(text: str) -> Policy:
    document = _parsed(text)
    findings: dict[KeyPath, str] = {}
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        for detail in error.errors():
            findings.setdefault(*_finding(detail))
    else:
        findings = {**_first_of_each(contradictions(policy)), **findings}
        if not findings:
            return policy
    raise _invalid(findings, text)


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        placed = _AT_LINE.match(str(error))
        line, reason = (int(placed[2]), placed[1]) if placed else (None, str(error))
        raise PolicyInvalid((PolicyProblem(line, "", f"this is not valid TOML: {reason}"),)) from error


def _first_of_each(findings: Iterable[Finding]) -> dict[KeyPath, str]:
    first: dict[KeyPath, str] = {}
    for path, reason in findings:
        first.setdefault(path, reason)
    return first


def _invalid(findings: Mapping[KeyPath, str], text: str) -> PolicyInvalid:
    lines = lines_of(text)
    problems = (
        PolicyProblem(line_of(path, lines), key_of(path), reason)
        for path, reason in findings.items()
        if not _has_inner(path, findings)
    )
    return PolicyInvalid(tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.key))))


def _has_inner(path: KeyPath, findings: Mapping[KeyPath, str]) -> bool:
    """Tell whether something inside is wrong, too: a list is only "empty" then because its entry was refused."""
    return any(len(other) > len(path) and other[: len(path)] == path for other in findings)


def _finding(detail: ErrorDetails) -> Finding:
    path = detail["loc"]
    match detail["type"]:
        case "extra_forbidden":
            return path, _unknown_key(path)
        case "value_error":
            return path, str(detail["ctx"]["error"])
        case "enum":
            return path, f"must be {detail['ctx']['expected']}"
        case kind:
            return path, _reason(kind, detail)


def _reason(kind: str, detail: ErrorDetails) -> str:
    if kind == "greater_than_equal":
        return f"must not be less than {detail['ctx']['ge']}"
    if kind == "less_than_equal":
        return f"must not be more than {detail['ctx']['le']:g}"
    return _REASONS.get(kind) or detail["msg"][:1].lower() + detail["msg"][1:]


def _unknown_key(path: KeyPath) -> str:
    close = difflib.get_close_matches(str(path[-1]), _known_keys(path[:-1]), n=1)
    return f"unknown key; did you mean '{close[0]}'?" if close else "unknown key"


def _known_keys(path: KeyPath) -> list[str]:
    """Return the keys of the table at a path, by following the models down to it."""
    if path[-1:] == ("mailbox",):
        return list(WRITABLE_FIELDS)
    if path == ("reconcile", "fields"):
        return list(RECONCILED_FIELDS)
    model: type[BaseModel] = Policy
    for step in path:
        if isinstance(step, str):
            model = _model_in(model.model_fields[step].annotation)
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel]:
    """Return the model an annotation names, itself or as the entries of a tuple."""
    model: type[BaseModel] = annotation if isinstance(annotation, type) else annotation.__args__[0]
    return model
