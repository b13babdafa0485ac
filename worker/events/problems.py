"""What is wrong with an event, said so that its sender can mend it and nobody's personal values are repeated."""

from dataclasses import dataclass

_MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One attribute (``data.hireDate``) and the reason it was refused, never the value it held."""

    attribute: str
    reason: str

    def __str__(self) -> str:
        return f"{self.attribute}: {self.reason}"


class EventInvalid(ValueError):
    """The event does not follow the schema; ``problems`` holds every reason, the message the first five."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep the problems, in the order of the schema."""
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        told = "; ".join(str(problem) for problem in self.problems[:_MOST_TOLD])
        untold = len(self.problems) - _MOST_TOLD
        return f"The event is refused: {told}{f'; and {untold} more' if untold > 0 else ''}."
