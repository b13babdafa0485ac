"""Who tells us: a module per kind of source, which proves who sent a message and reads the events in it.

Values in, values out: what is stored of a source, and what its events lead to, is decided elsewhere.
"""

from worker.roster import OPERATOR
from worker.sources.amqp import AmqpSource
from worker.sources.body import BodyInvalid
from worker.sources.configuration import RESERVED_NAMES, Sources, SourcesInvalid, load_sources
from worker.sources.delivery import Delivery, Hint, Parsed
from worker.sources.hook import HookSource
from worker.sources.signature import BadSignature
from worker.sources.source import SourceConfig, SourceKind

__all__ = [
    "OPERATOR",
    "RESERVED_NAMES",
    "AmqpSource",
    "BadSignature",
    "BodyInvalid",
    "Delivery",
    "Hint",
    "HookSource",
    "Parsed",
    "SourceConfig",
    "SourceKind",
    "Sources",
    "SourcesInvalid",
    "load_sources",
]
