"""Faults: what goes wrong, with which calls, and how often (`contracts.md` 7). `fault_lists.py` reads them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import unquote

from worker.sandbox.latency import Latency
from worker.sandbox.outcomes import Outcome
from worker.sandbox.wire import Fields

READS = ("GET", "HEAD")
MAY_BE_NULL = (
    "is_internal",
    "autorespond_active",
    "footer_active",
    "expireable",
    "remove_upon_expiry",
    "wildcard_sender",
)
"""The booleans that ``null-booleans`` shows as null if nobody names others (`migadu-behaviour.md` 1.3)."""


@dataclass(slots=True)
class Fault:
    """One fault, which lasts until it is used up or the list is replaced."""

    given: Fields
    """As it was posted."""
    method: str | None = None
    path: re.Pattern[str] | None = None
    times: int | None = None
    """How many more calls it meets; None for all."""
    outcome: Outcome | None = None
    latency: Latency | None = None
    stale: timedelta | None = None
    ignored: frozenset[str] = frozenset()
    nulled: frozenset[str] = frozenset()

    def meets(self, method: str, path: str) -> bool:
        """Tell whether it has to do with such a call (the path decoded). Only reads can be stale.

        HEAD is a GET of which nobody wants the body, so it meets what a GET meets.
        """
        if self.method not in (None, method) and (self.method, method) != ("GET", "HEAD"):
            return False
        if self.stale and method not in READS:
            return False
        return self.path is None or self.path.fullmatch(path) is not None

    def shown(self) -> Fields:
        """Return it with what is left of its times; this can be posted again."""
        return self.given if self.times is None else {**self.given, "times": self.times}


@dataclass(slots=True)
class Effect:
    """What all faults that meet a call do to it together."""

    names: list[str] = field(default_factory=list)
    outcome: Outcome | None = None
    latency_s: float = 0.0
    stale: timedelta | None = None
    ignored: frozenset[str] = frozenset()
    nulled: frozenset[str] = frozenset()

    def add(self, fault: Fault) -> None:
        """Add the effect of one more fault."""
        self.names.append(str(fault.given["fault"]))
        self.outcome = self.outcome or fault.outcome
        self.latency_s += fault.latency.next_s() if fault.latency else 0.0
        self.stale = max(filter(None, (self.stale, fault.stale)), default=None)
        self.ignored |= fault.ignored
        self.nulled |= fault.nulled


class Faults:
    """The faults that are on, in the order they were posted."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = list(faults)

    def effect_on(self, method: str, path: str) -> Effect:
        """Count down every fault that meets this call, and return what they do.

        Of those that replace the outcome only the first one acts and is counted; the others wait for their turn.
        """
        effect = Effect()
        for fault in self._faults:
            if fault.meets(method, path) and not (fault.outcome and effect.outcome):
                effect.add(fault)
                if fault.times is not None:
                    fault.times -= 1
        if effect.names:
            self._faults = [fault for fault in self._faults if fault.times != 0]
        return effect

    def shown(self) -> list[Fields]:
        """Return what is left, as it could be posted."""
        return [fault.shown() for fault in self._faults]

    @property
    def reach(self) -> timedelta | None:
        """How far back reads may be, None if none is stale."""
        return max((fault.stale for fault in self._faults if fault.stale), default=None)


def path_pattern(glob: str) -> re.Pattern[str]:
    """Return what a path must look like: a star stands for a segment or a part of one, and case does not matter."""
    pieces = [re.escape(unquote(piece)) for piece in glob.split("*")]
    return re.compile("[^/]*".join(pieces), re.IGNORECASE)
