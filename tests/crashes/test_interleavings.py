"""However the steps of several workers fall between each other: lists end as the roster says, and never go back."""

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.crashes import interleaved
from tests.crashes.broken import Put, without_fence, without_leases
from tests.crashes.conftest import Sample
from tests.crashes.interleaved import Plot, play
from tests.servers import fresh_database
from worker.execution import shared
from worker.sandbox import RunningSandbox
from worker.store import memberships, schema
from worker.store.addresses import Role
from worker.store.tables import AddressRow, MembershipRow

Stage = Callable[[Plot], list[str]]
_MOST_SEEDS = 60


@pytest.fixture
def played(sandbox: RunningSandbox, sqlite_template: Path, tmp_path: Path) -> Stage:
    """Play a plot on a new SQLite database."""

    def play_it(plot: Plot) -> list[str]:
        for old in tmp_path.glob("played.db*"):
            old.unlink()
        return play(plot, f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'played.db')}", sandbox)

    return play_it


def test_lists_follow_the_roster_however_workers_take_turns(played: Stage, sample: Sample) -> None:
    """Two to four workers hand over at commits and calls, and are suspended together for longer than their leases."""
    for seed in sample.seeds(plenty=40):
        assert played(Plot(seed, workers=2 + seed % 3)) == [], f"seed {seed}"


@pytest.mark.parametrize("guided", [True, False], ids=["in turns", "all at once"])
def test_lists_follow_the_roster_on_postgresql(
    postgres_url: str, sandbox: RunningSandbox, sample: Sample, *, guided: bool
) -> None:
    """So it is there, too; and where workers really claim at once, each skipping what another has locked."""
    for seed in list(sample.seeds(plenty=24))[::3]:
        with fresh_database(postgres_url) as url:
            schema.upgrade(url)
            assert play(Plot(seed, guided=guided), url, sandbox) == [], f"seed {seed}"


def _without_deadlines(put: Put) -> None:
    """Let a call be sent however long its worker was suspended."""
    put(interleaved, "elapsed_s", lambda: math.inf)


def _with_members_that_do_not_exist(put: Put) -> None:
    """List whoever belongs there, and wait for nobody's mailbox."""

    def everybody(session: Session, shared: Sequence[str]) -> dict[str, frozenset[str]]:
        rows = session.execute(
            select(MembershipRow.address, AddressRow.address)
            .join(AddressRow, AddressRow.person_id == MembershipRow.person_id)
            .where(AddressRow.role == Role.PRIMARY, AddressRow.held_to.is_(None))
        ).all()
        return {key: frozenset(member for of, member in rows if of == key) for key in shared}

    put(memberships, "members_at_host", everybody)
    put(shared, "_wait_for_members", lambda *_, **__: None)


@pytest.mark.parametrize(
    ("break_it", "complaint", "red"),
    [
        (without_fence, "IllegalMove", 0),
        (without_leases, "while the lease of another lived", 0),
        (_without_deadlines, "which is older", 5),
        (_with_members_that_do_not_exist, "which does not exist", 0),
    ],
)
def test_an_engine_that_is_broken_is_found_out(
    played: Stage,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[Put], None],
    complaint: str,
    red: int,
) -> None:
    """The harness goes red where a token, a lease, a deadline or a look at what exists is left out.

    It begins at a seed that was red once; a change of the engine may move that to another one.
    """
    break_it(monkeypatch.setattr)
    seeds = range(red, red + _MOST_SEEDS)

    assert any(complaint in each for seed in seeds for each in played(Plot(seed)))
