"""The way of a call through the stand-in: the proxy's limit, the credentials, the faults, the rules; and its record."""

import asyncio
import time
from typing import NamedTuple
from urllib.parse import unquote

from worker.sandbox.asked import Asked
from worker.sandbox.calls import REDACTED, Call
from worker.sandbox.faults import Effect
from worker.sandbox.host import Host
from worker.sandbox.messages import (
    JSON,
    Answer,
    Application,
    HungUp,
    Receive,
    Scope,
    Send,
    hang_up,
    header,
    read_body,
    send_answer,
)
from worker.sandbox.outcomes import THROTTLED, TOO_LARGE, UNAUTHORIZED
from worker.sandbox.refusals import Refused
from worker.sandbox.routes import route
from worker.sandbox.wire import Json, Unreadable, dump, parse

LARGEST_BODY = 1024 * 1024


class _Sent(NamedTuple):
    """The body of a call as it was read, or why nothing can be read of it."""

    value: Json
    flaw: str | None = None


_NOTHING = _Sent(None, "there is no body")


def api(host: Host) -> Application:
    """Return the application that records a call, answers it, and records how it ended."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(host.clock(), scope["method"], scope["path"])
        host.calls.arrived(call)
        try:
            raw = await read_body(receive, LARGEST_BODY)
        except HungUp as why:
            call.reason = str(why)
            return
        sent = _sent(scope, raw)
        host.calls.brought(call, sent.value)
        answer = _turned_away(host, scope, raw, call) or await _met(host, scope, sent, call)
        if answer is None:
            await hang_up(scope, receive)
            return
        call.status = answer.status
        await send_answer(send, answer)

    return answer


def _sent(scope: Scope, raw: bytes | None) -> _Sent:
    """Read a body. One that is not announced as JSON, or cannot be read, might hold anything, so none of it is kept."""
    if raw == b"":
        return _NOTHING
    announced = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if raw is None or announced != JSON:
        return _Sent(REDACTED, f"the body is not announced as {JSON}")
    try:
        return _Sent(parse(raw))
    except Unreadable as why:
        return _Sent(REDACTED, f"the body is {why}")


def _turned_away(host: Host, scope: Scope, raw: bytes | None, call: Call) -> Answer | None:
    """Answer in the place of the host: its proxy first, which knows nothing of credentials, then the 401."""
    if not host.window.admit(time.monotonic()):
        call.reason = "more calls than the rate limit admits"
        return THROTTLED
    if not host.knows(header(scope, b"authorization")):
        call.reason = "wrong credentials, or none"
        return UNAUTHORIZED
    if raw is None:
        call.reason = f"the body is larger than {LARGEST_BODY} bytes"
        return TOO_LARGE
    return None


async def _met(host: Host, scope: Scope, sent: _Sent, call: Call) -> Answer | None:
    """Answer a call that was let in, unless faults have it end otherwise. None: without an answer."""
    effect = host.faults.effect_on(call.method, call.path)
    wait_s = host.latency.next_s() + effect.latency_s
    if wait_s:
        await asyncio.sleep(wait_s)
    outcome = effect.outcome
    own = None if outcome and not outcome.is_applied else _answered(host, scope, sent, call, effect)
    if effect.names:
        call.reason = f"{', '.join(effect.names)}{f' ({call.reason})' if call.reason else ''}"
    return outcome.answer if outcome else own


def _answered(host: Host, scope: Scope, sent: _Sent, call: Call, effect: Effect) -> Answer:
    """Answer by the rules."""
    segments = [unquote(segment) for segment in scope["raw_path"].decode("latin-1").split("/")[2:]]
    value, flaw = sent
    if effect.ignored and isinstance(value, dict):
        value = {name: inner for name, inner in value.items() if name not in effect.ignored}
    try:
        (answer, changes), keys = route(call.method, segments)
        world = host.about_to_change() if changes else host.world_ago(effect.stale)
        body = answer(Asked(world, keys, value, flaw, host.clock()))
    except Refused as refusal:
        call.reason = str(refusal)
        return Answer(refusal.status, dump(refusal.body))
    return Answer(200, dump(_nulled(parse(body), effect.nulled)) if effect.nulled else body)


def _nulled(value: Json, names: frozenset[str]) -> Json:
    """Return an answer in which these booleans are null where they are false."""
    if isinstance(value, dict):
        return {
            name: None if name in names and inner is False else _nulled(inner, names) for name, inner in value.items()
        }
    return [_nulled(each, names) for each in value] if isinstance(value, list) else value
