"""The control of the stand-in, under ``/_sandbox``: look into it, load it, break it (`contracts.md` 7).

It asks for no credentials, answers loopback clients only, and is never limited, delayed or listed.
"""

import ipaddress
from collections.abc import Callable, Mapping
from contextlib import suppress

from worker.sandbox.fault_lists import InvalidFaults, read_faults
from worker.sandbox.fields import flag
from worker.sandbox.forwardings import confirm
from worker.sandbox.host import Host
from worker.sandbox.messages import Answer, Application, HungUp, Receive, Scope, Send, read_body, send_answer
from worker.sandbox.refusals import BadRequest, Refused
from worker.sandbox.seed import InvalidSeed, world_from
from worker.sandbox.state import state_of
from worker.sandbox.wire import Fields, Json, Unreadable, dump, parse

Action = Callable[[Host, Json], Json]

LARGEST_BODY = 256 * 1024 * 1024
"""A seed may be large."""


def control(host: Host) -> Application:
    """Return the application of control over this host."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(HungUp):
            raw = await read_body(receive, LARGEST_BODY)
            await send_answer(send, _answered(host, scope, raw))

    return answer


def _answered(host: Host, scope: Scope, raw: bytes | None) -> Answer:
    if not _is_loopback(scope):
        return _refused(403, "The sandbox's control answers loopback clients only.")
    action = ACTIONS.get((scope["method"], scope["path"]))
    if action is None:
        there_is = ", ".join(f"{method} {path}" for method, path in ACTIONS)
        return _refused(404, f"Control is {there_is}; the API is below /v1.")
    if raw is None:
        return _refused(413, f"The body is larger than {LARGEST_BODY} bytes.")
    try:
        return Answer(200, dump(action(host, parse(raw))))
    except (InvalidSeed, InvalidFaults, Unreadable, Refused) as error:
        return _refused(error.status if isinstance(error, Refused) else 400, str(error))


def _state(host: Host, _sent: Json) -> Json:
    return state_of(host.world, host.clock().date())


def _reset(host: Host, sent: Json) -> Json:
    host.reset()
    return _state(host, sent)


def _seed(host: Host, sent: Json) -> Json:
    world = world_from(sent, host.clock())
    host.about_to_change()
    host.world = world
    return _state(host, sent)


def _calls(host: Host, _sent: Json) -> Json:
    return {"calls": [call.shown() for call in host.calls]}


def _faults(host: Host, _sent: Json) -> Json:
    return host.faults.shown()


def _set_faults(host: Host, sent: Json) -> Json:
    host.faults = read_faults(sent)
    return _faults(host, sent)


def _confirm(host: Host, sent: Json) -> Json:
    given = _object(sent)
    mailbox, address = _text(given, "mailbox"), _text(given, "address")
    return confirm(host.about_to_change(), mailbox, address, host.clock()).shown(host.clock().date())


def _dns(host: Host, sent: Json) -> Json:
    given = _object(sent)
    dns_ok = flag(given.get("ok"))
    if dns_ok is None:
        raise BadRequest("ok is not a boolean")
    host.about_to_change().domain(_text(given, "domain")).dns_ok = dns_ok
    return {"domain": given["domain"], "ok": dns_ok}


ACTIONS: Mapping[tuple[str, str], Action] = {
    ("GET", "/_sandbox/state"): _state,
    ("POST", "/_sandbox/reset"): _reset,
    ("POST", "/_sandbox/seed"): _seed,
    ("GET", "/_sandbox/calls"): _calls,
    ("GET", "/_sandbox/faults"): _faults,
    ("POST", "/_sandbox/faults"): _set_faults,
    ("POST", "/_sandbox/confirm"): _confirm,
    ("POST", "/_sandbox/dns"): _dns,
}
"""What control does, by method and path."""


def _refused(status: int, sentence: str) -> Answer:
    return Answer(status, dump({"error": sentence}))


def _object(sent: Json) -> Fields:
    if isinstance(sent, dict):
        return sent
    raise BadRequest("this is not an object")


def _text(given: Fields, name: str) -> str:
    value = given.get(name)
    if isinstance(value, str):
        return value
    raise BadRequest(f"{name} is not a text")


def _is_loopback(scope: Scope) -> bool:
    try:
        peer = ipaddress.ip_address((scope.get("client") or ("",))[0])
    except ValueError:
        return False
    mapped = peer.ipv4_mapped if isinstance(peer, ipaddress.IPv6Address) else None
    return (mapped or peer).is_loopback
