"""What the world was like before, for reads that lag behind: kept only while a fault asks for it."""

from collections import deque
from datetime import datetime, timedelta

from worker.sandbox.world import World


class History:
    """Copies of the world, each with the instant at which it ceased to be true. They are cheap: entries are shared."""

    def __init__(self) -> None:
        self._copies: deque[tuple[datetime, World]] = deque()

    def remember(self, world: World, now: datetime, reach: timedelta | None) -> None:
        """Keep the world as it is before a change, as far back as anybody may ask; None forgets everything."""
        if reach is None:
            self._copies.clear()
            return
        self._copies.append((now, world.copied()))
        while self._copies and self._copies[0][0] <= now - reach:
            self._copies.popleft()

    def at(self, instant: datetime, present: World) -> World:
        """Return the world as it was then; before the first copy it was, as far as is known, like that copy."""
        return next((world for ended, world in self._copies if ended > instant), present)
