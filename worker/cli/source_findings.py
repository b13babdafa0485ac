"""What a checkup says of sources: an alarm each, and whether what they deliver is kept to be replayed."""

from collections.abc import Iterator

from worker.cli.finding import Finding
from worker.cli.opening import require_schema
from worker.cli.sentences import FORESEEN, sentence
from worker.deployment import Deployment
from worker.intake.source_health import AlarmKind, health_of_all, span

_ELSEWHERE = (AlarmKind.STOPPED, AlarmKind.CREDENTIALS)
"""What has a line of its own in a checkup."""


def source_findings(deployment: Deployment) -> Iterator[Finding]:
    """Yield a finding for each alarm of a source, or one that there is none; a broken sources file has its own line."""
    try:
        configured = deployment.sources.by_name
        require_schema(deployment.database)
        with deployment.database.read() as session:
            found = health_of_all(session, configured, deployment.clock.now())
    except FORESEEN as error:
        yield Finding("alarms", ok=False, said=sentence(error), mend="mend that first")
        return
    told = [(each.source.name, alarm) for each in found for alarm in each.alarms]
    alarms = [(name, alarm) for name, alarm in told if alarm.kind not in _ELSEWHERE]
    if not alarms:
        yield Finding("alarms", ok=True, said="no source is silent, refused or not understood")
    for name, alarm in alarms:
        yield Finding("alarms", ok=False, said=f"{name}: {alarm.said}", mend=alarm.mend, needs_person=True)


def deliveries_finding(deployment: Deployment) -> Finding:
    """Say whether deliveries are kept; both are well."""
    kept = span(deployment.settings.raw_kept)
    if not deployment.settings.raw_keys:
        said = "none is kept, so none can be replayed: MAILROSTER_RAW_KEY is not set"
        return Finding("deliveries", ok=True, said=said)
    return Finding("deliveries", ok=True, said=f"kept encrypted for {kept}, to be replayed")
