"""The consumers of a deployment, as part of a process: a thread for each source on a bus."""

import time
from dataclasses import replace
from threading import Event, Thread
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from worker.bus.bell import BellBeside
from worker.bus.consumer import Consumer
from worker.deployment import Deployment, NotConfigured
from worker.settings import without_password
from worker.sources import AmqpSource
from worker.sources.amqp import is_amqp

_END_WITHIN_S = 10.0


class Bus:
    """A context manager. A consumer that fails begins anew, and takes nobody down with it."""

    def __init__(self, deployment: Deployment) -> None:
        """Raise NotConfigured where a source has no broker that others could publish to."""
        self._stop = Event()
        self._bell = BellBeside(deployment.bell)
        intake = replace(deployment.intake, bell=self._bell)
        self.sources = deployment.sources.of(AmqpSource)
        self._threads = [
            Thread(
                target=Consumer(source, broker_of(deployment, source), intake, self._stop).run,
                name=f"bus-{source.name}",
                daemon=True,
            )
            for source in self.sources
        ]

    def __str__(self) -> str:
        return ", ".join(f"{source.name} from exchange {source.exchange}" for source in self.sources)

    def __enter__(self) -> Self:
        """Begin to consume, in threads: nobody waits for a broker that is not there."""
        self._bell.start()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Have each finish what it is committing, within ten seconds: what is not acknowledged comes again."""
        self._stop.set()
        until = time.monotonic() + _END_WITHIN_S
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        self._bell.stop(max(until - time.monotonic(), 0.0))


def broker_of(deployment: Deployment, source: AmqpSource) -> SecretStr:
    """Return the URL of a source's broker. Raises NotConfigured where others could not publish to it."""
    url = source.url or deployment.settings.broker_url
    if not is_amqp(url):
        shown = without_password(url)
        raise NotConfigured(
            f"source {source.name}: events of a bus come from RabbitMQ, and the broker of this deployment is {shown}: "
            "give the source a url_env or url_file, or set MAILROSTER_BROKER_URL to amqp://..."
        )
    return url
