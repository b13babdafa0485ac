"""A checkup of a deployment: a finding for each thing it needs, in the order in which they need one another."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

from worker.cli.attention import Concern, concerns
from worker.cli.failed import Failed
from worker.cli.finding import Finding
from worker.cli.opening import require_schema
from worker.cli.sentences import FORESEEN, sentence
from worker.cli.source_findings import deliveries_finding, source_findings
from worker.deployment import Deployment, NotConfigured, read_policy
from worker.execution.look import UnknownMailDomain, count_mailboxes
from worker.mail import counted
from worker.migadu import AccountRefused
from worker.policy import PolicyInvalid, load_policy
from worker.settings import Settings, SettingsInvalid, load_settings, without_password
from worker.sources import AmqpSource
from worker.sources.roster_files import FolderSource
from worker.store import workers
from worker.store.budget import GateClosed
from worker.store.gate import Closing
from worker.store.policies import active_policy
from worker.store.policy_holds import open_policy_hold, rejection_of
from worker.store.progress import stalled_since

_CREDENTIALS = "set MAILROSTER_MIGADU_USER and MAILROSTER_MIGADU_KEY to an account's address and API key"
_LEFT_ALONE = {
    Closing.THROTTLED: "nothing to mend: a worker probes it then, and all go on once it is served",
    Closing.ACCOUNT: f"{_CREDENTIALS}, then restart the workers: they try at once",
}
_WORKS = "start `mailroster up` or `mailroster worker`; one that runs and does nothing, restart: its log says more"
_UNKNOWN_DOMAIN = "correct [organisation].domain or [[domains]], or add it at the host"
_NOT_ACTIVE = "another version is active until a worker starts again"


def checkup() -> list[Finding]:
    """Check everything, and never raise for what is broken."""
    try:
        settings = load_settings()
    except SettingsInvalid as error:
        return [Finding("settings", ok=False, said=str(error), mend="correct the variable, or take it away")]
    with closing(Deployment(settings)) as deployment:
        return [Finding("settings", ok=True, said="every variable is known and valid"), *_of(deployment)]


def _of(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings
    yield _checked("database", lambda: _database(deployment), "check MAILROSTER_DATABASE_URL and that it runs")
    yield _checked("schema", lambda: _schema(deployment), "run `mailroster db upgrade`")
    yield _checked("broker", lambda: _broker(settings), "check MAILROSTER_BROKER_URL and that it runs")
    yield _checked("worker", lambda: _worker(deployment), _WORKS)
    yield _checked(
        "policy",
        lambda: _policy(deployment),
        "write one with `mailroster init`; `mailroster policy check` names each fault",
    )
    yield _checked("sources", lambda: _sources(deployment), "correct the sources file, or set the variable it names")
    yield from _buses(deployment)
    yield deliveries_finding(deployment)
    yield from source_findings(deployment)
    yield from (_concern(deployment, each) for each in concerns(deployment.clock.now()))
    yield from _mail_host(deployment)


def _checked(check: str, look: Callable[[], str], mend: str) -> Finding:
    try:
        return Finding(check, ok=True, said=look())
    except FORESEEN as error:
        return Finding(check, ok=False, said=sentence(error), mend=mend)


def _concern(deployment: Deployment, concern: Concern) -> Finding:
    """Look for what needs a person; where that cannot be asked, the schema's own line says so."""
    try:
        require_schema(deployment.database)
        with deployment.database.read() as session:
            said = concern.look(session)
    except FORESEEN as error:
        return Finding(concern.name, ok=False, said=sentence(error), mend="mend the database first")
    if said is None:
        return Finding(concern.name, ok=True, said=concern.nothing)
    return Finding(concern.name, ok=False, said=said, mend=concern.mend, needs_person=True)


def _database(deployment: Deployment) -> str:
    if not deployment.database.is_sqlite:
        with deployment.database.read() as session:
            session.connection()
    return without_password(deployment.settings.database_url)


def _schema(deployment: Deployment) -> str:
    require_schema(deployment.database)
    return "as this program needs it"


def _broker(settings: Settings) -> str:
    from worker.cli.broker import answering  # noqa: PLC0415 - Celery takes long to import

    answers, shown = answering(settings), without_password(settings.broker_url)
    if answers is None:
        return f"{shown}, within one process"
    if not answers():
        raise Failed(f"{shown} does not answer")
    return f"{shown} answers"


def _worker(deployment: Deployment) -> str:
    require_schema(deployment.database)
    with deployment.database.read() as session:
        alive = workers.alive(session)
        stalled = stalled_since(session, deployment.budget, deployment.clock.now())
    if not alive:
        raise Failed("no worker was seen lately")
    seen = f"{len(alive)} seen lately: {', '.join(name for name, _ in alive)}"
    if stalled is not None:
        raise Failed(f"{seen}; and yet nobody has done anything of what is due since {stalled:%Y-%m-%dT%H:%M:%SZ}")
    return seen


