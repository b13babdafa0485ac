"""The sources file: what it gives, and the sentence for each thing that is wrong with it."""

import base64
import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

import worker.sources.configuration
from worker.sources import HookSource, SourceKind, SourcesInvalid, load_sources

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
ENVIRONMENT = {"HR_WEBHOOK_SECRET": SECRET, "OLD": OTHER, "WEAK": "whsec_aHVudGVyMg=="}
STARTER = Path(worker.sources.configuration.__file__).with_name("starter_sources.toml")
HR = '[sources.hr]\nkind = "standard-webhooks"\n'


def test_the_starter_file_is_valid() -> None:
    """What ``init`` writes can be used as it stands, and names its sources once their signs are taken away."""
    text = STARTER.read_text(encoding="utf-8")
    bare = re.sub(r"^# (?=\[|[\w\".]+ = )", "", text, flags=re.MULTILINE).replace("secret_file", "secret_env")
    sources = load_sources(bare, ENVIRONMENT | {"secrets/directory": OTHER, "PAYROLL_SECRET": "a text"})

    assert dict(load_sources(text, {}).by_name) == {}
    assert sources.get("hr") == HookSource(
        name="hr",
        kind=SourceKind.STANDARD_WEBHOOKS,
        secret_env=(SecretStr(SECRET),),
        precedence=10,
        creates=True,
        silent_after=timedelta(days=3),
    )
    assert [source.kind for source in sources.by_name.values()] == ["standard-webhooks", "svix", "hmac"]


def test_an_empty_file_has_no_sources() -> None:
    """A deployment may live on the API and the command line alone."""
    sources = load_sources("", {})

    assert dict(sources.by_name) == {}
    assert sources.creators == {"api", "celery", "import"}


def test_several_secrets_hold_during_a_rotation(tmp_path: Path) -> None:
    """Variables or files, one or several; relative files are found beside the sources file."""
    (tmp_path / "hr").write_text(SECRET + "\n")
    (by_env,) = load_sources(HR + 'secret_env = ["HR_WEBHOOK_SECRET", "OLD"]', ENVIRONMENT).of(HookSource)
    (by_file,) = load_sources(HR + 'secret_file = "hr"', {}, tmp_path).of(HookSource)

    assert by_env.secrets == (SecretStr(SECRET), SecretStr(OTHER))
    assert by_file.secrets == (SecretStr(SECRET),)
    assert SECRET not in repr(by_env)
    assert (by_env.precedence, by_env.creates) == (0, False)


def test_the_operator_is_believed_before_every_source() -> None:
    """Precedence lists every name that statements may be kept under."""
    text = HR + 'secret_env = "OLD"\nprecedence = 1000\ncreates = true\n'
    sources = load_sources(text, ENVIRONMENT)

    assert max(sources.precedence, key=sources.precedence.__getitem__) == "operator"
    assert (sources.precedence["hr"], sources.precedence["api"]) == (1000, 0)
    assert sources.creators == {"api", "celery", "import", "hr"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[sources.hr\n", "^line 1: this is not valid TOML: "),
        ("\n[source.hr]", "line 2: source: is not known"),
        ("sources = 1", "line 1: sources: must be tables"),
        ("[sources]\nhr = 1", "line 2: sources.hr: must be a table"),
        ("[sources.HR]", "line 1: sources.HR: a name has 1 to 64 characters"),
        ("[sources.operator]", "line 1: sources.operator: the name is reserved"),
        (HR, "line 1: sources.hr: give either secret_env or secret_file"),
        (HR + 'secret_env = "OLD"\nsecret_file = "x"', "line 4: sources.hr.secret_file: give either"),
        (HR + 'secret_evn = "OLD"', "line 3: sources.hr.secret_evn: unknown key; did you mean 'secret_env'"),
        (HR + "secret_env = 1", "line 3: sources.hr.secret_env: must be a text"),
        (HR + "secret_env = []", "line 3: sources.hr.secret_env: must be a text"),
        (HR + 'secret_env = "NONE"', "line 3: sources.hr.secret_env: the variable NONE is not set"),
        (HR + 'secret_env = "WEAK"', "line 3: sources.hr.secret_env: a secret of this source must be"),
        (HR + 'secret_file = "/none"', "line 3: sources.hr.secret_file: /none cannot be read: No such file"),
        (HR + 'secret_env = "OLD"\nprecedence = true', "line 4: sources.hr.precedence: must be a whole number"),
        (HR + 'secret_env = "OLD"\nprecedence = 1001', "line 4: sources.hr.precedence: must not be more than 1000"),
        (
            HR + 'secret_env = "OLD"\nsilent_after = "3 weeks"',
            "line 4: .*hr.silent_after: must be a length",
        ),
        (HR + 'secret_env = "OLD"\nname = "x"', "line 4: sources.hr.name: unknown key"),
        (HR + 'secret_env = "OLD"\nurl_env = "x"', "line 4: sources.hr.url_env: unknown key"),
        (
            HR + 'secret_env = ["OLD", "WEAK"]',
            "line 3: .*secret_env: secret 2: a secret of this",
        ),
        (HR + 'secret_env = "OLD"\n[sources.hr.map]', "line 4: sources.hr.map.subject: is required"),
        (HR + 'secret_env = "OLD"\n[sources.hr.map]\nsubject = "a"', "line 4: sources.hr.map: needs facts or"),
        (
            HR + 'secret_env = "OLD"\n[sources.hr.hydrate.headers]\nX = {emv = "A"}',
            "line 5: .*X.emv: unknown key; did you.* 'env'",
        ),
        (HR + 'secret_env = "OLD"\ncreates = "yes"', "line 4: sources.hr.creates: must be true or false"),
        ('[sources.hr]\nkind = "bamboohr"', "line 2: sources.hr.kind: 'bamboohr' is not available in this version"),
        ('[sources.hr]\nkind = "carrier-pigeon"', "line 2: sources.hr.kind: must be one of: standard-webhooks"),
        ("[sources.hr]\nkind = ['standard-webhooks']", "line 2: sources.hr.kind: must be one of"),
        ("[sources.hr]", "line 1: sources.hr.kind: must be one of"),
        ("sources.hr.kind = 1", "sources.hr.kind: must be one of"),
    ],
)
def test_a_fault_is_named_by_line_and_key(text: str, sentence: str) -> None:
    """One sentence says where and why, without any secret."""
    with pytest.raises(SourcesInvalid, match=sentence) as raised:
        load_sources(text, ENVIRONMENT)

    assert "whsec_a" not in str(raised.value)


