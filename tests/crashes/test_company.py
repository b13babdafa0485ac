"""A company under a search for trouble: events, days, crashes and faults in any order, and what holds all the same."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.crashes.broken import without_fence
from tests.crashes.trouble import DEPARTMENTS, FAMILIES, Trouble
from tests.integration.office import DAY
from worker.policy import desired_person
from worker.policy.document import StageAction
from worker.policy.leaving import Stages, stages_of
from worker.sandbox import RunningSandbox
from worker.store import addresses
from worker.store.states import JobState

_RED, _MOST_SEEDS = 0, 60


@pytest.fixture
def trouble(sandbox: RunningSandbox, sqlite_template: Path, tmp_path: Path) -> type[Trouble]:
    """The search, on databases of this test's own."""
    return type("TroubleHere", (Trouble,), {"sandbox": sandbox, "template": sqlite_template, "directory": tmp_path})


def _search(trouble: type[Trouble], examples: int) -> None:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        trouble,
        settings=settings(max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=slow),
    )


def test_a_company_comes_to_rest_as_it_was_told(trouble: type[Trouble], request: pytest.FixtureRequest) -> None:
    """No second mailbox, nothing touched that is not ours, nothing deleted too early; in the end all is as desired."""
    _search(trouble, 300 if request.config.getoption("--crash-points") == "all" else 8)


def _stages_two_days_too_early(*told: Any, **more: Any) -> Stages:
    stages = stages_of(*told, **more)
    too_early = {action: at - 2 * DAY for action, at in stages.due.items() if action is StageAction.DELETE_MAILBOX}
    return Stages({**stages.due, **too_early})


@pytest.mark.parametrize("is_broken", [False, True], ids=["as it is", "broken"])
def test_an_engine_that_deletes_too_early_is_found_out(
    trouble: type[Trouble], monkeypatch: pytest.MonkeyPatch, *, is_broken: bool
) -> None:
    """The search's eye for it sees a mailbox that is deleted two days before that is due, and nothing else."""
    if is_broken:
        monkeypatch.setattr(desired_person, "stages_of", _stages_two_days_too_early)
    company = trouble()
    with ExitStack() as ending:
        ending.callback(company.teardown)
        company.begin()
        company.leave("E1", None, immediate=False)
        company.work()
        company.nothing_is_done_that_must_not_be()
        company.days_pass(9)
        company.work()

        complaints = list(company.company.complaints())

    assert [each.partition(": ")[0] for each in complaints] == (
        ["a.lovelace was deleted before its date"] if is_broken else []
    )


@pytest.mark.parametrize("is_broken", [False, True], ids=["as it is", "broken"])
def test_an_engine_that_takes_what_is_not_its_own_is_found_out(
    trouble: type[Trouble], monkeypatch: pytest.MonkeyPatch, *, is_broken: bool
) -> None:
    """The search's eye for it sees a stranger's alias that is overwritten; as it is, the list is held for it."""
    if is_broken:
        monkeypatch.setattr(addresses, "is_ours", lambda _: True)
    company = trouble()
    with closing(company._open):
        company.begin()
        company.stranger_makes("alias", ["chess"])
        company.regroup("E1", in_chess=True)
        company.work()

        complaints = list(company.company.complaints())
        held = [(job.subject_key, job.state) for job in company.company.outstanding()]

    assert [each.partition(": ")[0] for each in complaints] == (["what is not ours was changed"] if is_broken else [])
    assert held == ([] if is_broken else [("chess@example.org", JobState.HELD)])


def test_an_engine_that_works_in_a_lane_it_has_lost_is_found_out(
    trouble: type[Trouble], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search's two workers meet in a lane where the token is not asked for.

    It begins at a seed that was red once; a change of the engine may move that to another one.
    """
    without_fence(monkeypatch.setattr)
    company = trouble()
    with closing(company._open):
        company.begin()
        for seed in range(_RED, _RED + _MOST_SEEDS):
            company.move("E1", DEPARTMENTS[seed % 2])
            company.rename("E2", FAMILIES[seed % 3])
            company.work_in_turns(seed, dies_at=None, sleeps=2, kind=None, wanted=[])
            if company.wrong:
                break

    assert any("IllegalMove" in each for each in company.wrong)
