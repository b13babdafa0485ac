"""A worker that rings each of its bells twice: `celery -A tests.crashes.twice worker`."""

from collections.abc import Mapping
from typing import Any

from celery.signals import after_task_publish

from tests.crashes.bells import RANG_AGAIN
from worker.app import app

_MARK = "mailroster-test-again"

__all__ = ["app"]


@after_task_publish.connect
def _ring_again(sender: str, headers: Mapping[str, Any], **_: Any) -> None:
    if _MARK not in headers:
        app.send_task(sender, headers={_MARK: True})
        print(RANG_AGAIN, flush=True)  # noqa: T201 - for the test to count
