"""Telling how it goes while it goes: a progress bar on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from worker.cli.demo.delivering import Answer
from worker.cli.demo.settling import Standing
from worker.cli.output import clean
from worker.mail import counted


class Telling:
    """Tells a run's progress to one stream."""

    def __init__(self, stream: TextIO, deliveries: int) -> None:
        """``deliveries`` is how many are to come."""
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        # Where there is no terminal Rich would print the finished bar once more, as a line of its own.
        self._progress = Progress(
            *columns, TimeElapsedColumn(), console=self._console, transient=True, disable=not self._console.is_terminal
        )
        self._bar = self._progress.add_task("starting", total=deliveries)
        self._day, self._sent, self._ended = "", 0, 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar for as long as the block runs."""
        with self._progress:
            yield

    def say(self, sentence: str) -> None:
        """Tell one thing, on a line of its own."""
        self._console.print(clean(sentence), markup=False)

    def day(self, day: int, last: int) -> None:
        """Begin a day; without days in the plural nothing is said of them."""
        self._day, self._sent = f"day {day}" if last > 1 else "events", 0
        self._progress.update(self._bar, description=self._day)

    def delivered(self, answer: Answer) -> None:
        """Tell of one delivery."""
        self._sent += 1
        self._progress.advance(self._bar)
        if answer.delivery.note:
            self.say(f"{self._day}: {answer.delivery.note} ({_outcome(answer)})")

    def standing(self, standing: Standing) -> None:
        """Tell what is under way."""
        self._ended = standing.done
        doing = f"{counted(standing.under_way, 'job')} under way" if standing.under_way else "applying"
        self._progress.update(self._bar, description=f"{self._day}: {doing}")

    def settled(self) -> None:
        """End a day."""
        self.say(f"{self._day}: {self._sent} delivered and settled; {counted(self._ended, 'job')} so far")


def _outcome(answer: Answer) -> str:
    return f"{answer.status}, a duplicate" if answer.duplicate else str(answer.status)
