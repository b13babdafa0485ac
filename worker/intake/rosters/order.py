"""An order to import a roster: as of when, whether it holds everybody, and who watches."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from worker.intake.rosters.refusals import Interrupted

Watch = Callable[[str, int, int | None], None]
"""Is told the stage, how much of it is done, and of how much."""


def _unwatched(_stage: str, _done: int, _of: int | None) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Order:
    """How a roster is to be imported."""

    taken_at: datetime
    """The time of its events: aware, UTC."""
    full: bool = False
    """It holds everybody."""
    is_opinion: bool = True
    """Whom it lacks is to be counted; of a roster of which a part was counted already it is not."""
    dry_run: bool = False
    watch: Watch = _unwatched
    is_stopping: Callable[[], bool] = lambda: False
    is_written: Callable[[], bool] = lambda: False
    """Whether somebody wrote to the file since it was begun."""

    def go_on(self, stage: str, done: int, total: int | None) -> None:
        """Tell how far it is. Raises Interrupted where the program ends."""
        self.watch(stage, done, total)
        if self.is_stopping():
            raise Interrupted
