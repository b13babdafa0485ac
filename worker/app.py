"""The Celery application: queues and settings, each with its reason (`engineering.md` A3 to A8).

A message between our own parts carries nothing: it is a bell. What matters is in the database before it rings.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from worker.settings import Settings, load_settings

APPLY_QUEUE = "mailroster.apply"
RUN_QUEUE = "mailroster.run"
HYDRATE_QUEUE = "mailroster.hydrate"
EVENTS_QUEUE = "mailroster.events"

app = Celery("mailroster", include=["worker.tasks"], set_as_current=True)
"""The one application of a process, as Celery wants it; configured from the settings when it is first used."""

app.conf.update(
    task_default_queue=RUN_QUEUE,
    # Classic durable queues: bells may be lost, and quorum queues would make Celery declare 28 delay queues (A8).
    # Each has an exchange of its own: left to the default, all would be bound to one key and each bell ring thrice.
    task_queues=tuple(
        Queue(name, Exchange(name, type="direct"), routing_key=name, durable=True)
        for name in (APPLY_QUEUE, RUN_QUEUE, HYDRATE_QUEUE, EVENTS_QUEUE)
    ),
    task_routes={
        "mailroster.apply_next": {"queue": APPLY_QUEUE},
        "mailroster.run_next": {"queue": RUN_QUEUE},
        "mailroster.hydrate_next": {"queue": HYDRATE_QUEUE},
        "mailroster.submit_event": {"queue": EVENTS_QUEUE},
    },
    task_create_missing_queues=False,  # a queue's name mistyped must fail (A8)
    task_default_delivery_mode=2,
    task_acks_late=True,  # what a crashed worker had prefetched returns at once (A2)
    task_reject_on_worker_lost=False,  # failures are counted in the database, not by redelivery (A8)
    task_ignore_result=True,  # results are rows
    task_store_eager_result=False,
    worker_pool="threads",  # forked children would share the parent's connections, and 16 threads cost less (A5)
    worker_prefetch_multiplier=1,  # fairness: a bell waits for a free thread, not behind a busy one (A8)
    # After a lost connection Celery would restore the prefetch count from a pool thread, whose wait for an answer takes
    # a frame from the main loop's hands: under load the worker then stands still for ever (seen with 5.7.0).
    worker_enable_prefetch_count_reduction=False,
    worker_enable_remote_control=False,  # no control queues, which break restarts on newer RabbitMQ (A1, A8)
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_detect_quorum_queues=False,  # ours are classic (A8)
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # the default gives up after 100 and the worker exits (A8)
    broker_connection_timeout=4,
    accept_content=["json"],
    task_serializer="json",
    enable_utc=True,
    timezone="UTC",
)


def configure(settings: Settings) -> Celery:
    """Set the application up for a deployment and make it this process's default. Idempotent.

    Pool threads resolve the current application per thread and would run tasks on another one otherwise (A3).
    """
    broker_url = settings.broker_url.get_secret_value()
    # Within one process there is no host; without a name in its place kombu warns at every connection.
    app.conf.broker_url = "memory://localhost//" if broker_url.startswith("memory") else broker_url
    app.conf.worker_concurrency = settings.worker_threads
    app.conf.broker_transport_options = _transport_options(broker_url)
    app.set_default()
    return app


@contextmanager
def ending_worker() -> Iterator[None]:
    """Have the worker of this process end by itself, in its own thread, also while it waits for the broker."""
    from celery.worker import state  # noqa: PLC0415 - only those who run a worker need it

    state.should_stop = 0
    try:
        yield
    finally:
        state.should_stop = None  # for the next one in this process


@app.on_configure.connect
def _configure_from_settings(sender: Celery, **_: Any) -> None:
    # For `celery -A worker.app worker`, where nobody else reads our settings.
    if "broker_url" not in sender._preconf:  # noqa: SLF001 - Celery has no other way to ask what was set already
        configure(load_settings())


def _transport_options(broker_url: str) -> dict[str, Any]:
    if broker_url.startswith("memory"):
        return {"polling_interval": 0.01}  # the default of a second makes it a hundred times slower (A3)
    # Without these kombu tries for ever to connect before a publish, and a broker that is down would stop the intake.
    soon = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
    if broker_url.startswith("redis"):
        return soon | {"visibility_timeout": 60}  # a bell that a dead worker held rings again; doubles do no harm (A2)
    return soon  # unconfirmed: bells may be lost, and waiting for each to be confirmed is a third of a webhook's time
