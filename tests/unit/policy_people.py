"""Factories for policies, people and views, with defaults; and strategies that generate people in time."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from hypothesis import strategies as st

from worker.events.canonical import FactValue
from worker.mail import Address
from worker.policy import Manager, PersonView, Policy, load_policy
from worker.policy.offset import parse_offset
from worker.roster.employment import Employment
from worker.roster.person import Profile
from worker.roster.record import EmploymentKind, EmploymentStatement, Version

ADA: Mapping[str, FactValue] = {
    "givenName": "Ada",
    "familyName": "Lovelace",
    "personalEmail": "ada@home.example",
    "department": "Engineering",
}
ADDRESS = Address("ada.lovelace@example.org")


def utc(text: str) -> datetime:
    """Read an instant; without a zone it is UTC."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def policy(more: str = "", *, timezone: str = "Europe/Berlin", organisation: str = "") -> Policy:
    """Make a policy for example.org with an engineering group."""
    group = '[[groups]]\naddress = "engineering"\nmembers = { department = ["Engineering", "R&D"] }\n'
    return load_policy(f'[organisation]\ndomain = "example.org"\ntimezone = "{timezone}"\n{organisation}{group}{more}')


def employment(kind: EmploymentKind = EmploymentKind.JOINED, **more: object) -> Employment:
    """Make an employment stated and known on 1 March 2026."""
    at = utc("2026-03-01T09:00")
    return Employment(**{"kind": kind, "source": "hr", "at": at, "known_since": at, **more})  # type: ignore[arg-type]


def left(**more: object) -> EmploymentStatement:
    """Make a former departure that was stated on 1 January 2026."""
    at = utc("2026-01-01T09:00")
    fields = {"kind": EmploymentKind.LEFT, "version": Version(at, "urn:hr", "1"), "received_at": at, **more}
    return EmploymentStatement(**fields)  # type: ignore[arg-type]


def view(stated: Employment | None = None, facts: Mapping[str, FactValue] | None = None, **more: object) -> PersonView:
    """Make a view of Ada, who works here and has a mailbox."""
    profile_fields = {name: more.pop(name) for name in ("suspended", "purged") if name in more}
    profile = Profile("p1", ADA if facts is None else facts, stated or employment(), **profile_fields)  # type: ignore[arg-type]
    return PersonView(**{"profile": profile, "address": ADDRESS, "mailbox_exists": True, **more})  # type: ignore[arg-type]


ZONES = (
    "Pacific/Kiritimati",  # UTC+14
    "Etc/GMT+12",  # UTC-12
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/Havana",  # midnight is skipped in spring
    "Pacific/Apia",  # a whole day was skipped in 2011
    "Australia/Lord_Howe",  # half an hour of summer time
    "nowhere/at-all",
)
OFFSETS = ("0d", "1d", "12h", "36h", "2d", "30d", "31d", "1000h")

ACTIONS = (
    "block",
    "block leave-groups delete-mailbox",
    "leave-groups block delete-mailbox",
    "autoreply block forward-to-manager leave-groups delete-mailbox",
    "forward-to-manager autoreply leave-groups block delete-mailbox alias-to-manager",
    "block delete-mailbox alias-to-manager release-address",
    "block autoreply delete-mailbox leave-groups release-address",
    "block delete-mailbox release-address purge",
    "block leave-groups delete-mailbox alias-to-manager release-address purge",
)
AUTOREPLY = '[leaving.autoreply]\nsubject = "{displayName} left"\nbody = "Write to {manager.address}."\n'
GRACE = Manager(Address("grace.hopper@example.org"), "Grace Hopper")

dates = st.dates(date(2011, 10, 1), date(2012, 5, 1))
instants = st.datetimes(datetime(2011, 10, 1), datetime(2012, 6, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


def _maybe(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | values


departures = st.builds(
    left,
    last_working_day=_maybe(dates),
    left_at=_maybe(instants),
    received_at=instants,
    immediate=st.booleans(),
    version=st.builds(Version, instants, st.just("urn:hr"), st.just("1")),
)
employments = st.builds(
    Employment,
    kind=st.sampled_from(EmploymentKind),
    source=st.just("hr"),
    at=instants,
    known_since=instants,
    joined=st.booleans(),
    hire_date=_maybe(dates),
    last_working_day=_maybe(dates),
    left_at=_maybe(instants),
    immediate=st.booleans(),
    former_departure=_maybe(departures),
)


@st.composite
def views(draw: st.DrawFn) -> PersonView:
    """Generate people in every situation, in many zones."""
    facts = {**ADA, "timezone": draw(st.sampled_from(ZONES))}
    if draw(st.booleans()):
        del facts["personalEmail"]
    exists = draw(st.booleans())
    return view(
        draw(employments),
        facts,
        suspended=draw(st.booleans()),
        purged=draw(st.booleans()),
        mailbox_exists=exists,
        address=ADDRESS if exists or draw(st.booleans()) else None,
        blocked_at=draw(_maybe(instants)),
        received=frozenset({ADDRESS}) if draw(st.booleans()) else frozenset(),
        redirected=frozenset({ADDRESS}) if draw(st.booleans()) else frozenset(),
        manager=draw(_maybe(st.just(GRACE))),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Generate policies with any sensible order of stages."""
    actions = draw(st.sampled_from(ACTIONS)).split()
    lengths = draw(st.lists(st.sampled_from(OFFSETS), min_size=len(actions), max_size=len(actions)))
    offsets = sorted(lengths, key=lambda text: parse_offset(text).length)
    if "release-address" in actions:
        at = actions.index("release-address")
        if offsets[at - 1] == offsets[at]:  # what hands over is not taken back at once, and nothing comes before it
            offsets[at:] = ["2000h"] * len(offsets[at:])
    stages = AUTOREPLY + "".join(
        f'[[leaving.stages]]\nafter = "{after}"\ndo = ["{action}"]\n'
        for after, action in zip(offsets, actions, strict=True)
    )
    joining = f'[joining]\nlead = "{draw(st.sampled_from(OFFSETS))}"\n'
    return policy(joining + (stages if draw(st.booleans()) else "[leaving]\nstages = []\n"))


NOW = utc("2026-03-02T12:00")
