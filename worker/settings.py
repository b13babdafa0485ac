"""How this deployment runs: one frozen object, made once at start from the environment, ``.env`` and secret files.

The text under each field is its documentation. Nobody else reads a variable with our prefix.
"""

import base64
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from worker.clock import clock_from
from worker.sources.durations import parse_duration, written_duration

PREFIX = "MAILROSTER_"
_OF_TESTS = "MAILROSTER_TEST_"
_FILE = "_FILE"
_KEY_BYTES = 32
_FEWEST_CALLS = 6
"""What a look at one person and a change take at most; a run keeps nothing of what it looked at for the next."""

_DATABASES = {"sqlite", "postgresql+psycopg"}
_BROKERS = {"memory", "amqp", "amqps", "redis", "rediss"}
_LOSSY_BROKERS = {"sqla", "sqlalchemy", "db", "filesystem"}


class SettingsInvalid(ValueError):
    """A setting is missing, unknown or wrong. The message names its variable and never shows a secret."""


class Listen(NamedTuple):
    """Where the HTTP server listens."""

    host: str
    port: int


class Settings(BaseSettings):
    """How this deployment runs. Made directly it takes defaults and reads nothing; ``load_settings`` reads."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    database_url: SecretStr = SecretStr("sqlite:///mailroster.db")
    """The SQL database that holds the truth: ``sqlite:///FILE`` or ``postgresql+psycopg://USER:PASSWORD@HOST/NAME``."""
    broker_url: SecretStr = SecretStr("memory://")
    """Where bells ring: ``memory://`` within one process, else RabbitMQ (``amqp://...``) or Redis (``redis://...``)."""
    migadu_url: str = "https://api.migadu.com/v1"
    """The mail host's API, or the sandbox's."""
    migadu_user: str | None = None
    """The mail host account's user, an e-mail address."""
    migadu_key: SecretStr | None = None
    """The API key of that account. It opens the whole account: better given as a file."""
    policy: Path = Path("policy.toml")
    """The policy file: what people should have."""
    sources: Path = Path("sources.toml")
    """The sources file: who tells us, and how they prove it."""
    call_limit: tuple[int, float] | None = (60, 120.0)
    """Calls per seconds to the mail host, rolling, all processes together, as ``60/120``; ``off`` for none."""
    call_reserve: int = Field(default=10, ge=0)
    """How many of those calls are kept for revocations."""
    worker_threads: int = Field(default=8, ge=1, le=64)
    """Jobs that one worker process runs at the same time, 1 to 64; scale further by processes."""
    retry_first: timedelta = timedelta(minutes=1)
    """How long a job waits after its first failure, then twice as long each time: ``30s``, ``5m``, ``12h``, ``3d``."""
    retry_longest: timedelta = timedelta(hours=6)
    """The longest of those pauses."""
    retry_give_up_after: timedelta = timedelta(days=2)
    """A job that has failed for so long is parked: a person must look."""
    dry_run: bool = False
    """When true everything is planned and shown, and no write reaches the mail host."""
    listen: Listen = Listen("127.0.0.1", 8025)
    """Host and port of the HTTP server, as ``HOST:PORT``; an IPv6 host stands in brackets."""
    raw_key: SecretStr | None = None
    """The key under which deliveries are kept as they came, to be replayed: 32 random bytes in URL-safe base64. Several
    while one is replaced, with commas or white space between: the first writes, each reads. Without one none is kept.
    """
    raw_kept: timedelta = timedelta(days=30)
    """How long they are kept: days as ``30d`` or hours as ``12h``."""
    clock: str | None = None
    """For tests only: an ISO 8601 duration that moves business time, or the path of a file that holds one."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller alone: ``load_settings`` reads, and refuses what it does not know."""
        return (init_settings,)

    @field_validator("database_url", mode="before")
    @classmethod
    def _database_url(cls, given: SecretStr | str) -> SecretStr:
        url = _plain(given)
        scheme, _, rest = url.partition("://")
        if scheme in {"postgres", "postgresql"}:
            scheme = "postgresql+psycopg"
        if scheme not in _DATABASES or not rest or _parts(url) is None:
            raise ValueError("must be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME")
        return SecretStr(f"{scheme}://{rest}")

    @field_validator("broker_url", mode="before")
    @classmethod
    def _broker_url(cls, given: SecretStr | str) -> SecretStr:
        url = _plain(given)
        scheme = url.partition("://")[0].lower()
        if (transport := scheme.partition("+")[0]) in _LOSSY_BROKERS:
            raise ValueError(f"the {transport} transport loses messages at fetch: use memory://, amqp:// or redis://")
        if scheme not in _BROKERS or "://" not in url or _parts(url) is None:
            raise ValueError("must be memory://, amqp(s)://USER:PASSWORD@HOST/VHOST or redis(s)://HOST/NUMBER")
        return SecretStr(url)

    @field_validator("migadu_url")
    @classmethod
    def _migadu_url(cls, url: str) -> str:
        parts = _parts(url)
        if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be the http or https address of the mail host's API")
        if parts.username is not None or parts.query:
            raise ValueError("must hold no credentials: they are settings of their own")
        return url.rstrip("/")

    @field_validator("call_limit", mode="before")
    @classmethod
    def _call_limit(cls, given: tuple[int, float] | str | None) -> tuple[int, float] | None:
        if given is None or given == "off":
            return None
        try:
            calls, seconds = given.split("/") if isinstance(given, str) else given
            limit = int(calls), float(seconds)
        except (TypeError, ValueError):
            limit = 0, 0.0
        if limit[0] < 1 or not 0 < limit[1] <= 86_400:
            raise ValueError("must be calls per seconds, as 60/120, or off")
        return limit

    @field_validator("listen", mode="before")
    @classmethod
    def _listen(cls, given: Listen | tuple[str, int] | str) -> Listen:
        if not isinstance(given, str):
            return Listen(*given)
        host, _, port = given.rpartition(":")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host.replace(":", " ")
        if not host or " " in host or not (port.isascii() and port.isdigit() and int(port) < 65_536):
            raise ValueError("must be HOST:PORT, as 127.0.0.1:8025 or [::1]:8025")
        return Listen(host, int(port))

    @field_validator("raw_key")
    @classmethod
    def _raw_key(cls, given: SecretStr | None) -> SecretStr | None:
        for key in _listed(given):
            try:
                length = len(base64.b64decode(key, altchars=b"-_", validate=True))
            except ValueError:
                length = 0
            if length != _KEY_BYTES:
                raise ValueError("must be 32 bytes in URL-safe base64, or several such keys")
        return given

    @field_validator("raw_kept", "retry_first", "retry_longest", "retry_give_up_after", mode="before")
    @classmethod
    def _duration(cls, given: timedelta | str) -> timedelta:
        return parse_duration(given)

    @property
    def raw_keys(self) -> tuple[SecretStr, ...]:
        """The keys for deliveries, that which writes first."""
        return tuple(map(SecretStr, _listed(self.raw_key)))

    @field_validator("clock")
    @classmethod
    def _clock(cls, text: str | None) -> str | None:
        clock_from(text).now()
        return text

    @model_validator(mode="after")
    def _pauses_grow(self) -> Self:
        if self.retry_longest < self.retry_first:
            raise ValueError(f"{PREFIX}RETRY_LONGEST is less than {PREFIX}RETRY_FIRST, and pauses only grow")
        return self

    @model_validator(mode="after")
    def _reserve_is_part_of_limit(self) -> Self:
        if self.call_limit is not None and self.call_reserve >= self.call_limit[0]:
            raise ValueError(
                f"{PREFIX}CALL_RESERVE is {self.call_reserve}, and must be less than the "
                f"{self.call_limit[0]} calls of {PREFIX}CALL_LIMIT"
            )
        if self.call_limit is not None and self.call_limit[0] - self.call_reserve < _FEWEST_CALLS:
            raise ValueError(
                f"{PREFIX}CALL_LIMIT leaves {self.call_limit[0] - self.call_reserve} calls beside "
                f"{PREFIX}CALL_RESERVE, and some jobs need {_FEWEST_CALLS} in one go"
            )
        return self


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One setting as documented: the variable, its default as one would write it (None: none), its meaning."""

    name: str
    default: str | None
    doc: str


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check every setting, from ``read_environment`` unless the variables are given.

    Raises SettingsInvalid with one sentence on a variable that is unknown, given twice, unreadable or wrong.
    """
    variables = read_environment() if environment is None else environment
    ours = {name: value for name, value in variables.items() if name.startswith(PREFIX)}
    _refuse_unknown(ours)
    try:
        return Settings.model_validate(dict(_given(ours)))
    except ValidationError as error:
        raise SettingsInvalid(_sentence(error)) from None  # the cause holds what was given, secrets too


