"""The HTTP application: which routes there are, and what holds for all of them."""

from functools import partial

from fastapi import APIRouter, FastAPI

from worker.deployment import Deployment
from worker.intake import commit_each
from worker.web import drift, events, health, holds, hooks, jobs, people, problems
from worker.web.bodies import BodyLimit
from worker.web.gathering import Gathering
from worker.web.health import BrokerAnswers

API = "/api/v1"


def create_app(deployment: Deployment, *, broker_answers: BrokerAnswers | None = None) -> FastAPI:
    """Return the application of a deployment. ``broker_answers`` lets ``/readyz`` tell of a broker that is down.

    Raises SourcesInvalid if the sources file cannot be used.
    """
    app = FastAPI(
        title="Mailroster",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name a host that the sender chose
    )
    _open(deployment)
    app.state.deployment = deployment
    app.state.broker_answers = broker_answers
    app.state.gathering = Gathering(partial(commit_each, deployment.intake))
    app.add_middleware(BodyLimit)
    problems.install(app)
    app.include_router(hooks.router)
    app.include_router(health.router)
    app.include_router(_api())
    return app


def _open(deployment: Deployment) -> None:
    """Make the parts before requests do so in many threads: a cached property takes no lock."""
    _ = deployment.sources, deployment.database, deployment.clock, deployment.intake


def _api() -> APIRouter:
    api = APIRouter(prefix=API)
    for room in (events.router, jobs.router, people.router, holds.router, drift.router, health.status_router):
        api.include_router(room)
    return api
