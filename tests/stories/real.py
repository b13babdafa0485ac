"""A story played end to end: `mailroster up` as a process of its own, signed webhooks, a sandbox, and a clock to move.

Time goes as it does in life: on the way to each moment the clock stops wherever something is due.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from httpx import Client
from pydantic import SecretStr

from tests.end_to_end.installation import Installation, installed, plain_client, wait_until
from tests.stories.mail import lines_of
from tests.stories.pure import are_those
from tests.stories.story import ByHand, Moment, Story
from worker.sources.presets import STANDARD_WEBHOOKS
from worker.sources.signature import sign

_SOURCES = """
[sources.hr]
kind = "standard-webhooks"
secret_env = "HR_SECRET"
precedence = 10
creates = true

[sources.it]
kind = "standard-webhooks"
secret_env = "HR_SECRET"
precedence = 5
"""
_A_MOMENT_LATER = timedelta(seconds=1)
_SOON = timedelta(seconds=3)
_PATIENCE_S = 120.0
_ACCOUNT = ("admin@example.org", "sandbox-key")
_NEEDS_A_PERSON = 3


def play(story: Story, directory: Path, empty: Path) -> list[str]:
    """Play a story; returns what was otherwise than it says, each with its instant. Empty: all as told.

    It begins with a copy of a database, made by ``empty_database``.
    """
    with _running(story, directory, empty) as player:
        return [difference for moment in story.moments for difference in player.at(moment)]


def empty_database(directory: Path) -> Path:
    """Make a database with nothing in it, once for all stories: that takes as long as many a story."""
    database = directory / "mailroster.db"
    with installed(directory, database_url=f"sqlite:///{database}", broker_url="memory://"):
        return database


@contextmanager
def _running(story: Story, directory: Path, empty: Path) -> Iterator["_Player"]:
    database = directory / "mailroster.db"
    shutil.copy(empty, database)
    with (
        installed(
            directory, database_url=f"sqlite:///{database}", broker_url="memory://", upgrade=False
        ) as installation,
        closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection,
        plain_client() as client,
    ):
        (directory / "policy.toml").write_text(story.policy)
        (directory / "sources.toml").write_text(_SOURCES)
        player = _Player(installation, connection, client)
        player.seed(story)
        player.move_to(story.moments[0].at)
        installation.start_serving("up")
        yield player


class _Player:
    def __init__(self, installation: Installation, database: sqlite3.Connection, client: Client) -> None:
        self._installation, self._database, self._client = installation, database, client
        self._shift = timedelta()

    def seed(self, story: Story) -> None:
        """Give the sandbox what the story begins with."""
        url = f"{self._installation.sandbox.url}/_sandbox/seed"
        self._client.post(url, json=story.seed).raise_for_status()

    def move_to(self, at: datetime) -> None:
        """Set business time."""
        self._shift = at - datetime.now(UTC)
        self._installation.move_clock(f"PT{self._shift.total_seconds():.6f}S".replace("PT-", "-PT"))

    def at(self, moment: Moment) -> list[str]:
        """Go to a moment, tell what is told then, wait until all is done, and look."""
        for due_at in iter(lambda: self._next_due(before=moment.at), None):
            self.move_to(due_at + _A_MOMENT_LATER)
            self._wake()
            self._settle()
        self.move_to(moment.at)
        for what in moment.by_hand:
            self._do_by_hand(what)
        for told in moment.told:
            self._tell(told.source, told.document)
        self._settle()
        if moment.reconcile:
            self._reconcile()
            self._settle()
        return [f"{moment.at:%Y-%m-%d %H:%M} UTC: {each}" for each in self._differences(moment)]

    def _tell(self, source: str, document: object) -> None:
        body, secret = json.dumps(document).encode(), SecretStr(self._installation.secret)
        headers = sign(STANDARD_WEBHOOKS, body, secret, datetime.now(UTC) + self._shift, f"msg_{uuid4().hex}")
        url = f"{self._installation.url}/hooks/{source}"
        answer = self._client.post(url, content=body, headers={**headers, "content-type": "application/json"})
        assert answer.status_code == 202, answer.text

    def _wake(self) -> None:
        """Have the workers look around now, and not only at their next sweep: by word of somebody nobody knows."""
        document = {"specversion": "1.0", "source": "urn:example:story", "type": "person.updated", "data": {}}
        at = datetime.now(UTC) + self._shift
        self._tell("it", {**document, "id": uuid4().hex, "subject": "nobody", "time": at.isoformat()})

    def _do_by_hand(self, what: ByHand) -> None:
        url = f"{self._installation.sandbox.api_url}/domains/{what.path}"
        answer = self._client.request(what.method, url, json=what.body or None, auth=_ACCOUNT)
        assert answer.status_code == 200, answer.text

    def _reconcile(self) -> None:
        done = self._installation.run("reconcile", "--apply")
        assert done.returncode in (0, _NEEDS_A_PERSON), done.stderr
        self._wake()

    def _settle(self) -> None:
        wait_until(self._is_settled, deadline_s=_PATIENCE_S)

    def _is_settled(self) -> bool:
        """Nothing is left to apply, to evaluate or to run, also not what waits a moment for another."""
        at = (datetime.now(UTC) + self._shift).replace(tzinfo=None)
        now, soon = at.isoformat(" "), (at + _SOON).isoformat(" ")
        due = (
            "select (select count(*) from events where state = 'accepted')"
            " + (select count(*) from people where next_change_at <= ? or line_due_at <= ?)"
            " + (select count(*) from jobs where state in ('queued', 'running'))"
            " + (select count(*) from jobs where state = 'waiting' and run_at <= ?)"
        )
        return self._ask(due, now, now, soon)[0][0] == 0

    def _next_due(self, *, before: datetime) -> datetime | None:
        """Return when something is due next on the way to a moment."""
        due = (
            "select min(at) from (select next_change_at as at from people union all"
            " select run_at from jobs where state = 'waiting')"
        )
        found = self._ask(due)[0][0]
        at = datetime.fromisoformat(found).replace(tzinfo=UTC) if found else None
        return at if at is not None and at < before - _A_MOMENT_LATER else None

    def _differences(self, moment: Moment) -> Iterator[str]:
        if moment.mail is not None:
            state: dict[str, Any] = self._client.get(f"{self._installation.sandbox.url}/_sandbox/state").json()
            held = lines_of(state)
            if held != moment.mail:
                yield f"the host holds\n{held}instead of\n{moment.mail}{self._reasons()}"
        if moment.needs is not None:
            reasons = [reason for (reason,) in self._ask(_STUCK)]
            if not are_those(reasons, moment.needs):
                yield f"needs a person: {reasons} instead of {list(moment.needs)}"

    def _reasons(self) -> str:
        return "".join(f"(stopped: {reason})\n" for (reason,) in self._ask(_STUCK))

    def _ask(self, query: str, *values: object) -> list[Any]:
        return self._database.execute(query, values).fetchall()


_STUCK = "select reason from jobs where state in ('held', 'parked') order by reason"