def read_environment(directory: Path = Path()) -> Mapping[str, str]:
    """Return the environment over the ``.env`` of a directory, with all names: sources find their secrets there, too.

    A variable of the environment hides its ``_FILE`` twin in ``.env``, and the other way round.
    """
    try:
        written = DotEnvSettingsSource(
            Settings, env_file=directory / ".env", env_file_encoding="utf-8", case_sensitive=True
        ).env_vars
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{directory / '.env'} cannot be read as text in UTF-8") from error
    return {name: value or "" for name, value in written.items() if _twin(name) not in os.environ} | os.environ


def documented_settings() -> tuple[SettingDoc, ...]:
    """Return all settings in the order of the documentation."""
    return tuple(
        SettingDoc(PREFIX + name.upper(), _written(field.default), " ".join((field.description or "").split()))
        for name, field in Settings.model_fields.items()
    )


def without_password(url: SecretStr) -> str:
    """Return a database's or broker's URL as it may be shown: no password, no query."""
    parts = urlsplit(url.get_secret_value())
    credentials, at, host = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{credentials.partition(':')[0]}{at}{host}{parts.path}"


def _refuse_unknown(ours: Mapping[str, str]) -> None:
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in sorted(ours):
        if name.startswith(_OF_TESTS) or name.removesuffix(_FILE) in known:
            continue
        closest = get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise SettingsInvalid(f"{name} is not a setting; the closest is {closest}")


