"""A rewrite: an alias for every address of a domain that fits a pattern."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from worker.mail.address import Address
from worker.mail.fields import FieldValue


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rewrite as the host shows it (`migadu-behaviour.md` 1.7)."""

    domain: str
    name: str
    """What it is called and asked for by; writing another name renames it."""
    local_part_rule: str
    """What stands before the @, with ``*`` for anything."""
    destinations: frozenset[Address]
    order_num: int | None = None
    """Where several rules fit, the lowest is asked first."""
    other: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What else the host shows, as it came."""

    @property
    def writable(self) -> Mapping[str, FieldValue]:
        """All that a write can change, by Migadu's names, as far as the host shows it."""
        return {
            "name": self.name,
            "local_part_rule": self.local_part_rule,
            "destinations": tuple(sorted(self.destinations)),
            "order_num": self.order_num,
        }


CATCH_ALL = "*"


def takes_mail_of(rule: str, local_part: str) -> bool:
    """Tell whether a rule takes what is sent to a local part; ``*`` stands for anything, for nothing too.

    Alone it is the host's catch-all (`migadu-behaviour.md` 3), which gets what nobody has, and takes it from nobody.
    """
    return rule != CATCH_ALL and fnmatchcase(
        local_part, rule.replace("[", "[[]").replace("?", "[?]")
    )  # signs of a glob, and of no rule
