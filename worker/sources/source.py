"""One source as configured: what all kinds say. Each kind has a class of its own with its keys."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from worker.sources.durations import Duration
from worker.sources.sections import Section

_HIGHEST_PRECEDENCE = 1000


class SourceKind(StrEnum):
    """The kinds of sources this version can listen to."""

    STANDARD_WEBHOOKS = "standard-webhooks"
    SVIX = "svix"
    FINCH = "finch"
    GITHUB = "github"
    HMAC = "hmac"
    AMQP = "amqp"
    FILE = "file"
    FOLDER = "folder"


class SourceConfig(Section):
    """What every source says; each kind has a class of its own below this one, with its keys."""

    name: str
    """Ours, out of the table's header: the name its statements are kept under."""
    kind: SourceKind
    precedence: Annotated[int, Field(strict=True, ge=-_HIGHEST_PRECEDENCE, le=_HIGHEST_PRECEDENCE)] = 0
    """Higher speaks where two sources state the same fact."""
    creates: Annotated[bool, Field(strict=True)] = False
    """May make people; others only add facts to people who are known."""
    silent_after: Duration | None = None
    """Its rhythm: a source that was not heard for so long is told as silent."""
