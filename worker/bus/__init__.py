"""Events straight from an AMQP exchange: a consumer per source of the kind ``amqp``, each in a thread of its own.

Nothing is acknowledged before our commit. A process of its own runs these (``mailroster bus``), or ``up`` beside the
rest: in a Celery worker an exception in such a consumer ends the worker (`engineering.md` A7). What comes of an event
is decided elsewhere.
"""

from worker.bus.bus import Bus

__all__ = ["Bus"]
