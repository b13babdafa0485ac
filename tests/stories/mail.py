"""What a mail host holds, in lines that HR can read: the same words for the sandbox's state and for a pure model's.

```
ada.lovelace@example.org = Ada Lovelace
    also ada.king@example.org
    closed
engineering@example.org -> ada.lovelace@example.org, bob.smith@example.org
board@example.org (internal only) -> ada.lovelace@example.org
rewrite support (support-*@example.org) -> bob.smith@example.org
```
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from worker.mail import readable

_DOORS = {"may_send": "send", "may_access_imap": "IMAP", "may_access_pop3": "POP3"}
_NO_LOGIN = "none"


def lines_of(state: Mapping[str, Any]) -> str:
    """Return a sandbox's state (`contracts.md` 7) as lines, sorted; what is as everybody has it is not mentioned."""
    found: list[str] = []
    for domain in state["domains"]:
        found += ["".join(f"{line}\n" for line in _mailbox(box)) for box in domain["mailboxes"]]
        found += [f"{each['address']}{_internal(each)} -> {_listed(each)}\n" for each in domain["aliases"]]
        found += [
            f"rewrite {each['name']} ({each['local_part_rule']}@{domain['name']}) -> {_listed(each)}\n"
            for each in domain["rewrites"]
        ]
    return "".join(sorted(map(readable, found)))


def seed_of(lines: str, domains: Sequence[str]) -> dict[str, Any]:
    """Return what a sandbox is seeded with so that it holds these domains, and the mailboxes and aliases of lines."""
    seeded: dict[str, dict[str, Any]] = {name: {"name": name, "mailboxes": [], "aliases": []} for name in domains}
    box: dict[str, Any] = {}
    for line in lines.strip("\n").splitlines():
        if line.startswith("    also "):
            local, _, _ = line.removeprefix("    also ").partition("@")
            box["identities"].append({"local_part": local, "name": box["name"]})
        elif " = " in line:
            full, _, name = line.partition(" = ")
            local, _, domain = full.partition("@")
            box = {"local_part": local, "name": name, "identities": []}
            seeded[domain]["mailboxes"].append(box)
        else:
            full, _, listed = line.partition(" -> ")
            local, _, domain = full.partition("@")
            seeded[domain]["aliases"].append({"local_part": local, "destinations": listed.split(", ")})
    return {"domains": list(seeded.values())}


def _mailbox(box: Mapping[str, Any]) -> Iterator[str]:
    yield f"{box['address']} = {box['name']}"
    for identity in sorted(box["identities"], key=lambda each: str(each["address"])):
        yield f"    also {identity['address']}{_as_named(identity, box)}{_login(identity)}"
    yield from _access(box)
    for forwarding in sorted(box["forwardings"], key=lambda each: str(each["address"])):
        waits = "" if forwarding["confirmed_at"] else ", once confirmed"
        yield f"    forwards to {forwarding['address']}{waits}"
    if box["autorespond_active"]:
        yield f"    answers: {box['autorespond_subject']}"
    if box["footer_active"]:
        yield f"    signs: {' / '.join((box['footer_plain_body'] or '').splitlines())}"


def _as_named(identity: Mapping[str, Any], box: Mapping[str, Any]) -> str:
    return "" if identity["name"] == box["name"] else f" as {identity['name']}"


def _login(identity: Mapping[str, Any]) -> str:
    if identity["password_use"] == _NO_LOGIN:
        return ""
    return " with a login of its own" if any(identity[door] for door in _DOORS) else " with its own login closed"


def _access(box: Mapping[str, Any]) -> Iterator[str]:
    shut = [word for door, word in _DOORS.items() if not box[door]]
    if len(shut) == len(_DOORS):
        yield "    closed"
    elif shut:
        yield f"    without {', '.join(shut)}"
    if box["is_internal"]:
        yield "    internal only"


def _internal(alias: Mapping[str, Any]) -> str:
    return " (internal only)" if alias["is_internal"] else ""


def _listed(shared: Mapping[str, Any]) -> str:
    return ", ".join(sorted(shared["destinations"]))
