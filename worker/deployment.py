"""A deployment: settings turned into the collaborators of each room. The one place where they meet."""

import os
import secrets
import socket
import uuid
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from worker.bell import Bell, SilentBell
from worker.clock import Clock, clock_from
from worker.execution import Execution
from worker.execution.context import Patience
from worker.intake import Admission, Intake, admit, retry_parked
from worker.intake.sealing import Sealer
from worker.intake.tallying import Tallies
from worker.migadu import Hooks, MigaduClient, ThreadClients
from worker.policy import Policy, PolicyInvalid, load_policy
from worker.settings import Settings, read_environment
from worker.sources import HookSource, Sources, SourcesInvalid, load_sources
from worker.sources.hydration import Hydration
from worker.store import hint_pauses
from worker.store.budget import CallBudget, CallLimit
from worker.store.database import Database
from worker.toml.problems import Problem

_PASSWORD_BYTES = 24
_UTF_8 = "utf-8-sig"  # Windows editors put a mark before the first character


class NotConfigured(RuntimeError):
    """Something that this command needs is not configured; the sentence says what and how."""


@dataclass(frozen=True)
class Deployment:
    """What runs here. Parts are made when first asked for, so that a command opens only what it needs."""

    settings: Settings
    bell: Bell = SilentBell()  # noqa: RUF009 - it has no state

    @cached_property
    def database(self) -> Database:
        """The database; its schema is not checked here."""
        connections = self.settings.worker_threads + 8
        return Database(self.settings.database_url.get_secret_value(), connections=connections)

    @cached_property
    def clock(self) -> Clock:
        """Business time."""
        return clock_from(self.settings.clock)

    @cached_property
    def sources(self) -> Sources:
        """Who may tell us things. Without a sources file nobody but operators. Raises SourcesInvalid."""
        path = self.settings.sources
        if not path.exists():
            return Sources()
        try:
            return load_sources(path.read_text(encoding=_UTF_8), read_environment(), path.parent)
        except SourcesInvalid as error:
            raise SourcesInvalid(f"{path}: {error}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise SourcesInvalid(f"the sources file {path} cannot be read: {error}") from error

    @cached_property
    def intake(self) -> Intake:
        """The intake room."""
        return Intake(
            self.database,
            self.clock,
            self.bell,
            self.sources.precedence,
            self.sources.creators,
            sealer=self.sealer,
            tallies=self.tallies,
            hydration=self.hydration,
        )

    @cached_property
    def hydration(self) -> Hydration:
        """What asks sources for records. Raises SourcesInvalid."""
        return Hydration({source.name: source for source in self.sources.of(HookSource)})

    @cached_property
    def sealer(self) -> Sealer | None:
        """What seals deliveries; None without a key, so that none is kept."""
        return Sealer(self.settings.raw_keys) if self.settings.raw_keys else None

    @cached_property
    def tallies(self) -> Tallies:
        """The counts of this process that are not written yet."""
        return Tallies(self.database, self.clock)

    @cached_property
    def execution(self) -> Execution:
        """The execution room. Raises NotConfigured without credentials for the mail host."""
        return Execution(
            database=self.database,
            clock=self.clock,
            bell=self.bell,
            precedence=self.intake.precedence,
            connect=self._connect,
            worker=f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
            random_password=random_password,
            budget=self.budget,
            askable=frozenset(self.hydration.at_once),
            dry_run=self.settings.dry_run,
            patience=Patience(
                first=self.settings.retry_first,
                longest=self.settings.retry_longest,
                give_up_after=self.settings.retry_give_up_after,
            ),
            raw_kept=self.settings.raw_kept,
        )

    @cached_property
    def budget(self) -> CallBudget:
        """The call budget, shared by all that work on the database."""
        return CallBudget(_call_limit(self.settings))

    def require_credentials(self) -> None:
        """Raise NotConfigured unless the mail host's user and key are set."""
        if not self.settings.migadu_user or self.settings.migadu_key is None:
            raise NotConfigured("MAILROSTER_MIGADU_USER and MAILROSTER_MIGADU_KEY are not set (or use: up --sandbox)")

    def begin_work(self) -> Admission:
        """Do what a worker does first: let the policy in, try again what another version parked, fit the budget.

        Raises NotConfigured, PolicyInvalid.
        """
        admission = self.activate_policy()
        retry_parked(self.intake)
        with self.database.write() as session:
            hint_pauses.end_now(session)  # whoever has mended credentials starts workers again
        with self.database.write() as session:
            self.budget.fit(session)
        with self.database.write() as session:
            self.budget.retry_account(session)
        return admission

    def activate_policy(self) -> Admission:
        """Put the policy file into force, unless that must be held. Raises NotConfigured, PolicyInvalid."""
        return admit(self.intake, read_policy(self.settings.policy)[1])

    def close(self) -> None:
        """Close what was opened."""
        if "tallies" in self.__dict__:
            self.tallies.close()
        if "database" in self.__dict__:
            self.database.close()
        if "_clients" in self.__dict__:
            self._clients.close()
        if "hydration" in self.__dict__:
            self.hydration.close()

    @cached_property
    def _clients(self) -> ThreadClients:
        return ThreadClients()

    def _connect(self, hooks: Hooks) -> MigaduClient:
        self.require_credentials()
        user, key = self.settings.migadu_user, self.settings.migadu_key
        assert user is not None
        assert key is not None
        http = self._clients.client()
        return MigaduClient(self.settings.migadu_url, user, key.get_secret_value(), http=http, hooks=hooks)


def read_policy(path: Path) -> tuple[Policy, str]:
    """Return a policy file's policy and its text. Raises NotConfigured if there is none, PolicyInvalid."""
    try:
        read = path.read_bytes()
    except FileNotFoundError:
        raise NotConfigured(f"there is no policy file {path}; `mailroster init` writes one to start from") from None
    except OSError as error:
        raise NotConfigured(f"the policy file {path} cannot be read: {error}") from error
    try:
        body = read.decode(_UTF_8).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = read.count(b"\n", 0, error.start) + 1
        raise PolicyInvalid((Problem(line, "", "this is not UTF-8: save the file as UTF-8"),), path) from error
    try:
        return load_policy(body), body
    except PolicyInvalid as error:
        raise PolicyInvalid(error.problems, path) from error


def random_password() -> str:
    """Return a password that nobody knows or could guess."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def _call_limit(settings: Settings) -> CallLimit | None:
    if settings.call_limit is None:
        return None
    calls, window_s = settings.call_limit
    return CallLimit(calls=calls, window=timedelta(seconds=window_s), reserve=settings.call_reserve)
