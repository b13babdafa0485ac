"""Whether the broker can be reached."""

from collections.abc import Callable

from worker.app import app, configure
from worker.settings import Settings

_PATIENCE_S = 4


def answering(settings: Settings) -> Callable[[], bool] | None:
    """Return a function that tells whether the broker answers; None for ``memory://``, which is no other process."""
    if settings.broker_url.get_secret_value().startswith("memory"):
        return None
    configure(settings)
    return _answers


def _answers() -> bool:
    try:
        with app.connection_for_write(connect_timeout=_PATIENCE_S) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=_PATIENCE_S)
    except Exception:  # noqa: BLE001 - each transport has errors of its own, and all of them mean no
        return False
    return True
