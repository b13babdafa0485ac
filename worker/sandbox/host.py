"""One running stand-in: what it holds, what it was asked, whom it lets in and how fast it answers."""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from worker.sandbox.calls import Call
from worker.sandbox.limits import RollingWindow
from worker.sandbox.world import World, new_world

Clock = Callable[[], datetime]


@dataclass(slots=True)
class Host:
    """The one changeable thing behind all routes. Used from one event loop only, so nothing is locked."""

    user: str
    key: str = field(repr=False)
    window: RollingWindow
    latency_s: float
    clock: Clock
    world: World = field(default_factory=new_world)
    calls: list[Call] = field(default_factory=list)

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

    def reset(self) -> None:
        """Become a new sandbox: one empty domain, no calls, a fresh rolling window."""
        self.world = new_world()
        self.calls.clear()
        self.window.clear()


def utc_now() -> datetime:
    """Return the present instant. The sandbox is a product of its own and brings its own clock."""
    return datetime.now(UTC)
