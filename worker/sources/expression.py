"""Paths into bodies of JSON: JMESPath by the library, checked when the sources file is read, bounded in what comes out.

An expression that begins with ``$.`` looks at the whole body, others at the item they are asked of.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult
from jmespath.visitor import TreeInterpreter
from pydantic import PlainValidator

if TYPE_CHECKING:
    from jmespath.visitor import _TreeNode

_ROOT = "$."
_LONGEST = 1000
_INTERPRETER = TreeInterpreter()  # it remembers nothing but its own methods, so threads may share it
_EVALUATION = (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError)
"""What comes out of the library: its functions let Python's own errors through, as of ``contains('a', `1`)``."""


class NotFitting(ValueError):
    """The expression cannot be evaluated on what the body holds. Quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One JMESPath expression. Make it with ``parse``."""

    text: str
    of_body: bool
    compiled: ParsedResult

    @classmethod
    def parse(cls, written: object) -> Self:
        """Read an expression. Raises ValueError with a clear sentence."""
        if isinstance(written, cls):
            return written
        if not isinstance(written, str) or not written.strip() or len(written) > _LONGEST:
            raise ValueError("must be a JMESPath expression")
        of_body = written.startswith(_ROOT)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a literal of before the language was settled
                compiled = jmespath.compile(written.removeprefix(_ROOT))
            flaw = next(_flaws(compiled.parsed), None)
        except (JMESPathError, RecursionError, PendingDeprecationWarning):
            raise ValueError("is not a JMESPath expression") from None
        if flaw is not None:
            raise ValueError(flaw)
        return cls(written, of_body, compiled)

    def find(self, body: object, item: object) -> object:
        """Return what is there, None where nothing is. Raises NotFitting."""
        return _evaluated(self.compiled.parsed, body if self.of_body else item)

    def is_empty(self, body: object, item: object) -> bool:
        """Tell whether the name that the path ends in is there and holds null, which is another thing than its absence.

        Only plain paths such as ``data.department`` are told apart. Raises NotFitting.
        """
        tree = self.compiled.parsed
        *around, last = tree["children"] if tree["type"] == "subexpression" else [tree]
        if last["type"] != "field":
            return False
        holder = body if self.of_body else item
        for step in around:
            holder = _evaluated(step, holder)
        return isinstance(holder, dict) and holder.get(last["value"], holder) is None


def _evaluated(tree: "_TreeNode", content: object) -> object:
    try:
        found: object = _INTERPRETER.visit(tree, content)
    except _EVALUATION:  # its message quotes values
        raise NotFitting("the expression does not fit what is there") from None
    return found


def _flaws(tree: "_TreeNode", around: str = "") -> Iterator[str]:
    """Look for what the library would only find when a body comes."""
    if tree["type"] == "expref" and around != "function_expression":
        yield "may hold & only inside a function"
    if tree["type"] == "function_expression":
        known = Functions.FUNCTION_TABLE.get(tree["value"])
        if known is None:
            yield f"{tree['value']} is not a function of JMESPath"
        elif not _takes(known["signature"], len(tree["children"])):
            yield f"{tree['value']} takes another number of arguments"
    for child in tree["children"]:
        yield from _flaws(child, tree["type"])


def _takes(signature: tuple[Mapping[str, Any], ...], given: int) -> bool:
    variadic = bool(signature) and bool(signature[-1].get("variadic"))
    return given >= len(signature) if variadic else given == len(signature)


Path = Annotated[Expression, PlainValidator(Expression.parse)]
