"""One running stand-in: what it holds, what it was asked, whom it lets in, how fast it answers and what goes wrong."""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from worker.sandbox.calls import Calls
from worker.sandbox.faults import Faults
from worker.sandbox.history import History
from worker.sandbox.latency import Latency
from worker.sandbox.limits import RollingWindow
from worker.sandbox.world import World, new_world

Clock = Callable[[], datetime]


@dataclass(slots=True)
class Host:
    """The one changeable thing behind all calls. Used from one event loop only, so nothing is locked."""

    user: str
    key: str = field(repr=False)
    window: RollingWindow
    latency: Latency
    clock: Clock
    world: World = field(default_factory=new_world)
    calls: Calls = field(default_factory=Calls)
    faults: Faults = field(default_factory=Faults)
    history: History = field(default_factory=History)

    def knows(self, authorization: str | None) -> bool:
        """Tell whether an Authorization header carries our Basic credentials; compared in constant time."""
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, f"{self.user}:{self.key}".encode())

    def about_to_change(self) -> World:
        """Return the world, to be changed now; what it was before is kept if a read may still ask for it."""
        self.history.remember(self.world, self.clock(), self.faults.reach)
        return self.world

    def world_ago(self, ago: timedelta | None) -> World:
        """Return the world as it was; None means now."""
        return self.world if ago is None else self.history.at(self.clock() - ago, self.world)

    def reset(self) -> None:
        """Become a new sandbox: one empty domain, no calls, no faults, a fresh rolling window."""
        self.world = new_world()
        self.calls.clear()
        self.faults = Faults()
        self.history = History()
        self.window.clear()
        self.latency.clear()


def utc_now() -> datetime:
    """Return the present instant. The sandbox is a product of its own and brings its own clock."""
    return datetime.now(UTC)
