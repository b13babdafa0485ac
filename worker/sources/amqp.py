"""A source on a message bus as configured: which exchange it publishes to, and what we declare to hear it."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from worker.sources.secret import SecretOfFile, SecretOfVariable
from worker.sources.source import SourceConfig
from worker.toml.problems import WrongAt

SCHEMES = ("amqp", "amqps")

Name = Annotated[str, Field(max_length=120, pattern=r"^[^\x00-\x1f]+$")]
"""Of an exchange or a queue: AMQP allows 255 bytes."""


class AmqpSource(SourceConfig):
    """A source that publishes to an exchange of RabbitMQ 3.10 or newer, whose events ``mailroster bus`` takes.

    Who may publish there is the broker's business: whatever arrives is the source's word.
    """

    url_env: SecretOfVariable | None = None
    url_file: SecretOfFile | None = None
    """``amqp://USER:PASSWORD@HOST/VHOST`` or ``amqps://...``; else the deployment's broker."""
    exchange: Name
    """Where producers publish. Declared (durable) where it is not there."""
    exchange_type: Literal["topic", "direct", "fanout"] = "topic"
    routing_keys: Annotated[tuple[str, ...], Field(min_length=1)] = ("#",)
    """What of the exchange is for us."""
    queue: Name | None = None
    """Ours alone; ``mailroster.NAME`` unless said. Whatever is published while nobody consumes waits there."""
    dead_letter_exchange: Name | None = None
    """Where messages go that cannot be read; the name of the queue and ``.dead`` unless said."""
    prefetch: Annotated[int, Field(strict=True, ge=1, le=1000)] = 100
    """How many messages a consumer has in hand, of which it commits up to 100 together."""
    delivery_limit: Annotated[int, Field(strict=True, ge=1, le=1000)] = 10
    """How often a message may come back because its consumer died before it is a dead letter."""

    @field_validator("url_env", "url_file")
    @classmethod
    def _amqp(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not is_amqp(url):
            raise ValueError("what it names must be amqp://USER:PASSWORD@HOST/VHOST or amqps://...")
        return url

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.url_env and self.url_file:
            raise WrongAt(("url_file",), "give either url_env or url_file")
        if self.exchange_type == "direct" and "routing_keys" not in self.model_fields_set:
            raise WrongAt(("routing_keys",), "is required for a direct exchange: which keys are for us")
        if self.exchange in (self.dead_letters, self.queue_name):
            raise WrongAt(("exchange",), "must have another name than our queue and its dead letters")
        return self

    @property
    def url(self) -> SecretStr | None:
        """The broker's URL where it has one of its own."""
        return self.url_env or self.url_file

    @property
    def queue_name(self) -> str:
        """The queue that is ours alone."""
        return self.queue or f"mailroster.{self.name}"

    @property
    def dead_letters(self) -> str:
        """The exchange for what cannot be read; the queue behind it is called ``QUEUE.dead`` whatever it is called."""
        return self.dead_letter_exchange or self.dead_letter_queue

    @property
    def dead_letter_queue(self) -> str:
        """The queue that keeps what cannot be read."""
        return f"{self.queue_name}.dead"


def is_amqp(url: SecretStr) -> bool:
    """Tell whether every broker of a URL (several stand with ``;`` between them) is a RabbitMQ somewhere."""
    try:
        brokers = [urlsplit(each) for each in url.get_secret_value().split(";")]
        return all(each.scheme in SCHEMES and each.hostname and each.port != 0 for each in brokers)
    except ValueError:  # its words would quote a piece of the password
        return False
