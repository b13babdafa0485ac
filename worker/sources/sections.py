"""The tables inside a source's own in the sources file: how it signs, how its words map to ours, where to ask more."""

import re
from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, SecretStr, field_validator, model_validator

from worker.events import EventType
from worker.sources.durations import Duration
from worker.sources.expression import Path
from worker.sources.keys import SecretForm
from worker.sources.secret import SecretOfFile, SecretOfVariable
from worker.sources.signature import TOLERANCE, Algorithm, Encoding, Preset, TimestampUnit
from worker.sources.signed_bytes import BODY_ALONE, SignedBytes
from worker.toml.problems import WrongAt

_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$")]


class Section(BaseModel):
    """A table with keys of its own; others are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ToleranceSection(Section):
    """``[sources.NAME.signature]`` of kinds that sign in a way of their own."""

    tolerance: Duration | None = None
    """How far the sender's time may be from ours, either way."""


class SignatureSection(ToleranceSection):
    """``[sources.NAME.signature]`` of the kind ``hmac``: how deliveries are signed, declared by the operator."""

    header: HeaderName
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"
    prefix: str = ""
    """What each signature begins with, as ``sha256=``."""
    separator: str | None = Field(default=None, min_length=1)
    """What stands between several signatures, or between the timestamp and these, in one header."""
    signed: Annotated[SignedBytes, PlainValidator(SignedBytes.parse)] = BODY_ALONE
    """The signed bytes: ``{id}``, ``{timestamp}``, ``{body}`` and literal text."""
    timestamp_header: HeaderName | None = None
    timestamp_prefix: str = ""
    """What the timestamp begins with where its header holds more, as ``t=``."""
    timestamp_unit: TimestampUnit = "s"
    id_header: HeaderName | None = None
    """The header that stays the same across retries."""
    secret: Literal["text", "base64", "hex"] = "text"  # noqa: S105 - a form
    """How the key is written: as the text it is, or encoded."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.signed.has_timestamp is not (self.timestamp_header is not None):
            raise WrongAt(("timestamp_header",), "goes together with {timestamp} in signed: one is not there")
        if self.signed.has_id and self.id_header is None:
            raise WrongAt(("id_header",), "is required: signed holds {id}")
        if self.separator and self.separator in self.prefix + self.timestamp_prefix:
            raise WrongAt(("separator",), "must not stand in a prefix: nothing would be left of it")
        if self.timestamp_header and self.timestamp_header.lower() == self.header.lower():
            self._told_apart()
        if self.tolerance and self.timestamp_header is None:
            raise WrongAt(("tolerance",), "needs a timestamp_header")
        return self

    def _told_apart(self) -> None:
        if not (self.separator and self.prefix and self.timestamp_prefix):
            raise WrongAt(("separator",), "and two prefixes are required where one header holds time and signature")

    @property
    def preset(self) -> Preset:
        """The preset that is declared here."""
        declared = {name: getattr(self, name) for name in self.__class__.model_fields if name != "tolerance"}
        return Preset(**declared | {"secret": SecretForm(self.secret), "tolerance": self.tolerance or TOLERANCE})


def _type(word: object) -> str:
    if word != "" and word not in tuple(EventType):
        raise ValueError(f'must be "" or one of: {", ".join(EventType)}')
    return str(word)


class MapSection(Section):
    """``[sources.NAME.map]``: where in a body (JMESPath) what we need of each item is found."""

    items: Path | None = None
    """The list of items; the body itself is the only one where it is absent."""
    id: Path | None = None
    subject: Path
    time: Path | None = None
    type: Path | None = None
    types: dict[str, Annotated[str, PlainValidator(_type)]] = Field(default_factory=dict)
    """Their word = our type, ``""`` where theirs says nothing of it; an item with another word is passed over."""
    facts: dict[str, Path] = Field(default_factory=dict)
    """Attribute of the canonical event = where it is found."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.types and self.type is None:
            raise WrongAt(("type",), "is required: it says where the words of types are")
        return self


class HeaderSection(Section):
    """A header of a request: a text, or ``{ env = "VARIABLE" }`` or ``{ file = "PATH" }``, after a ``prefix``."""

    prefix: str = ""
    env: SecretOfVariable | None = None
    file: SecretOfFile | None = None

    @model_validator(mode="before")
    @classmethod
    def _text(cls, given: object) -> object:
        return {"prefix": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.env and self.file:
            raise WrongAt(("file",), "give either env or file")
        if not _HEADER_VALUE.fullmatch(self.value.get_secret_value()):
            raise ValueError("a header holds one line of ASCII")
        return self

    @property
    def value(self) -> SecretStr:
        """What is sent."""
        secret = self.env or self.file
        return SecretStr(self.prefix + (secret.get_secret_value() if secret else ""))


class HydrateSection(Section):
    """``[sources.NAME.hydrate]``: where a person's record is asked for, because deliveries only tell who changed."""

    url: str
    """With ``{subject}`` where the person's key goes."""
    headers: dict[HeaderName, HeaderSection] = Field(default_factory=dict)
    record: Path | None = None
    """Where in the answer (JMESPath) the record is; the answer itself where it is absent."""
    at_once: Annotated[int, Field(strict=True, ge=1, le=16)] = 2
    """How many records are asked for at the same time, by all workers together."""

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            raise ValueError("is no address") from None
        if re.findall(r"\{[^}]*\}", url) != ["{subject}"] or "{subject}" not in parts.path + parts.query:
            raise ValueError("must hold {subject} once, behind the host")
        if not parts.hostname or parts.username is not None or parts.fragment or not url.isascii():
            raise ValueError("must be an address without credentials, which go into headers")
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(parts.hostname)):
            raise ValueError("must begin with https://, or be on this machine")
        return url


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
