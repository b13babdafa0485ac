"""The bell: says "there is work" and nothing else. Losing every ring costs seconds, for each worker sweeps."""

from typing import Protocol


class Bell(Protocol):
    """Wakes whoever listens. Never raises: a broker that is down delays and loses nothing."""

    def ring_apply(self) -> None:
        """Say that an event or a due person waits to be applied. Call it after the commit only."""

    def ring_run(self) -> None:
        """Say that a job is due. Call it after the commit only."""

    def ring_hydrate(self) -> None:
        """Say that somebody's record is to be asked for. Call it after the commit only."""


class SilentBell:
    """Rings nowhere; the workers' sweeps find the work. For commands that run beside a deployment."""

    def ring_apply(self) -> None:
        """Do nothing."""

    def ring_run(self) -> None:
        """Do nothing."""

    def ring_hydrate(self) -> None:
        """Do nothing."""
