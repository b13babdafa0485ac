"""Who tells us: a module per kind of source, which proves who sent a message and reads the events in it.

Values in, values out: what is stored of a source, and what its events lead to, is decided elsewhere.
"""

from worker.roster import OPERATOR
from worker.sources.body import BodyInvalid
from worker.sources.configuration import (
    RESERVED_NAMES,
    SourceConfig,
    SourceKind,
    Sources,
    SourcesInvalid,
    load_sources,
)

__all__ = [
    "OPERATOR",
    "RESERVED_NAMES",
    "BodyInvalid",
    "SourceConfig",
    "SourceKind",
    "Sources",
    "SourcesInvalid",
    "load_sources",
]
