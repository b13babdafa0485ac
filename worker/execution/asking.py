"""Asking for one object, also where the host answers 500 for just that one: then it is looked for in its list."""

from worker.execution.perform import Run
from worker.migadu import NotFound, Place, Transient
from worker.migadu.resources import T_co


def found_at(run: Run, place: Place[T_co]) -> T_co | None:
    """Return what is there; None where nothing is. Raises MigaduError.

    What must be written to an object that cannot be shown, or to what is in it, may be a door that must be closed.
    """
    try:
        return run.client.show(place)
    except NotFound:
        return None
    except Transient as error:
        if not error.is_of_the_object:
            raise
    try:
        return next((each for each in run.client.index(place.index) if place.is_at(each)), None)
    except NotFound:
        return None  # what it would be in is not there
