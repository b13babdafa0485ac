"""Trials of hooks: verified and read like any delivery, told in the answer, and stored nowhere."""

import structlog

from worker.deployment import Deployment
from worker.intake import EventsRefused
from worker.intake.accept import rehearse
from worker.sources import BodyInvalid, Delivery, Hint, HookSource
from worker.sources.trial import event_told, read_trial
from worker.web.objects import JsonObject
from worker.web.problems import Problem

_log = structlog.get_logger(__name__)


def try_out(here: Deployment, source: HookSource, delivery: Delivery, stamp: str) -> JsonObject:
    """Return what a trial tells. Raises BadSignature; Problem 400, with nothing kept, where it cannot be read."""
    try:
        parsed = read_trial(source, delivery, stamp)
        events = rehearse(here.intake, source.name, parsed.events)
    except (BodyInvalid, EventsRefused) as error:
        raise Problem(400, str(error), more={"problems": [str(error)]}) from error
    _log.info("a trial of a source came through", source=source.name)
    return {
        "test": True,
        "events": [event_told(each) for each in events],
        "hints": [_hint(each) for each in parsed.hints],
        "passedOver": parsed.passed_over,
    }


def _hint(hint: Hint) -> JsonObject:
    return {"type": hint.type, "subject": hint.subject}
