"""People through the API: looking."""

from fastapi import APIRouter

from worker.store import people
from worker.web.access import Here, Viewer, sees_personal_data
from worker.web.objects import JsonObject, listing
from worker.web.paging import After, Key, Limit
from worker.web.person_objects import person_detail, person_objects
from worker.web.problems import Problem

router = APIRouter(prefix="/people", tags=["people"])


@router.get("")
def index(_: Viewer, here: Here, after: After = 0, limit: Limit = 100) -> JsonObject:
    """Return people in the order in which we came to know them. Who was merged into somebody is that one."""
    with here.database.read() as session:
        rows = people.listed(session, after=after, limit=limit + 1)
        return listing("people", person_objects(session, rows), limit=limit)


@router.get("/{person_id}")
def show(token: Viewer, person_id: Key, here: Here) -> JsonObject:
    """Return one person: facts, addresses, groups, what happened and what is next."""
    with here.database.read() as session:
        found = people.page(session, after=person_id - 1, limit=1)
        if not found or found[0].id != person_id:
            raise Problem(404, f"there is no person {person_id}")
        return person_detail(session, found[0], here.sources.precedence, personal=sees_personal_data(token))
