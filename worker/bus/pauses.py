"""Pauses that grow from one failure to the next, with jitter, so that many who failed together do not return so."""

import random


class Pauses:
    """How long to wait after each failure in a row."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._next_s = first_s

    def after_failure(self) -> float:
        """Return how many seconds to wait now; the next time it will be twice as long."""
        pause_s, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        return pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret

    def after_success(self) -> None:
        """Begin with the first pause again."""
        self._next_s = self._first_s
