"""A process that sweeps without a pause, and does nothing else: `python -m tests.crashes.sweeper`."""

from itertools import repeat

from worker.deployment import Deployment
from worker.execution import sweep_once
from worker.log import configure_logging
from worker.settings import load_settings
from worker.tasks import CeleryBell

THREADS = 4
"""How many bells it rings at most, each time."""


def main() -> None:
    """Sweep until it is killed."""
    configure_logging()
    deployment = Deployment(load_settings(), CeleryBell())
    for threads in repeat(THREADS):
        sweep_once(deployment.execution, threads)


if __name__ == "__main__":
    main()
