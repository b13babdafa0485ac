"""Advice on a policy by the people on the roster: rules that match none of them, and people who get no address."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from worker.mail import agreeing, counted
from worker.policy.advice import Hint
from worker.policy.document import Policy
from worker.policy.names import Facts
from worker.policy.naming import NoUsableName, UnknownDomain, candidates
from worker.policy.parts import parts
from worker.policy.rules import Rule
from worker.toml.lines import KeyPath

_MOST_VALUES: Final = 200
"""Of a fact so many different values are remembered, to tell which one may have been meant."""
_MOST_NAMED: Final = 5


@dataclass(slots=True)
class RosterLook:
    """Looks at people one after another, and keeps counts alone: no names, and no more for many people than for few."""

    policy: Policy
    people: int = 0
    _matches: Counter[KeyPath] = field(default_factory=Counter)
    _first: Counter[int] = field(default_factory=Counter)
    _without: Counter[tuple[type[Exception], str]] = field(default_factory=Counter)
    _values: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def look(self, facts: Facts) -> None:
        """Take one person into account."""
        self.people += 1
        for path, rule in _rules(self.policy):
            self._matches[path] += rule.matches(facts)
            for name in rule.names:
                self._remember(name, facts)
        taken = (index for index, section in enumerate(self.policy.domains) if section.people.matches(facts))
        self._first[next(taken, -1)] += 1
        try:
            candidates(facts, self.policy)
        except (NoUsableName, UnknownDomain) as error:
            self._without[type(error), str(error)] += 1

    def hints(self) -> Iterator[Hint]:
        """Yield what there is to say. Of an empty roster nothing is."""
        if not self.people:
            return
        for path, rule in _rules(self.policy):
            if not self._matches[path]:
                yield Hint(path, f"matches nobody of {counted(self.people, 'person')}", self._mend(rule))
        for index, _ in enumerate(self.policy.domains):
            matched = self._matches["domains", index, "people"]
            if matched and not self._first[index]:
                everybody = agreeing(matched, "the only person it has", f"all of its {matched} people")
                reason = f"nobody is left for it: entries before it match {everybody}"
                yield Hint(("domains", index, "people"), reason, "move it further up")
        for (kind, sentence), number in self._without.items():
            yield self._nameless(kind, sentence, number)

    def _nameless(self, kind: type[Exception], sentence: str, number: int) -> Hint:
        who = f"{number} of {counted(self.people, 'person')} cannot have an address"
        if kind is UnknownDomain:
            return Hint(("organisation", "domain"), f"{who}: {sentence}", "add that domain under [[domains]]")
        return Hint(("naming", "patterns"), f"{who}: {sentence}", "state a workEmail for them, or add a pattern")

    def _remember(self, name: str, facts: Facts) -> None:
        stated, known = facts.get(name), self._values[name]
        for value in stated if isinstance(stated, tuple) else (stated,):
            if isinstance(value, str) and len(known) < _MOST_VALUES:
                known.add(value)

    def _mend(self, rule: Rule) -> str:
        """Say which value may have been meant, or which there are."""
        for name, values in rule.facts.items():
            known = self._values[name]
            if not known:
                return f"nobody has a fact {name!r}: correct its name, or have a source state it"
            for value in map(str, values):
                close = difflib.get_close_matches(value, known, n=1)
                if value not in known and close:
                    return f"{name} {value!r} is nobody's: did you mean {close[0]!r}?"
            if not known & set(map(str, values)) and len(known) <= _MOST_NAMED:
                return f"people's {name} is {' or '.join(sorted(map(repr, known)))}"
        return "correct the rule, or take it out"


def _rules(policy: Policy) -> Iterator[tuple[KeyPath, Rule]]:
    """Yield each rule, and those of which one must match, because each of them is there for somebody."""
    for path, rule in parts(policy, Rule):
        yield path, rule
        yield from (((*path, "any", index), inner) for index, inner in enumerate(rule.any or ()))
