"""An installation as an administrator has it: a directory with a policy and sources, an environment, and processes.

The processes are real: started as commands, stopped by signals, read through HTTP and the mail host's own state.
"""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from pydantic import SecretStr

from tests.servers import free_port
from worker.sandbox import RunningSandbox
from worker.sources.presets import STANDARD_WEBHOOKS
from worker.sources.signature import sign

POLICY = """
[organisation]
domain = "example.org"
timezone = "Europe/Berlin"

[joining]
credential = "random"

[[groups]]
address = "engineering"
members = { department = "Engineering" }

[[groups]]
address = "everyone"
members = {}
"""
SOURCES = '[sources.hr]\nkind = "standard-webhooks"\nsecret_env = "HR_SECRET"\nprecedence = 10\ncreates = true\n'
PATIENCE_S = 60.0
_START_S = 180.0  # where many begin at once, as the stories do, each waits for the others
T = TypeVar("T")


def wait_until(look: Callable[[], T], deadline_s: float = PATIENCE_S) -> T:
    """Look until what is seen is true, and return it; fail after the deadline."""
    end, pause = time.monotonic() + deadline_s, threading.Event()
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < end, f"not within {deadline_s:g} s: {look.__doc__ or look}"
        pause.wait(0.05)


_OUTSIDE = dict(os.environ)
"""What the processes get of the environment: taken once, because pytest changes its own while threads would read it."""


def plain_client() -> httpx.Client:
    """Return a client for plain HTTP. ``httpx.get`` reads all certificates each time, which takes 26 ms of a core."""
    alone = httpx.Limits(max_keepalive_connections=0)  # a server may close an idle one at the very moment of its use
    return httpx.Client(verify=False, timeout=PATIENCE_S, limits=alone, trust_env=False)


@dataclass
class Installation:
    """One directory, one environment, one mail host, and every process that was started for it."""

    directory: Path
    sandbox: RunningSandbox
    database_url: str
    broker_url: str
    settings: dict[str, str] = field(default_factory=dict)
    secret: str = field(default_factory=lambda: "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.directory / "policy.toml").write_text(POLICY)
        (self.directory / "sources.toml").write_text(SOURCES)
        (self.directory / "clock").write_text("PT0S")

    @property
    def environment(self) -> dict[str, str]:
        """What the processes see: nothing of ours from outside."""
        kept = {name: value for name, value in _OUTSIDE.items() if not name.startswith("MAILROSTER_")}
        return {
            **kept,
            "HR_SECRET": self.secret,
            "MAILROSTER_DATABASE_URL": self.database_url,
            "MAILROSTER_BROKER_URL": self.broker_url,
            "MAILROSTER_MIGADU_URL": self.sandbox.api_url,
            "MAILROSTER_MIGADU_USER": "admin@example.org",
            "MAILROSTER_MIGADU_KEY": "sandbox-key",
            "MAILROSTER_CALL_LIMIT": "off",
            "MAILROSTER_WORKER_THREADS": "4",
            "MAILROSTER_LISTEN": f"127.0.0.1:{self.port}",
            "MAILROSTER_CLOCK": str(self.directory / "clock"),
            **self.settings,
        }

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "worker", *arguments],
            cwd=self.directory,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def start(self, *arguments: str, module: str = "worker") -> subprocess.Popen[bytes]:
        """Start a process that goes on; its output is in a file of the directory."""
        log = (self.directory / f"{len(self.processes)}-{arguments[0]}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def start_serving(self, command: str = "serve", *options: str) -> subprocess.Popen[bytes]:
        """Start the HTTP server, or all in one process (``up``), and wait until it answers."""
        process = self.start(command, *options)
        with plain_client() as client:

            def answers() -> bool:
                """The HTTP server answers."""
                assert process.poll() is None, self.logs()
                try:
                    return client.get(f"{self.url}/healthz").status_code == 200
                except httpx.TransportError:
                    return False

            wait_until(answers, _START_S)
        return process

    @property
    def url(self) -> str:
        """Where the HTTP server listens."""
        return f"http://127.0.0.1:{self.port}"

    def logs(self) -> str:
        """Everything the processes wrote."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')}" for path in self.directory.glob("*.log")
        )

    def log_of(self, process: subprocess.Popen[bytes]) -> str:
        """Everything that one of the processes wrote."""
        (path,) = self.directory.glob(f"{self.processes.index(process)}-*.log")
        return path.read_text(errors="replace")

    def move_clock(self, duration: str) -> None:
        """Move business time for every process."""
        (self.directory / "clock").write_text(duration)

    def deliver(self, kind: str, subject: str, **data: object) -> httpx.Response:
        """Send one signed event, which happens now, to the HTTP intake."""
        return self.deliver_body(json.dumps(event(kind, subject, **data)).encode())

    def deliver_body(self, body: bytes) -> httpx.Response:
        """Send a signed body as it is."""
        headers = sign(STANDARD_WEBHOOKS, body, SecretStr(self.secret), datetime.now(UTC), f"msg_{uuid4().hex}")
        url = f"{self.url}/hooks/hr"
        return httpx.post(
            url, content=body, headers={**headers, "content-type": "application/json"}, timeout=30, trust_env=False
        )

    def domain(self) -> dict[str, Any]:
        """What the mail host holds for example.org, by its own account."""
        state = httpx.get(f"{self.sandbox.url}/_sandbox/state", trust_env=False).json()
        return next(domain for domain in state["domains"] if domain["name"] == "example.org")

    def mailboxes(self) -> dict[str, dict[str, Any]]:
        """The mail host's mailboxes by address."""
        return {mailbox["address"]: mailbox for mailbox in self.domain()["mailboxes"]}

    def destinations(self, alias: str) -> list[str]:
        """The destinations of an alias at the mail host, sorted; none where there is no alias."""
        aliases = {each["local_part"]: each["destinations"] for each in self.domain()["aliases"]}
        return sorted(aliases.get(alias, []))

    def calls(self, method: str | None = None) -> list[dict[str, Any]]:
        """The calls the mail host received."""
        calls = httpx.get(f"{self.sandbox.url}/_sandbox/calls", trust_env=False).json()["calls"]
        return [call for call in calls if method in (None, call["method"])]

    def jobs(self) -> list[dict[str, Any]]:
        """The jobs as the command line lists them."""
        listed = self.run("jobs", "list", "--json")
        assert listed.returncode in (0, 3), listed.stderr
        return json.loads(listed.stdout)["jobs"]

    def stop_all(self) -> None:
        """Kill whatever still runs."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()


@contextmanager
def installed(
    directory: Path,
    *,
    database_url: str,
    broker_url: str,
    latency_s: float = 0.0,
    upgrade: bool = True,
    **settings: str,
) -> Iterator[Installation]:
    """Install into a directory beside a fresh mail host, with the schema upgraded; clean up whatever was started.

    ``upgrade=False``: the database has its schema already.
    """
    with RunningSandbox(latency_s=latency_s) as sandbox:
        installation = Installation(directory, sandbox, database_url, broker_url, settings)
        if upgrade:
            upgraded = installation.run("db", "upgrade")
            assert upgraded.returncode == 0, upgraded.stderr
        try:
            yield installation
        finally:
            installation.stop_all()


def event(kind: str, subject: str, **data: object) -> dict[str, object]:
    """Return a canonical event that happens now."""
    return {
        "specversion": "1.0",
        "id": uuid4().hex,
        "source": "urn:example:hr",
        "type": f"person.{kind}",
        "subject": subject,
        "time": datetime.now(UTC).isoformat(),
        "data": data,
    }
