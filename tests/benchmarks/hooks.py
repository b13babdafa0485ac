"""How long fifty senders wait for an answer while the mail host is down: the whole product, in a process of its own.

Half of them send canonical events, half bodies that are mapped; each sends its next when the last was answered. The
mail host takes connections and never answers, so that every worker is busy waiting for it. The bound is one second at
the 99th percentile, because some vendors give three and do not come back (`event-sources.md`, 0). What else runs on
the machine counts: of the server itself speaks only what it used of the processors for each answer.
"""

import os
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from uuid import uuid4

import httpx

from tests.end_to_end.installation import Installation, installed
from tests.integration.hook_senders import ENVIRONMENT, SENDERS
from tests.servers import POSTGRES, fresh_database, usable_url

SENDERS_AT_ONCE, EACH = 50, 40
_KINDS = ("standard-webhooks", "github")


def measure() -> dict[str, object]:
    """Measure on SQLite, and on a PostgreSQL database that is made for it and dropped. Raises ServerMissing."""
    with fresh_database(usable_url(POSTGRES)) as url:
        postgresql = _measured(url)
    with tempfile.TemporaryDirectory() as directory:
        sqlite = _measured(f"sqlite:///{directory}/mailroster.db")
    return {"senders": SENDERS_AT_ONCE, "load_before": round(os.getloadavg()[0], 1)} | {
        "postgresql": postgresql,
        "sqlite": sqlite,
    }


def _measured(database_url: str) -> dict[str, object]:
    with (
        tempfile.TemporaryDirectory() as name,
        deaf_mail_host() as mail_host,
        installed(
            Path(name), database_url=database_url, broker_url="memory://", MAILROSTER_MIGADU_URL=mail_host
        ) as installation,
    ):
        _write_sources(installation.directory)
        server = installation.start_serving("up")
        _deliver(installation, 0, 5)
        began, used_s = time.perf_counter(), _processor_s(server.pid)
        with ThreadPoolExecutor(SENDERS_AT_ONCE) as pool:
            answers = list(chain(*pool.map(partial(_deliver, installation, count=EACH), range(SENDERS_AT_ONCE))))
        spent_s, used_s = time.perf_counter() - began, _processor_s(server.pid) - used_s
    took_ms = sorted(1000 * took_s for took_s, _ in answers)
    return {
        "answers": Counter(status for _, status in answers),
        "per_s": round(len(answers) / spent_s),
        "p50_ms": round(took_ms[len(took_ms) // 2]),
        "p99_ms": round(took_ms[len(took_ms) * 99 // 100]),
        "longest_ms": round(took_ms[-1]),
        "processor_ms_each": round(1000 * used_s / len(answers), 1),
    }


def _processor_s(pid: int) -> float:
    """Return what a process has used of the processors, its waiting apart."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _write_sources(directory: Path) -> None:
    for name, key in ENVIRONMENT.items():
        (directory / name).write_text(key)
    tables = [SENDERS[kind].sources.replace("sources.x", f"sources.{kind}") for kind in _KINDS]
    (directory / "sources.toml").write_text("\n".join(tables))


def _deliver(installation: Installation, number: int, count: int) -> list[tuple[float, int]]:
    """Send a number of events, one after the other; return what each took and its answer."""
    sender = SENDERS[kind := _KINDS[number % len(_KINDS)]]
    took = []
    with httpx.Client(verify=False, timeout=60) as client:
        for _ in range(count):
            body = sender.body(_joined())
            headers = sender.headers(body, datetime.now(UTC), message_id=uuid4().hex)
            began = time.perf_counter()
            answer = client.post(f"{installation.url}/hooks/{kind}", content=body, headers=headers)
            took.append((time.perf_counter() - began, answer.status_code))
    return took


def _joined() -> dict[str, object]:
    key = uuid4().hex
    return {
        "specversion": "1.0",
        "id": key,
        "source": "urn:example:hr",
        "type": "person.joined",
        "subject": key,
        "time": datetime.now(UTC).isoformat(),
        "data": {"givenName": "Ada", "familyName": f"Love{key[:8]}", "department": "Engineering"},
    }


@contextmanager
def deaf_mail_host() -> Iterator[str]:
    """Yield the URL of a mail host that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
