"""Signed webhooks that are accepted in a second, and how long fifty senders wait, beside a bare ASGI route.

The route verifies the same signature and inserts one row into the same database with one commit. Fifty connections each
send their next event when the last was answered; the bodies are signed before. With PostgreSQL ``serve`` is measured,
with its broker and without a worker; embedded, ``up``, whose worker applies the events meanwhile in the same process.
About two minutes.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from statistics import median
from urllib.parse import urlsplit

from pydantic import SecretStr

from tests.benchmarks._place import PROFILES, Place, begin, joined, placed
from tests.benchmarks.sandbox import _server
from tests.end_to_end.installation import Installation
from worker.sources.presets import STANDARD_WEBHOOKS
from worker.sources.signature import sign

SENDERS, EACH, ROUNDS = 50, 40, 3


@dataclass(frozen=True, slots=True)
class Heard:
    """How fifty senders fared."""

    per_s: float
    p50_ms: float
    p99_ms: float


def measure() -> dict[str, object]:
    """Measure both profiles. Raises ServerMissing."""
    return {"senders": SENDERS, "events": SENDERS * EACH, "rounds": ROUNDS} | {
        profile: _compared(profile) for profile in PROFILES
    }


def _compared(profile: str) -> dict[str, object]:
    with placed(profile) as place:
        begin(place)
        numbers = count()
        heard: dict[str, list[Heard]] = {"ours": [], "bare": []}
        for _ in range(ROUNDS):
            for name, running in (("ours", _ours), ("bare", _bare)):
                with running(place) as url:
                    send(url, place.installation.secret, numbers, each=2)  # the first of all open connections
                    heard[name].append(send(url, place.installation.secret, numbers, each=EACH))
    rates = [ours.per_s / bare.per_s for ours, bare in zip(heard["ours"], heard["bare"], strict=True)]
    return {name: _medians(each) for name, each in heard.items()} | {"of_bare": round(median(rates), 2)}


def _medians(heard: list[Heard]) -> dict[str, float]:
    return {name: round(median(getattr(each, name) for each in heard), 1) for name in ("per_s", "p50_ms", "p99_ms")}


@contextmanager
def _ours(place: Place) -> Iterator[str]:
    process = place.installation.start_serving("up" if place.profile == "embedded" else "serve")
    try:
        yield place.installation.url
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def _bare(place: Place) -> Iterator[str]:
    with bare(place.installation) as url:
        yield url


@contextmanager
def bare(installation: Installation) -> Iterator[str]:
    """Run the bare route beside an installation, on its database and with its secret, and yield its URL."""
    command = [sys.executable, "-m", "tests.benchmarks._bare_intake", installation.secret]
    with _server([*command, installation.database_url], "/healthz") as url:
        yield url


def send(url: str, secret: str, numbers: Iterator[int], *, each: int) -> Heard:
    """Have every sender send so many events and return what came of it. Fails unless all are accepted."""
    where = urlsplit(url)
    requests = [_request(next(numbers), secret) for _ in range(SENDERS * each)]
    began = time.perf_counter()
    answers = asyncio.run(_all(where.hostname or "", where.port or 0, _shares(requests)))
    spent_s = time.perf_counter() - began
    statuses = Counter(status for status, _ in answers)
    assert statuses == {202: len(requests)}, statuses
    took_ms = sorted(1000 * took_s for _, took_s in answers)
    return Heard(len(answers) / spent_s, took_ms[len(took_ms) // 2], took_ms[len(took_ms) * 99 // 100])


def _request(number: int, secret: str) -> bytes:
    body = json.dumps(joined(number)).encode()
    headers = sign(STANDARD_WEBHOOKS, body, SecretStr(secret), datetime.now(UTC), f"msg_{number}")
    headers |= {"host": "benchmark", "content-type": "application/json", "content-length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /hooks/hr HTTP/1.1\r\n{lines}\r\n".encode() + body


async def _all(host: str, port: int, shares: list[list[bytes]]) -> list[tuple[int, float]]:
    each = await asyncio.gather(*(_one_after_another(host, port, share) for share in shares))
    return [answer for answers in each for answer in answers]


async def _one_after_another(host: str, port: int, requests: list[bytes]) -> list[tuple[int, float]]:
    reader, writer = await asyncio.open_connection(host, port)
    answers = []
    for request in requests:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        answers.append((int(head.split(b" ", 2)[1]), time.perf_counter() - began))
    writer.close()
    return answers


def _shares(requests: list[bytes]) -> list[list[bytes]]:
    return [requests[sender::SENDERS] for sender in range(SENDERS)]
