"""Reading what a source delivered, by today's configuration: when it comes, and when it is replayed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from worker.intake.replay import Read
from worker.intake.sealing import Channel, Raw
from worker.sources import BodyInvalid, Delivery, HookSource, Parsed, Sources, cloud_events
from worker.web.cloud_events import documents


def raw_of_hook(source: HookSource, headers: Mapping[str, str], body: bytes) -> Raw:
    """Return what is kept of a signed delivery."""
    return Raw(
        Channel.HOOK, {name: value for name, value in _sent(headers).items() if name in source.needed_headers}, body
    )


def raw_of_api(headers: Mapping[str, str], body: bytes) -> Raw:
    """Return what is kept of a delivery with an access token."""
    sent = _sent(headers).items()
    return Raw(
        Channel.API, {name: value for name, value in sent if name == "content-type" or name.startswith("ce-")}, body
    )


def speaking_of(raw: Raw, parsed: Parsed) -> Raw:
    """Return what is kept with those of whom it speaks apart from its events."""
    return replace(raw, subjects=frozenset(hint.subject for hint in parsed.hints))


def reader(sources: Sources, name: str) -> Read:
    """Return what reads a kept delivery of a source."""
    source = sources.get(name)

    def read(raw: Raw, received_at: datetime) -> Parsed:
        match raw.channel:
            case Channel.API:
                return Parsed(tuple(documents(raw.headers.items(), raw.body)))
            case Channel.BUS:
                return Parsed(tuple(_of_bus(raw)))
            case Channel.HOOK if isinstance(source, HookSource):
                return source.read_again(Delivery(raw.body, raw.headers, received_at))
        raise BodyInvalid(f"{name} has no hook any more, so nothing says how it is read")

    return read


def _of_bus(raw: Raw) -> list[object]:
    attributes = {name.removeprefix("ce-"): value for name, value in raw.headers.items() if name.startswith("ce-")}
    return cloud_events.documents(raw.headers.get("content-type", ""), attributes, raw.body)


def _sent(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
