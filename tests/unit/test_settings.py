"""Settings: defaults that run, one clear sentence on what is wrong, and no secret in any of them."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from worker.settings import (
    Settings,
    SettingsInvalid,
    documented_settings,
    load_settings,
    read_environment,
    without_password,
)

STARTER = Path(__file__).parents[2] / "worker" / "sources" / "starter.env"


def test_no_configuration_runs_the_embedded_default() -> None:
    """Every setting has the default that the documentation promises."""
    settings = load_settings({"PATH": "/bin"})

    assert settings == Settings()
    assert settings.database_url.get_secret_value() == "sqlite:///mailroster.db"
    assert settings.broker_url.get_secret_value() == "memory://"
    assert settings.migadu_url == "https://api.migadu.com/v1"
    assert (settings.migadu_user, settings.migadu_key, settings.clock) == (None, None, None)
    assert (settings.policy, settings.sources) == (Path("policy.toml"), Path("sources.toml"))
    assert (settings.call_limit, settings.call_reserve, settings.worker_threads) == ((60, 120.0), 10, 8)
    assert settings.dry_run is False
    assert (settings.listen.host, settings.listen.port) == ("127.0.0.1", 8025)


def test_every_setting_is_read_from_its_variable() -> None:
    """Text becomes the value that it means."""
    settings = load_settings(
        {
            "MAILROSTER_DATABASE_URL": "postgres://m:pw@db/mailroster",
            "MAILROSTER_BROKER_URL": "amqp://m:pw@mq//",
            "MAILROSTER_MIGADU_URL": "http://127.0.0.1:8026/v1/",
            "MAILROSTER_MIGADU_USER": "admin@example.org",
            "MAILROSTER_MIGADU_KEY": "sesame",
            "MAILROSTER_POLICY": "/etc/mailroster/policy.toml",
            "MAILROSTER_SOURCES": "/etc/mailroster/sources.toml",
            "MAILROSTER_CALL_LIMIT": "off",
            "MAILROSTER_CALL_RESERVE": "0",
            "MAILROSTER_WORKER_THREADS": "16",
            "MAILROSTER_RETRY_FIRST": "30s",
            "MAILROSTER_RETRY_LONGEST": "5m",
            "MAILROSTER_RETRY_GIVE_UP_AFTER": "12h",
            "MAILROSTER_DRY_RUN": "true",
            "MAILROSTER_LISTEN": "[::1]:80",
            "MAILROSTER_CLOCK": "P1D",
        }
    )

    assert settings.database_url.get_secret_value() == "postgresql+psycopg://m:pw@db/mailroster"
    assert settings.broker_url.get_secret_value() == "amqp://m:pw@mq//"
    assert settings.migadu_url == "http://127.0.0.1:8026/v1"
    assert settings.migadu_key == SecretStr("sesame")
    assert settings.policy == Path("/etc/mailroster/policy.toml")
    assert (settings.call_limit, settings.call_reserve, settings.worker_threads) == (None, 0, 16)
    assert (settings.retry_first, settings.retry_longest) == (timedelta(seconds=30), timedelta(minutes=5))
    assert settings.retry_give_up_after == timedelta(hours=12)
    assert (settings.dry_run, settings.listen, settings.clock) == (True, ("::1", 80), "P1D")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("DATABASE_URL", "mysql://u:hunter2@db/x", "must be sqlite:///FILE or postgresql+psycopg://"),
        ("DATABASE_URL", "postgresql://u:hunter2/x@db/x", "must be sqlite:///FILE or postgresql+psycopg://"),
        ("BROKER_URL", "sqla+sqlite:///hunter2.db", "the sqla transport loses messages at fetch"),
        ("BROKER_URL", "db+postgresql://u:hunter2@db/x", "the db transport loses messages at fetch"),
        ("BROKER_URL", "filesystem://hunter2", "the filesystem transport loses messages at fetch"),
        ("BROKER_URL", "sqs://hunter2", "must be memory://"),
        ("BROKER_URL", "amqp:hunter2", "must be memory://"),
        ("MIGADU_URL", "ftp://hunter2", "must be the http or https address"),
        ("MIGADU_URL", "https://u:hunter2@api.example", "must hold no credentials"),
        ("CALL_LIMIT", "60", "must be calls per seconds, as 60/120, or off"),
        ("CALL_LIMIT", "0/120", "must be calls per seconds, as 60/120, or off"),
        ("CALL_LIMIT", "60/nan", "must be calls per seconds, as 60/120, or off"),
        ("CALL_RESERVE", "-1", "greater than or equal to 0"),
        ("CALL_RESERVE", "60", "must be less than the 60 calls"),
        ("WORKER_THREADS", "0", "greater than or equal to 1"),
        ("WORKER_THREADS", "65", "less than or equal to 64"),
        ("WORKER_THREADS", "eight", "valid integer"),
        ("RETRY_FIRST", "0s", 'must be a length of time such as "30s"'),
        ("RETRY_FIRST", "soon", 'must be a length of time such as "30s"'),
        ("RETRY_LONGEST", "59s", "is less than MAILROSTER_RETRY_FIRST"),
        ("DRY_RUN", "maybe", "valid boolean"),
        ("LISTEN", "8025", "must be HOST:PORT"),
        ("LISTEN", "::1:8025", "must be HOST:PORT"),
        ("LISTEN", "localhost:99999", "must be HOST:PORT"),
        ("CLOCK", "P1Q", "P1Q cannot be read"),
        ("POLICY", "", "is empty"),
    ],
)
def test_a_wrong_value_gives_one_sentence_that_names_its_variable(name: str, value: str, reason: str) -> None:
    """The sentence says which variable and what is expected, and no value that may be secret."""
    with pytest.raises(SettingsInvalid) as raised:
        load_settings({f"MAILROSTER_{name}": value})

    assert f"MAILROSTER_{name}" in str(raised.value)
    assert reason in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


@given(st.text(max_size=40), st.sampled_from([doc.name for doc in documented_settings()]))
def test_any_text_is_a_value_or_a_sentence(value: str, name: str) -> None:
    """Whatever stands in a variable, the answer is settings or SettingsInvalid."""
    try:
        settings = load_settings({name: value})
    except SettingsInvalid as error:
        settings = error

    assert isinstance(settings, Settings | SettingsInvalid)


def test_an_unknown_variable_is_an_error_that_names_the_closest() -> None:
    """A typo does not silently leave the default in place; variables of tests are let through."""
    with pytest.raises(SettingsInvalid, match=r"MAILROSTER_DATABSE_URL is not a setting; .* MAILROSTER_DATABASE_URL"):
        load_settings({"MAILROSTER_DATABSE_URL": "x"})

    assert load_settings({"MAILROSTER_TEST_POSTGRES_URL": "x"}) == Settings()


def test_a_file_may_hold_any_value(tmp_path: Path) -> None:
    """Every variable has a twin that names a file; the line's end is no part of the value."""
    secret = tmp_path / "key"
    secret.write_text("sesame\n")
    threads = tmp_path / "threads"
    threads.write_text("3\n")
    settings = load_settings(
        {"MAILROSTER_MIGADU_KEY_FILE": str(secret), "MAILROSTER_WORKER_THREADS_FILE": str(threads)}
    )

    assert settings.migadu_key == SecretStr("sesame")
    assert settings.worker_threads == 3


