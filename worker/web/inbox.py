"""Events into the inbox: what a hook and the API answer once the sender is known."""

import structlog

from worker.deployment import Deployment
from worker.intake import EventsRefused, Receipt, Taken, refuse, take
from worker.intake.sealing import Raw
from worker.sources import BodyInvalid, Parsed
from worker.web.objects import JsonObject
from worker.web.problems import Problem
from worker.web.reading import speaking_of

_log = structlog.get_logger(__name__)


def receive(here: Deployment, source: str, parsed: Parsed, raw: Raw) -> JsonObject:
    """Commit what was told, with the delivery it was read from, and return the answer.

    Raises Problem 400 with the attributes and reasons if one is invalid. The same key with another body is answered as
    accepted too, because sending it again cannot mend it.
    """
    here.tallies.heard(source)
    if parsed.passed_over:
        _log.info("items passed over, because the map lists no such type", source=source, items=parsed.passed_over)
    try:
        return answered(take(here.intake, source, parsed, raw=speaking_of(raw, parsed)))
    except EventsRefused as refused:
        _log.warning("events refused", source=source, kept_as=refused.ids, reasons=refused.reasons)
        others = len(refused.reasons) - 1
        detail = refused.reasons[0] + (f" And {others} more of these events." if others else "")
        if len(parsed.events) > len(refused.reasons):
            detail += " None of the others was accepted: send all of them again."
        more = {"problems": list(refused.reasons), "events": [_receipt(kept) for kept in refused.kept]}
        raise Problem(400, detail, more=more) from refused


def unreadable(here: Deployment, source: str, raw: Raw, error: BodyInvalid) -> Problem:
    """Keep the body of an authenticated sender that holds no events, and return the problem to raise."""
    here.tallies.heard(source)
    kept = refuse(here.intake, source, raw.body.decode("utf-8", "replace"), str(error), raw=raw)
    _log.warning("a body could not be read", source=source, kept_as=kept.id)
    return Problem(400, str(error), more={"problems": [str(error)], "events": [_receipt(kept)]})


def answered(taken: Taken) -> JsonObject:
    """Return the answer to a delivery that was committed."""
    return {
        "events": [_receipt(receipt) for receipt in taken.events],
        "hints": [{"id": str(each.id), "duplicate": each.duplicate} for each in taken.hints],
    }


def _receipt(receipt: Receipt) -> JsonObject:
    known: JsonObject = {"id": str(receipt.id), "duplicate": receipt.duplicate}
    return known | {"conflict": True} if receipt.conflict else known
