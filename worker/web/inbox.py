"""Events into the inbox: what a hook and the API answer once the sender is known."""

import structlog

from worker.deployment import Deployment
from worker.intake import EventsRefused, Receipt, accept, refuse
from worker.sources import BodyInvalid
from worker.web.objects import JsonObject
from worker.web.problems import Problem

_log = structlog.get_logger(__name__)


def receive(here: Deployment, source: str, documents: list[object]) -> JsonObject:
    """Commit the events and return the answer. Raises Problem 400 with the attributes and reasons if one is invalid.

    The same key with another body is answered as accepted too, because sending it again cannot mend it.
    """
    try:
        return {"events": [_receipt(receipt) for receipt in accept(here.intake, source, documents)]}
    except EventsRefused as refused:
        _log.warning("events refused", source=source, kept_as=refused.ids, reasons=refused.reasons)
        others = len(refused.reasons) - 1
        detail = refused.reasons[0] + (f" And {others} more of these events." if others else "")
        more = {"problems": list(refused.reasons), "events": [{"id": str(kept)} for kept in refused.ids]}
        raise Problem(400, detail, more=more) from refused


def unreadable(here: Deployment, source: str, body: bytes, error: BodyInvalid) -> Problem:
    """Keep the body of an authenticated sender that holds no events, and return the problem to raise."""
    kept = refuse(here.intake, source, body.decode("utf-8", "replace"), str(error))
    _log.warning("a body could not be read", source=source, kept_as=kept)
    return Problem(400, str(error), more={"problems": [str(error)], "events": [{"id": str(kept)}]})


def _receipt(receipt: Receipt) -> JsonObject:
    known: JsonObject = {"id": str(receipt.id), "duplicate": receipt.duplicate}
    return known | {"conflict": True} if receipt.conflict else known
