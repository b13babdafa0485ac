"""Whoever dies wherever, and whichever answer is lost: in the end everything is as if nothing had happened."""

from typing import Any

import pytest

from tests.crashes.answers import LOSSES, calls_counted, lose_answer
from tests.crashes.conftest import Sample
from tests.crashes.life import Life
from tests.crashes.scenarios import SCENARIOS
from tests.crashes.scene import Stage, differing
from worker.execution import observe, shared
from worker.store.states import StepState

EACH_SCENARIO = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
FIRST_JOIN = pytest.mark.parametrize("scenario", SCENARIOS[1:2], ids=["first_join"])


@EACH_SCENARIO
def test_a_worker_killed_at_a_commit_or_call_leaves_nothing_undone_and_nothing_done_twice(
    stage: Stage, sample: Sample
) -> None:
    """Mail host, address ledger, steps and jobs end as without the crash, at whichever point it came."""
    unharmed = Life()
    whole = stage.play(unharmed)
    tried = sample.of(range(len(unharmed.points)))
    print(f"{len(tried)} of {len(unharmed.points)} points, seed {sample.seed}")  # noqa: T201 - shown where it fails

    assert not whole.unsettled
    assert differing(whole, {unharmed.points[n] + f" ({n})": stage.play(Life(ends_at=n)) for n in tried}) == {}


@EACH_SCENARIO
def test_an_answer_that_is_lost_changes_nothing(stage: Stage, sample: Sample) -> None:
    """The host applied a call and its answer is dropped, or is a 500 or a 504: it ends as if it had been heard."""
    sent: list[list[str]] = []
    whole = stage.play(Life(), lambda office: sent.append(calls_counted(office)))
    points = range(len(sent[0]) * len(LOSSES))
    tried = sample.of(points)
    print(f"{len(tried)} of {len(points)} answers, seed {sample.seed}")  # noqa: T201 - shown where it fails

    lost = {
        f"{sent[0][n // len(LOSSES)]} {n}, {LOSSES[n % len(LOSSES)]}": stage.play(
            Life(), lambda office, n=n: lose_answer(office, n // len(LOSSES), LOSSES[n % len(LOSSES)])
        )
        for n in tried
    }
    assert differing(whole, lost) == {}


@FIRST_JOIN
@pytest.mark.parametrize("guess", [StepState.CONFIRMED, StepState.INTENDED], ids=["it worked", "it did not"])
def test_an_engine_that_guesses_instead_of_reading_back_is_found_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, guess: StepState
) -> None:
    """The harness goes red where what a dead worker sent is taken for done, or for not done, without a look."""

    def guessed(session: Any, rows: list[Any], *_: object) -> None:
        for row in rows:
            row.state = guess

    unharmed = Life()
    whole = stage.play(unharmed)
    monkeypatch.setattr(observe, "settle", guessed)
    monkeypatch.setattr(shared, "settle", guessed)
    around_a_creation = [n for n, what in enumerate(unharmed.points) if "POST" in what and "mailboxes" in what]

    assert differing(whole, {unharmed.points[n]: stage.play(Life(ends_at=n)) for n in around_a_creation[:2]})
