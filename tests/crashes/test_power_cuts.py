"""The power is cut wherever it may be, under the embedded engine: what the disk did not have yet is found again."""

from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

from tests.crashes.conftest import Sample
from tests.crashes.life import Life, PowerlessDatabase
from tests.crashes.scene import Stage, differing
from tests.crashes.test_crash_points import EACH_SCENARIO, FIRST_JOIN
from tests.integration.office import Office
from worker.store import workers
from worker.store.database import Session


@EACH_SCENARIO
def test_a_power_cut_at_a_commit_or_call_leaves_nothing_undone_and_nothing_done_twice(
    stage: Stage, sample: Sample
) -> None:
    """Mail host, address ledger, steps and jobs end as without it, though it takes back all that it may."""
    unharmed = Life()
    whole = stage.play(unharmed)
    tried = sample.of(range(len(unharmed.points)))
    print(f"{len(tried)} of {len(unharmed.points)} points, seed {sample.seed}")  # noqa: T201 - shown where it fails

    cut = {unharmed.points[n] + f" ({n})": stage.play(Life(ends_at=n), kind=PowerlessDatabase) for n in tried}
    assert differing(whole, cut) == {}


@FIRST_JOIN
def test_an_engine_that_sends_what_the_disk_does_not_know_of_is_found_out(stage: Stage) -> None:
    """The harness goes red where a sending is forgotten, for then nobody knows who made the mailbox that is there."""

    def be_careless(office: Office) -> None:
        careless: Any = _Careless(office.database)
        office.execution = replace(office.execution, database=careless)

    unharmed = Life()
    whole = stage.play(unharmed)
    creations = [n for n, what in enumerate(unharmed.points) if what == "after POST example.org/mailboxes"]
    cut = {f"creation {n}": stage.play(Life(ends_at=n), be_careless, PowerlessDatabase) for n in creations[:2]}

    assert differing(whole, cut)


def test_what_did_not_wait_for_the_disk_is_lost_unless_something_after_it_did(
    sqlite_template: Path, tmp_path: Path
) -> None:
    """The harness cuts the log where the disk may have it only up to there."""
    with closing(PowerlessDatabase(f"sqlite:///{copy(sqlite_template, tmp_path)}", Life())) as database:
        for name, durable in {"first": False, "second": True, "third": False, "fourth": False}.items():
            with database.write(durable=durable) as session:
                workers.seen(session, name)
        database.come_back()

        with database.read() as session:
            assert {name for name, _ in workers.alive(session)} == {"first", "second"}
        assert database.lost > 0


class _Careless:
    """A database for which nothing waits."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def write(self, *, durable: bool = True, ahead: bool = False) -> AbstractContextManager[Session]:
        """Open a writing transaction that is committed some time."""
        written: AbstractContextManager[Session] = self._database.write(durable=False)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)
