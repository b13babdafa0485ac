"""The floor of the engine's throughput: a Celery worker whose tasks make one POST each with httpx, and nothing else.

Same pool, threads, prefetch and settings as ours (``worker.app``). All messages are in the queue before it starts.
"""

import sys
import threading
from uuid import uuid4

import httpx
from celery import Celery
from kombu import Exchange, Queue

AUTH = ("admin@example.org", "sandbox-key")
QUEUE = "floor"


def main() -> None:
    """Publish so many tasks to the broker and work until killed."""
    broker_url, api_url, batch, tasks, threads = sys.argv[1:]
    app = _application(broker_url)
    own, tls = threading.local(), httpx.create_ssl_context()

    @app.task(name="floor.post")
    def post(number: int) -> None:
        if not hasattr(own, "client"):  # a client per thread, as ours
            own.client = httpx.Client(verify=tls, auth=AUTH, timeout=30)
        name = f"{batch}-{number}"
        body = {"local_part": name, "name": name, "password": uuid4().hex}
        own.client.post(f"{api_url}/domains/example.org/mailboxes", json=body).raise_for_status()

    app.set_default()
    for number in range(int(tasks)):
        post.delay(number)
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=threads",
            f"--concurrency={threads}",
            f"--queues={QUEUE}",
            f"--hostname=floor-{uuid4().hex[:8]}@%h",
            "--without-heartbeat",
            "--without-mingle",
            "--without-gossip",
        ]
    )


def _application(broker_url: str) -> Celery:
    app = Celery("floor", set_as_current=True)
    app.conf.update(
        broker_url="memory://localhost//" if broker_url.startswith("memory") else broker_url,
        broker_transport_options={"polling_interval": 0.01} if broker_url.startswith("memory") else {},
        task_queues=(Queue(QUEUE, Exchange(QUEUE, type="direct"), routing_key=QUEUE, durable=True),),
        task_default_queue=QUEUE,
        task_default_exchange=QUEUE,
        task_default_routing_key=QUEUE,
        task_acks_late=True,
        task_ignore_result=True,
        worker_pool="threads",
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_detect_quorum_queues=False,
        broker_connection_retry_on_startup=True,
    )
    return app


if __name__ == "__main__":
    main()