def _policy(deployment: Deployment) -> str:
    path, active = deployment.settings.policy, _active(deployment)
    if active is not None and not path.exists():
        return f"there is no {path} here, and policy {active[0][:12]} is active"
    policy, _ = read_policy(path)
    newer = active is not None and active[0] != policy.hash
    why = (active and _kept_out(deployment, policy.hash, active[0])) or _NOT_ACTIVE
    return f"{path} is valid, for {', '.join(policy.mail_domains)}" + (f"; {why}" if newer else "")


def _kept_out(deployment: Deployment, policy_hash: str, in_force: str) -> str | None:
    """Say that a policy is held, or was rejected; None where it is just not active yet."""
    with deployment.database.read() as session:
        rejected, held = rejection_of(session, policy_hash, in_force), open_policy_hold(session, policy_hash)
    if rejected is not None:
        return f"it was rejected (hold {rejected}), so policy {in_force[:12]} stays in force until the file changes"
    return f"it is held (hold {held}), and policy {in_force[:12]} stays in force" if held is not None else None


def _sources(deployment: Deployment) -> str:
    if not deployment.settings.sources.exists():
        return f"there is no {deployment.settings.sources}: only operators, `submit` and the API tell of people"
    for source in deployment.sources.of(FolderSource):
        if not os.access(source.path, os.R_OK | os.W_OK | os.X_OK) or not source.path.is_dir():
            raise Failed(f"the folder {source.path} of {source.name} is not there, or not ours to take files from")
    return f"{len(deployment.sources.by_name)}: {', '.join(sorted(deployment.sources.by_name)) or 'none'}"


def _buses(deployment: Deployment) -> Iterator[Finding]:
    """Tell of each source on a bus whether somebody consumes it; a sources file that is invalid has a line already."""
    try:
        sources = deployment.sources.of(AmqpSource)
    except FORESEEN:
        return
    mend = "start `mailroster bus` or `mailroster up`; their logs say why they are not connected"
    yield from (_checked(f"source {source.name}", partial(_bus, deployment, source), mend) for source in sources)


def _bus(deployment: Deployment, source: AmqpSource) -> str:
    require_schema(deployment.database)
    with deployment.database.read() as session:
        connected = workers.consumers(session, source.name)
    if not connected:
        raise Failed(f"nobody consumes queue {source.queue_name}")
    since = min(since for _, since in connected)
    return f"{len(connected)} connected, since {since:%Y-%m-%dT%H:%M:%SZ}: {', '.join(name for name, _ in connected)}"


def _mail_host(deployment: Deployment) -> Iterator[Finding]:
    """Ask for the mailboxes of the policy's domains: the first call proves address and credentials, too."""
    url = deployment.settings.migadu_url
    try:
        deployment.require_credentials()
    except NotConfigured as error:
        yield Finding("mail host", ok=False, said=str(error), mend=_CREDENTIALS)
        return
    try:
        domains = [_domain(deployment, domain) for domain in _domains(deployment)]
    except AccountRefused as error:
        yield Finding("mail host", ok=False, said=sentence(error), mend=_CREDENTIALS)
    except GateClosed as error:
        yield Finding("mail host", ok=False, said=sentence(error), mend=_LEFT_ALONE[error.closing])
    except (PolicyInvalid, NotConfigured):
        yield Finding("mail host", ok=False, said="not asked: no valid policy names a domain", mend="mend the policy")
    except FORESEEN as error:
        yield Finding("mail host", ok=False, said=sentence(error), mend="check MAILROSTER_MIGADU_URL, or try later")
    else:
        yield Finding("mail host", ok=True, said=f"{url} accepts the credentials")
        yield from domains


def _domain(deployment: Deployment, domain: str) -> Finding:
    try:
        number = count_mailboxes(deployment.execution, domain)
        return Finding("domain", ok=True, said=f"{domain}, {counted(number, 'mailbox')}")
    except UnknownMailDomain as error:
        return Finding("domain", ok=False, said=str(error), mend=_UNKNOWN_DOMAIN)


def _domains(deployment: Deployment) -> tuple[str, ...]:
    """Return the domains of the configured policy, or of the active one where there is no file here."""
    if not deployment.settings.policy.exists() and (active := _active(deployment)) is not None:
        return load_policy(active[1]).mail_domains
    return read_policy(deployment.settings.policy)[0].mail_domains


def _active(deployment: Deployment) -> tuple[str, str] | None:
    """Return the active policy's hash and text; None, too, where that cannot be asked."""
    try:
        require_schema(deployment.database)
        with deployment.database.read() as session:
            return active_policy(session)
    except FORESEEN:
        return None
