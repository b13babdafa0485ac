"""The control of the stand-in, under ``/_sandbox``: look into it, load it, break it (`contracts.md` 7).

It asks for no credentials, answers loopback clients only, and is never limited, delayed or listed.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from worker.sandbox.fault_lists import InvalidFaults, read_faults
from worker.sandbox.fields import flag, read
from worker.sandbox.forwardings import confirm
from worker.sandbox.host import Host
from worker.sandbox.messages import Answer, Application, HungUp, Receive, Scope, Send, read_body, send_answer
from worker.sandbox.neighbours import reason_against
from worker.sandbox.refusals import BadRequest, Refused
from worker.sandbox.seed import InvalidSeed, world_from
from worker.sandbox.state import state_of
from worker.sandbox.wire import Fields, Json, Unreadable, dump, parse

_MIB = 1024 * 1024


class Action(NamedTuple):
    """One thing that control does."""

    act: Callable[[Host, Json], Json]
    expects: str | None = None
    """What the body must be, as an example; None where whatever comes is ignored."""
    most_mib: int = 1
    """How large the body may be."""


def control(host: Host) -> Application:
    """Return the application of control over this host."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        action = ACTIONS.get((scope["method"], scope["path"]))
        against = reason_against(scope)
        most_mib = action.most_mib if action and not against else 0
        with suppress(HungUp):
            raw = await read_body(receive, most_mib * _MIB)
            await send_answer(send, _refused(403, against) if against else _answered(host, action, raw))

    return answer


def _answered(host: Host, action: Action | None, raw: bytes | None) -> Answer:
    if action is None:
        there_is = ", ".join(f"{method} {path}" for method, path in ACTIONS)
        return _refused(404, f"Control is {there_is}; the API is below /v1.")
    if raw is None:
        return _refused(413, f"The body is larger than {action.most_mib} MiB.")
    try:
        return Answer(200, dump(action.act(host, _read(action, raw))))
    except (InvalidSeed, InvalidFaults, Refused) as error:
        return _refused(error.status if isinstance(error, Refused) else 400, str(error))


def _read(action: Action, raw: bytes) -> Json:
    if action.expects is None:
        return None
    try:
        sent = parse(raw)
    except Unreadable as why:
        raise BadRequest(f"the body is {why}") from why
    if sent is None:
        raise BadRequest(f"the body is empty: expected {action.expects}")
    return sent


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
    return {"calls": [call.shown() for call in host.calls], "dropped": host.calls.dropped}


def _faults(host: Host, _sent: Json) -> Json:
    return host.faults.shown()


def _set_faults(host: Host, sent: Json) -> Json:
    host.faults = read_faults(sent)
    return _faults(host, sent)


def _confirm(host: Host, sent: Json) -> Json:
    given = _object(sent, "mailbox", "address")
    mailbox, address = _text(given, "mailbox"), _text(given, "address")
    return confirm(host.about_to_change(), mailbox, address, host.clock()).shown(host.clock().date())


def _dns(host: Host, sent: Json) -> Json:
    given = _object(sent, "domain", "ok")
    domain, dns_ok = _text(given, "domain"), read("ok", flag, given.get("ok"))
    if dns_ok is None:
        raise BadRequest("ok is missing")
    host.about_to_change().domain(domain).dns_ok = dns_ok
    return {"domain": domain, "ok": dns_ok}


ACTIONS: Mapping[tuple[str, str], Action] = {
    ("GET", "/_sandbox/state"): Action(_state),
    ("POST", "/_sandbox/reset"): Action(_reset),
    ("POST", "/_sandbox/seed"): Action(_seed, 'a seed, {"domains": [...]}', most_mib=64),
    ("GET", "/_sandbox/calls"): Action(_calls),
    ("GET", "/_sandbox/faults"): Action(_faults),
    ("POST", "/_sandbox/faults"): Action(_set_faults, 'a list of faults, [{"fault": "503"}]'),
    ("POST", "/_sandbox/confirm"): Action(_confirm, '{"mailbox": "a@example.org", "address": "x@home.example"}'),
    ("POST", "/_sandbox/dns"): Action(_dns, '{"domain": "example.org", "ok": true}'),
}
"""What control does, by method and path. Only a seed may be large."""


def _refused(status: int, sentence: str) -> Answer:
    return Answer(status, dump({"error": sentence}))


def _object(sent: Json, *known: str) -> Fields:
    if not isinstance(sent, dict):
        raise BadRequest("the body is JSON, but no object")
    for name in sent:
        if name not in known:
            raise BadRequest(f"unknown field {name!r}: there are {' and '.join(known)}")
    return sent


def _text(given: Fields, name: str) -> str:
    value = given.get(name)
    if isinstance(value, str):
        return value
    raise BadRequest(f"{name} is {'not a text' if name in given else 'missing'}")
