"""Reading the policy file: TOML to a checked ``Policy``, every problem with its line, its key and a sentence."""

from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from worker.mail import WRITABLE_FIELDS
from worker.policy.checks import contradictions
from worker.policy.document import Policy
from worker.policy.drift_terms import RECONCILED_FIELDS
from worker.toml.lines import KeyPath
from worker.toml.problems import NotToml, Problem, findings_of, first_of_each, keys_of, parsed, problems_of


class PolicyInvalid(ValueError):
    """The policy file cannot be used; ``problems`` says why, in the order of its lines."""

    def __init__(self, problems: tuple[Problem, ...], path: Path | None = None) -> None:
        where = f"{path}: " if path is not None else ""
        super().__init__(where + "; ".join(map(str, problems)))
        self.problems = problems


@lru_cache(maxsize=8)
def load_policy(text: str) -> Policy:
    """Read and check a policy file (`contracts.md` 5). Raises PolicyInvalid with every problem it found.

    Remembers the last few, because every evaluation of a person reads the active one.
    """
    try:
        return _checked(text)
    except NotToml as error:
        raise PolicyInvalid((error.problem,)) from error
    except RecursionError as error:
        raise PolicyInvalid((Problem(None, "", "this is nested too deeply"),)) from error


def _checked(text: str) -> Policy:
    document = parsed(text)
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        findings = findings_of(error, _known_keys)
    else:
        findings = first_of_each(contradictions(policy))
        if not findings:
            return policy
    raise PolicyInvalid(problems_of(findings, text))


def _known_keys(path: KeyPath) -> list[str]:
    if path[-1:] == ("mailbox",):
        return list(WRITABLE_FIELDS)
    if path == ("reconcile", "fields"):
        return list(RECONCILED_FIELDS)
    return keys_of(Policy, path)
