"""``sources test``: whether a source would be heard, told by a delivery of our own."""

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.cli.failed import Failed
from worker.cli.opening import opened
from worker.cli.options import Json
from worker.cli.output import say, show_json
from worker.deployment import Deployment
from worker.intake.accept import rehearse
from worker.mail import agreeing, counted
from worker.sources import AmqpSource, HookSource, SourceConfig
from worker.sources.hydration_trial import try_hydration
from worker.sources.roster_files import Contents, FileSource, FolderSource, read_roster
from worker.sources.roster_files.trial import roster_of_nobody
from worker.sources.trial import (
    SUBJECT,
    Answer,
    NoTrial,
    Unreachable,
    body_for,
    canonical,
    send_trial,
    shared_secrets,
)

_REFUSALS = {
    401: "the server holds another secret, or its clock another time: restart it with this sources file and secret",
    404: "the server knows no source of this name: restart it with this sources file",
    503: "the server's database takes nothing now: `mailroster doctor` says more",
}
_UNREAD = (408, 413)
"""It was too slow, or too large."""
_MOST_FAULTS = 3
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is looked up, not listened on


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried."""

    check: str
    ok: bool
    said: str


def try_source(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A source of the sources file.")],
    *,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The server, as https://mail.example.org.")] = None,
    body: Annotated[Path | None, typer.Option(metavar="FILE", help="A body as the sender writes it.")] = None,
    as_json: Json = False,
) -> None:
    """Try one source from its configuration to the database, and leave nothing there. Exits with 1 if it would fail."""
    with opened() as deployment:
        source = deployment.sources.get(name)
        if source is None:
            known = ", ".join(sorted(deployment.sources.by_name)) or "none"
            raise Failed(f"there is no source {name!r} in {deployment.settings.sources}; known are {known}")
        if url is not None and not isinstance(source, HookSource):
            raise Failed(
                f"--url says where deliveries are posted, and to {source.name} ({source.kind}) none are: omit it"
            )
        checks = list(_checks(deployment, source, url, body))
    ok = all(each.ok for each in checks)
    if as_json:
        shown = [{"check": each.check, "ok": each.ok, "said": each.said} for each in checks]
        show_json({"source": name, "ok": ok, "checks": shown})
    else:
        for each in checks:
            say(f"{'ok' if each.ok else 'broken'}: {each.check}: {each.said}", style="green" if each.ok else "red")
    if not ok:
        raise typer.Exit(1)


def _checks(deployment: Deployment, source: SourceConfig, url: str | None, body: Path | None) -> Iterator[Check]:
    yield Check("configuration", ok=True, said=f"{source.name} is a valid source of the kind {source.kind}")
    if isinstance(source, HookSource):
        yield from _of_hook(deployment, source, url or _url(deployment), body)
    elif isinstance(source, AmqpSource):
        yield from _of_bus(deployment, source, body)
    elif isinstance(source, FileSource):
        yield from _of_files(deployment, source, body)
    else:
        raise Failed(f"sources of the kind {source.kind} cannot be tried")


def _of_bus(deployment: Deployment, source: AmqpSource, body: Path | None) -> Iterator[Check]:
    from worker.bus.trial import try_bus  # noqa: PLC0415 - kombu takes long to import

    now = deployment.clock.now()
    for each in try_bus(deployment, source, canonical(now) if body is None else body.read_bytes(), now):
        if not isinstance(each, Answer):
            yield Check(*each)
        elif each.status == 400:
            yield Check("reading", ok=False, said=str(each.told.get("detail")))
        else:
            yield from _of_reading(each)


def _of_files(deployment: Deployment, source: FileSource, body: Path | None) -> Iterator[Check]:
    if isinstance(source, FolderSource):
        there = source.path.is_dir() and os.access(source.path, os.R_OK | os.W_OK | os.X_OK)
        said = "is there, and ours to take files from" if there else "is not there, or not ours to take files from"
        yield Check("folder", there, f"{source.path} {said}")
    contents, now = Contents(), deployment.clock.now()
    with io.BytesIO(roster_of_nobody(source, now)) if body is None else body.open("rb") as file:
        people = [row.snapshot for row in read_roster(file, source, now, contents)]
    for fault in contents.faults[:_MOST_FAULTS]:
        yield Check("reading", ok=False, said=str(fault))
    facts = ", ".join(sorted({name for each in people for name in each.facts})) or "nothing"
    number = agreeing(len(people), "1 person", f"{len(people)} people")
    whose = "a file of our own lists " if body is None else ""
    yield Check("reading", bool(people), f"{whose}{number}, of whom it states {facts}")
    rehearse(deployment.intake, source.name, [json.loads(canonical(now))])
    yield Check("database", ok=True, said="took an event of the source, and nothing of it was kept")


def _url(deployment: Deployment) -> str:
    host, port = deployment.settings.listen
    host = _ANYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _of_hook(deployment: Deployment, source: HookSource, url: str, body: Path | None) -> Iterator[Check]:
    number, signing = len(source.secrets), len(shared_secrets(source))
    public = f", {number - signing} of them a public key" if number > signing else ""
    yield Check("secret", ok=True, said=f"{number} readable{public}")
    now, subject = deployment.clock.now(), SUBJECT
    try:
        content = body.read_bytes() if body is not None else body_for(source, now)
        answer = send_trial(source, url, content, now)
    except NoTrial as error:
        yield Check("delivery", ok=False, said=str(error))
    except Unreachable as error:
        yield Check(
            "server", ok=False, said=f"{url} does not answer ({error}): start `mailroster serve`, or give --url"
        )
    else:
        yield Check("server", ok=True, said=f"{url} answers")
        yield from _of_answer(answer)
        subject = next(_subjects(answer), SUBJECT)
    if source.hydrate is not None:
        verdict = try_hydration(deployment.hydration, source, subject, now)
        yield Check("hydrate", verdict.ok, verdict.said)


def _of_answer(answer: Answer) -> Iterator[Check]:
    detail = str(answer.told.get("detail", f"it answered {answer.status} without a reason"))
    if answer.status in _REFUSALS:
        yield Check(
            "signature" if answer.status == 401 else "server", ok=False, said=f"{detail}; {_REFUSALS[answer.status]}"
        )
        return
    if answer.status in _UNREAD:
        yield Check("delivery", ok=False, said=detail)
        return
    if answer.told.get("test") is not True and answer.status != 400:
        yield Check("server", ok=False, said=f"{detail}: that is no server of this version")
        return
    yield Check("signature", ok=True, said="accepted, as the source signs but with a key for trials alone")
    if answer.status == 400:
        yield Check("reading", ok=False, said=detail)
        return
    yield from _of_reading(answer)


def _of_reading(answer: Answer) -> Iterator[Check]:
    told = [*_listed(answer, "events", _event), *_listed(answer, "hints", _hint)]
    if told:
        yield Check("reading", ok=True, said="; ".join(told))
        yield Check("database", ok=True, said="took what was read, and nothing of it was kept")
    else:
        passed_over = counted(int(str(answer.told.get("passedOver", 0))), "item")
        yield Check("reading", ok=False, said=f"nothing was read: the map passed over {passed_over}")


def _listed(answer: Answer, name: str, words: Callable[[dict[str, Any]], str]) -> list[str]:
    found = answer.told.get(name)
    return [words(each) for each in found] if isinstance(found, list) else []


def _subjects(answer: Answer) -> Iterator[str]:
    """Yield of whom the delivery told that they changed."""
    found = answer.told.get("hints")
    yield from (str(each["subject"]) for each in (found if isinstance(found, list) else []))


def _event(event: dict[str, Any]) -> str:
    facts = ", ".join(event["attributes"]) or "nothing else"
    return f"{event['type']} of {event['subject']} with {facts}"


def _hint(hint: dict[str, Any]) -> str:
    return f"{hint['subject']} changed, which is then asked for"
