"""Others whom a preview concerns: those below a person of whom it is asked, and whoever a record waited for.

Workers tell them of it in transactions of their own, behind the events (``telling``); a preview in its rehearsal.
"""

from collections.abc import Collection, Iterator, Sequence

from worker.execution.previewed import Scene
from worker.execution.quiet import not_quiet
from worker.intake.evaluate import evaluate
from worker.intake.telling import tell_of
from worker.mail import SharedKey
from worker.store import lines, memberships, people

_PAGE = 500
_MOST_ROUNDS = 10
"""Whoever is told of something may stand otherwise by it, of which others are told; that ends after a few."""


def tell_others(scene: Scene, of: Collection[int]) -> tuple[set[int], set[SharedKey]]:
    """Tell others of these people, and of whom that changes in turn, and evaluate all whom it may change.

    Returns for whom else there is something to do by it, and which lists anybody joins or leaves.
    """
    met, changed, lists = {*of}, set[int](), set[SharedKey]()
    people.lock_linking(scene.session)
    for _ in range(_MOST_ROUNDS):
        # Of whom others were to be told before is another matter.
        told_of = lines.all_due(scene.session, scene.now) & met
        told = {each for one in sorted(told_of) for each in tell_of(scene.session, scene.intake, one, scene.now)}
        if not told:
            break
        met |= told
        for person_id in _may_change(scene, sorted(told)):
            before = memberships.of_person(scene.session, person_id)
            if evaluate(scene.session, scene.intake, people.lock(scene.session, person_id), None):
                changed.add(person_id)
                lists |= before ^ memberships.of_person(scene.session, person_id)
    return changed, lists


def _may_change(scene: Scene, person_ids: Sequence[int]) -> Iterator[int]:
    """Return of whom an evaluation may change something: of a thousand below a manager few are."""
    for start in range(0, len(person_ids), _PAGE):
        rows = (people.get(scene.session, each) for each in person_ids[start : start + _PAGE])
        yield from not_quiet(scene.session, scene.intake, scene.policy, [row for row in rows if row is not None])
