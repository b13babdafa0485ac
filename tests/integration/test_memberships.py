"""Memberships, by generated rosters: they mark exactly the lists that change, and the host ends as the rules say."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.office import Office
from tests.servers import fresh_database
from worker.mail import SharedKey, rewrite_key
from worker.policy import load_policy
from worker.sandbox import RunningSandbox
from worker.store import shared_addresses
from worker.store.database import Database
from worker.store.subjects import subject_of

HEAD = """
[organisation]
domain = "example.org"
timezone = "UTC"
[brakes]
block = { floor = 100, share = 1, per = "1h" }
lists = { floor = 100, share = 1, per = "1h" }
"""
FACTS = {"department": ("Eng", "Engineering", "Sales"), "location": ("Berlin", "Bern", "Rome"), "level": ("1", "2")}
NAMES = ("ada", "bob", "cleo", "dora")
LISTS = ("alpha", "beta", "gamma")

facts = st.fixed_dictionaries({name: st.none() | st.sampled_from(values) for name, values in FACTS.items()})
_plain = st.sampled_from(
    [
        "{}",
        '{ department = "Eng" }',
        '{ department = "Eng*" }',
        '{ location = ["Berlin", "Rome"] }',
        '{ location = "Ber*", level = "1" }',
        '{ level = "?" }',
    ]
)
rules = st.recursive(
    _plain,
    lambda inner: st.one_of(
        inner.filter(lambda rule: rule != "{}").map(lambda rule: f"{{ not = {rule} }}"),
        st.tuples(inner, inner).map(lambda two: f"{{ any = [{two[0]}, {two[1]}] }}"),
        st.tuples(inner, inner).map(lambda two: f"{{ all = [{two[0]}, {two[1]}] }}"),
    ),
    max_leaves=3,
)


@st.composite
def policies(draw: st.DrawFn) -> str:
    """Write a policy with some groups and rewrites, of which some have a fallback."""
    text = HEAD
    for name in draw(st.sets(st.sampled_from(LISTS))):
        text += f'[[groups]]\naddress = "{name}"\nmembers = {draw(rules)}\n{draw(_fallbacks)}'
    for name in draw(st.sets(st.sampled_from(LISTS))):
        said = f'name = "{name}"\nlocal_part_rule = "{name}-*"\nmembers = {draw(rules)}\n'
        text += f"[[rewrites]]\n{said}{draw(_fallbacks)}"
    return text


_fallbacks = st.sampled_from(["", 'fallback = "desk"\n'])
moves = st.lists(st.tuples(st.sampled_from(NAMES), facts), min_size=1, max_size=4)


def _examples(number: int) -> settings:
    slow = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=number, deadline=None, suppress_health_check=slow)


_numbers = count(1)
_SECOND = timedelta(seconds=1)


class Town:
    """An office whose people are known to the test, too."""

    def __init__(self, office: Office, people: Mapping[str, Mapping[str, Any]]) -> None:
        self.office, self.people = office, {name: dict(stated) for name, stated in people.items()}

    def members(self, policy: str) -> dict[SharedKey, set[str]]:
        """Return who belongs to what, by the rules alone."""
        lists = load_policy(policy).lists
        return {
            key: {name for name, stated in self.people.items() if section.members.matches(stated)}
            for key, section in lists.items()
        }

    def expected(self, policy: str) -> dict[SharedKey, set[str]]:
        """Return who gets the mail of what, by the rules alone; what has nobody is not there."""
        lists, members = load_policy(policy).lists, self.members(policy)
        found = {key: members[key] or ({"desk"} if section.fallback else set()) for key, section in lists.items()}
        return {key: who for key, who in found.items() if who}

    def held(self) -> dict[SharedKey, set[str]]:
        """Return who gets the mail of what at the mail host."""
        aliases: dict[SharedKey, set[str]] = {f"{name}@example.org": who for name, who in self.office.aliases().items()}
        rewrites = {rewrite_key(f"{name}@example.org"): who for name, (_, who) in self.office.rewrites().items()}
        return aliases | rewrites

    def move(self, name: str, stated: Mapping[str, Any]) -> None:
        """Tell what is known of a person now."""
        self.people[name] = dict(stated)
        self.office.tell("updated", name, **stated)

    def refreshed(self) -> set[SharedKey]:
        """Return the lists that have a job to come."""
        outstanding = [job for job in self.office.jobs() if job.finished_at is None]
        return {key for job in outstanding if (key := subject_of(job).shared_key) is not None}


def _town(office: Office, policy: str, people: Mapping[str, Mapping[str, Any]]) -> Town:
    office.activate(policy)
    for name, stated in people.items():
        office.join(name, name.title(), familyName="", **stated)
    office.drain()
    return Town(office, people)


@pytest.fixture
def offices(
    engine: str, sandbox: RunningSandbox, request: pytest.FixtureRequest
) -> Callable[[], AbstractContextManager[Office]]:
    """Make an office on a database of its own, for each example a new one."""
    template = request.getfixturevalue(f"{engine}_template")

    @contextmanager
    def url() -> Iterator[str]:
        if engine == "postgresql":
            with fresh_database(request.getfixturevalue("postgres_url"), template=template) as made:
                yield made
            return
        path = request.getfixturevalue("tmp_path") / f"{next(_numbers)}.db"
        yield f"sqlite:///{shutil.copy(template, path)}"

    @contextmanager
    def made() -> Iterator[Office]:
        with url() as at, closing(Database(at)) as database, closing(Office(database, sandbox, policy=None)) as one:
            yield one

    return made


everybody = st.fixed_dictionaries(dict.fromkeys(NAMES, facts))


@_examples(6)
@given(policies(), everybody, moves)
def test_a_move_refreshes_exactly_the_lists_whose_members_differ(offices, policy, people, steps) -> None:
    """The set of jobs that a move makes equals the set of lists whose members change by it; the host follows."""
    with offices() as office:
        town = _town(office, policy, people)
        assert town.held() == town.expected(policy)
        for name, stated in steps:
            before = town.members(policy)
            town.move(name, stated)
            office.apply_all()
            after = town.members(policy)
            assert town.refreshed() == {key for key in after if after[key] != before[key]}
            office.move(_SECOND)
            office.drain()
            assert town.held() == town.expected(policy)


@_examples(6)
@given(policies(), policies(), everybody)
def test_another_policy_writes_each_list_that_it_changes_once(offices, policy, another, people) -> None:
    """Whoever belongs where by the new rules is there, what it does not name is gone, and no list is written twice."""
    with offices() as office:
        town = _town(office, policy, people)
        before, written = town.held(), len(office.writes())
        office.activate(another)
        office.drain()
        office.work_on(20 * _SECOND, every=2 * _SECOND)  # a list waits for those to which its members moved

        after = town.held()
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        assert after == town.expected(another)
        assert len(office.writes()) - written == len(changed)
        assert office.outstanding() == []


@_examples(4)
@given(policies(), everybody, st.permutations(NAMES))
def test_the_order_of_departures_makes_no_difference(offices, policy, people, order) -> None:
    """One after the other everybody leaves; what has no member is handed to its fallback or gone, and ours to make."""
    with offices() as office:
        town = _town(office, policy, people)
        for name in order:
            office.tell("left", name)
            office.drain()
            del town.people[name]
            assert town.held() == town.expected(policy)
        with office.database.read() as session:
            kept = {row.address for row in shared_addresses.every(session)}
        assert kept <= load_policy(policy).lists.keys()