def test_a_variable_and_its_file_cannot_both_be_given(tmp_path: Path) -> None:
    """Nobody has to guess which of two values counts, and an unreadable file is named."""
    with pytest.raises(SettingsInvalid, match="both given"):
        load_settings({"MAILROSTER_MIGADU_KEY": "a", "MAILROSTER_MIGADU_KEY_FILE": "b"})
    with pytest.raises(SettingsInvalid, match=r"MAILROSTER_MIGADU_KEY_FILE names .*No such file"):
        load_settings({"MAILROSTER_MIGADU_KEY_FILE": str(tmp_path / "none")})


def test_an_optional_setting_left_empty_is_none() -> None:
    """Container files pass empty variables for what is not set."""
    assert load_settings({"MAILROSTER_MIGADU_KEY": "", "MAILROSTER_CLOCK": ""}) == Settings()


def test_the_environment_speaks_over_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``.env`` of the current directory fills what the environment leaves out, also secrets of sources."""
    (tmp_path / ".env").write_text(
        "MAILROSTER_MIGADU_KEY=from-env-file\nMAILROSTER_LISTEN=127.0.0.1:1\nHR_WEBHOOK_SECRET=whsec_x\n"
    )
    (tmp_path / "key").write_text("from-secret-file")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAILROSTER_MIGADU_KEY_FILE", str(tmp_path / "key"))
    settings = load_settings()

    assert settings.migadu_key == SecretStr("from-secret-file")
    assert settings.listen.port == 1
    assert read_environment()["HR_WEBHOOK_SECRET"] == "whsec_x"


def test_an_unknown_variable_in_the_env_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``.env`` is held to the same rules, and must be text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("MAILROSTER_DRYRUN=true\n")

    with pytest.raises(SettingsInvalid, match=r"MAILROSTER_DRYRUN is not a setting; .* MAILROSTER_DRY_RUN"):
        load_settings()

    (tmp_path / ".env").write_bytes(b"MAILROSTER_DRY_RUN=\xff\n")
    with pytest.raises(SettingsInvalid, match=r"\.env cannot be read"):
        load_settings()


def test_no_secret_is_in_the_settings_repr() -> None:
    """Settings can be logged whole; URLs are shown without password and query."""
    settings = Settings(
        database_url="postgresql+psycopg://mail:hunter2@db:5432/mailroster?password=hunter2",
        broker_url="amqp://mail:hunter2@mq//",
        migadu_key="hunter2",
    )

    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()
    with pytest.raises(ValidationError) as raised:
        Settings(database_url="mysql://mail:hunter2@db/x")
    assert "hunter2" not in str(raised.value)
    assert without_password(settings.database_url) == "postgresql+psycopg://mail@db:5432/mailroster"
    assert without_password(settings.broker_url) == "amqp://mail@mq//"
    assert without_password(SecretStr("sqlite:///mailroster.db")) == "sqlite:///mailroster.db"


def test_settings_cannot_be_changed() -> None:
    """One frozen object for the life of the process."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().worker_threads = 2  # type: ignore[misc]


def test_settings_made_in_code_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only ``load_settings`` reads, so that nothing depends on where it is imported."""
    monkeypatch.setenv("MAILROSTER_WORKER_THREADS", "2")

    assert Settings().worker_threads == 8


def test_every_setting_is_documented_and_in_the_starter_file() -> None:
    """Each has a sentence, and the starter file shows each with its default, commented out."""
    starter = STARTER.read_text(encoding="utf-8")

    for setting in documented_settings():
        assert setting.doc.endswith(".")
        assert f"#{setting.name}={setting.default or ''}" in starter
