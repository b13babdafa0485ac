"""What is wrong with a TOML file: from what the parser and pydantic found to problems that a person can mend."""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from worker.toml.lines import Finding, KeyPath, key_of, line_of, lines_of

KeysAt = Callable[[KeyPath], Iterable[str]]
"""Which keys the table at a path may have."""

_TABLES = (dict, Mapping)  # of keys that the writer chooses
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
class Problem:
    """One thing that is wrong with a file."""

    line: int | None
    """From 1; None where nothing is written that a line could be told of."""
    key: str
    """The path of the key, such as ``groups[0].address``; empty for a text that is no TOML."""
    reason: str

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else ""
        return ": ".join(part for part in (where, self.key, self.reason) if part)


class NotToml(ValueError):
    """The text is not TOML; ``problem`` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class WrongAt(ValueError):
    """What a model's own check raises where something is wrong at a key further inside."""

    def __init__(self, path: KeyPath, reason: str) -> None:
        super().__init__(reason)
        self.path = path


def parsed(text: str) -> dict[str, Any]:
    """Return the tables and keys of a text. Raises NotToml, RecursionError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        placed = _AT_LINE.match(str(error))
        line, reason = (int(placed[2]), placed[1]) if placed else (None, str(error))
        raise NotToml(Problem(line, "", f"this is not valid TOML: {reason}")) from error


def findings_of(error: ValidationError, keys_at: KeysAt) -> dict[KeyPath, str]:
    """Return what a model refused, the first of each path; an unknown key is told with the closest of its table's."""
    return first_of_each(_finding(detail, keys_at) for detail in error.errors())


def first_of_each(findings: Iterable[Finding]) -> dict[KeyPath, str]:
    """Return the first finding of each path."""
    first: dict[KeyPath, str] = {}
    for path, reason in findings:
        first.setdefault(path, reason)
    return first


def problems_of(findings: Mapping[KeyPath, str], text: str) -> tuple[Problem, ...]:
    """Return the findings with their lines, in the order of these."""
    lines = lines_of(text)
    problems = (
        Problem(line_of(path, lines), key_of(path), reason)
        for path, reason in findings.items()
        if not _has_inner(path, findings)
    )
    return tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.key)))


def unknown_key(key: object, known: Iterable[str]) -> str:
    """Say that a key is unknown, and which of those known it is closest to."""
    close = difflib.get_close_matches(str(key), list(known), n=1)
    return f"unknown key; did you mean '{close[0]}'?" if close else "unknown key"


def keys_of(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys of the table at a path, by following the models down to it; a table of free keys has none."""
    annotation: Any = model
    for step in path:
        annotation = _inside(annotation, step)
    inner = _model_in(annotation)
    return list(inner.model_fields) if inner else []


def _has_inner(path: KeyPath, findings: Mapping[KeyPath, str]) -> bool:
    """Tell whether something inside is wrong, too: a list is only "empty" then because its entry was refused."""
    return any(len(other) > len(path) and other[: len(path)] == path for other in findings)


def _finding(detail: ErrorDetails, keys_at: KeysAt) -> Finding:
    path = detail["loc"]
    match detail["type"]:
        case "extra_forbidden":
            return path, unknown_key(path[-1], keys_at(path[:-1]))
        case "value_error":
            error = detail["ctx"]["error"]
            return (*path, *error.path) if isinstance(error, WrongAt) else path, str(error)
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


def _inside(annotation: Any, step: str | int) -> Any:
    if get_origin(annotation) in _TABLES:
        return get_args(annotation)[1]
    model = _model_in(annotation)
    return annotation if isinstance(step, int) or model is None else model.model_fields[step].annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model an annotation names, itself, or None, or as the entries of a tuple."""
    named = (annotation, *get_args(annotation))
    return next((one for one in named if isinstance(one, type) and issubclass(one, BaseModel)), None)