HYDRATE = HR + 'secret_env = "OLD"\nmap.subject = "id"\n[sources.hr.hydrate]\n'


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('url = "https://a.example/people"', "url: must hold {subject} once, behind the host"),
        ('url = "https://a.example/{subject}/{subject}"', "url: must hold {subject} once"),
        ('url = "https://a.example/{person}/{subject}"', "url: must hold {subject} once"),
        ('url = "https://{subject}.example/a"', "url: must hold {subject} once, behind the host"),
        ('url = "http://a.example/{subject}"', "url: must begin with https://, or be on this machine"),
        ('url = "ftp://a.example/{subject}"', "url: must begin with https://"),
        ('url = "https://me:pw@a.example/{subject}"', "url: must be an address without credentials"),
        ('url = "https://a.example:x/{subject}"', "url: is no address"),
        ('url = "https://a.example/{subject}"\nat_once = 0', "at_once: must"),
        ('url = "https://a.example/{subject}"\nrecord = "a["', "record: is not a JMESPath expression"),
        ('url = "https://a.example/{subject}"\nheaders = { "a b" = "c" }', "headers"),
        ('url = "https://a.example/{subject}"\nheaders = { a = "c\\nd" }', "a header holds one line of ASCII"),
        ('url = "https://a.example/{subject}"\nheaders = { a = { env = "NONE" } }', "the variable NONE is not set"),
    ],
)
def test_what_is_wrong_with_hydrate_is_named(line: str, sentence: str) -> None:
    """Where records are asked for is checked when the file is read."""
    with pytest.raises(SourcesInvalid, match=re.escape(sentence)):
        load_sources(HYDRATE + line, ENVIRONMENT)


@pytest.mark.parametrize(
    "url", ["https://a.example/{subject}", "http://127.0.0.1:8/?id={subject}", "http://[::1]/{subject}"]
)
def test_a_record_is_asked_for_over_tls_or_on_this_machine(url: str) -> None:
    """Both kinds of address are taken, and the key may stand in the query."""
    source = load_sources(HYDRATE + f'url = "{url}"', ENVIRONMENT).get("hr")

    assert isinstance(source, HookSource)
    assert source.hydrate is not None
    assert (source.hydrate.url, source.hydrate.at_once) == (url, 2)


def test_keys_of_another_source_are_not_blamed() -> None:
    """The line is that of the table at fault, though another has a key of the same name."""
    sound = 'kind = "standard-webhooks"\nsecret_env = "OLD"\n'

    for other in ("hr-2", "my-hr"):
        text = f'[sources.{other}]\n{sound}\n[sources.hr]\nsecret_env = "OLD"\nkind = "ldap"\n'
        with pytest.raises(SourcesInvalid, match=r"^line 7: sources\.hr\.kind"):
            load_sources(text, ENVIRONMENT)
