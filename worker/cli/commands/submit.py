"""``submit``: events from a file or a pipe into the inbox."""

from worker.cli.documents import read_events
from worker.cli.failed import Failed
from worker.cli.opening import opened
from worker.cli.options import EventsFile, Json, SourceName
from worker.cli.output import say, show_json
from worker.deployment import Deployment
from worker.intake import Receipt, accept
from worker.sources import OPERATOR, RESERVED_NAMES


def submit(file: EventsFile, *, source: SourceName = "import", as_json: Json = False) -> None:
    """Accept canonical events: all of them or, where one is invalid, none. Sending them again does no harm."""
    documents = read_events(file)
    with opened(ringing=True) as deployment:
        require_source(deployment, source)
        receipts = accept(deployment.intake, source, documents)
    if as_json:
        show_json({"events": [_shown(receipt) for receipt in receipts]})
    else:
        for receipt in receipts:
            say(f"event {receipt.id}: {_told(receipt)}")
    if conflicts := [receipt.id for receipt in receipts if receipt.conflict]:
        raise Failed(
            f"{len(conflicts)} came before under the same source and id with another body: kept as "
            f"{', '.join(map(str, conflicts))}, never applied"
        )


def require_source(deployment: Deployment, source: str) -> None:
    """Return if events may be submitted in this source's name. Raises Failed, SourcesInvalid."""
    known = sorted({*deployment.sources.by_name, *RESERVED_NAMES} - {OPERATOR})
    if source == OPERATOR:
        raise Failed("operators state things with `mailroster people`, not with events of their own")
    if source not in known:
        raise Failed(f"there is no source {source!r} in {deployment.settings.sources}; known are {', '.join(known)}")


def _shown(receipt: Receipt) -> dict[str, object]:
    return {"id": str(receipt.id), "duplicate": receipt.duplicate, "conflict": receipt.conflict}


def _told(receipt: Receipt) -> str:
    if receipt.conflict:
        return "refused, because another body came before under the same source and id"
    return "came before, nothing new" if receipt.duplicate else "accepted"