def _given(ours: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for field, described in Settings.model_fields.items():
        name = PREFIX + field.upper()
        if name in ours and name + _FILE in ours:
            raise SettingsInvalid(f"{name} and {name}{_FILE} are both given: keep one")
        value = _content(name + _FILE, ours[name + _FILE]) if name + _FILE in ours else ours.get(name)
        if value is None or (not value and described.default is None):
            continue
        if not value:
            raise SettingsInvalid(f"{name} is empty: give it a value or leave it out")
        yield field, value


def _content(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsInvalid(f"{name} names {path!r}, which cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SettingsInvalid(f"{name} names {path!r}, which is not text in UTF-8") from None  # the cause quotes bytes


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    said = first["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{str(first['loc'][0]).upper()}: {said}" if first["loc"] else said


def _twin(name: str) -> str:
    return name.removesuffix(_FILE) if name.endswith(_FILE) else name + _FILE


def _listed(given: SecretStr | None) -> list[str]:
    return re.split(r"[\s,]+", given.get_secret_value().strip()) if given is not None else []


def _plain(given: SecretStr | str) -> str:
    return given.get_secret_value() if isinstance(given, SecretStr) else str(given)


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # parsed on reading, and its error would quote a piece of the password
    except ValueError:
        return None
    return parts


def _written(default: object) -> str | None:
    match default:
        case None:
            return None
        case SecretStr():
            written = default.get_secret_value()
        case bool():
            written = str(default).lower()
        case timedelta():
            written = written_duration(default)
        case Listen(host, port):
            written = f"{host}:{port}"
        case (calls, seconds):
            written = f"{calls}/{seconds:g}"
        case _:
            written = str(default)
    return written
