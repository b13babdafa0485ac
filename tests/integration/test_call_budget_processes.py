"""The call budget of real processes that call a real server: what arrives there is never more than the limit."""

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import uvicorn

from tests.integration.callers import most_in_a_window
from worker.sandbox.app import create_app
from worker.store.database import Database

CHECKOUT = Path(__file__).parents[2]
CALLS, WINDOW_S, RESERVE = 20, 2.0, 3
PROCESSES, THREADS, FOR_S = 4, 4, 8.0


@contextmanager
def _host(rate_limit: tuple[int, float]) -> Iterator[str]:
    """Serve a sandbox whose latency is another for each call, before it arrives and after it; yield its URL."""
    app = create_app(rate_limit=rate_limit)

    async def jittered(scope: Any, receive: Any, send: Any) -> None:
        is_call = scope["type"] == "http" and scope["path"].startswith("/v1")
        if is_call:
            await asyncio.sleep(random.uniform(0, 0.3))

        async def send_late(message: Any) -> None:
            if is_call and message["type"] == "http.response.start":
                await asyncio.sleep(random.uniform(0, 0.3))
            await send(message)

        await app(scope, receive, send_late)

    config = uvicorn.Config(jittered, port=0, lifespan="off", ws="none", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    thread = Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _run_callers(database_url: str, host: str) -> Counter[str]:
    """Have several processes call at once, and return what all their calls came to."""
    numbers = map(str, (CALLS, WINDOW_S, RESERVE, THREADS, FOR_S))
    command = [sys.executable, "-m", "tests.integration.caller", database_url, f"{host}/v1", *numbers]
    started = [subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    printed = [each.communicate(timeout=60)[0] for each in started]

    assert [each.returncode for each in started] == [0] * PROCESSES
    return sum((Counter(json.loads(text)) for text in printed), Counter())


def _arrivals_ms(host: str) -> list[int]:
    """Return when each call arrived, by the sandbox's own clock, and assert that it turned none away."""
    calls = httpx.get(f"{host}/_sandbox/calls").json()["calls"]
    assert {call["status"] for call in calls} == {200}
    return [round(datetime.fromisoformat(call["time"]).timestamp() * 1000) for call in calls]


def test_the_host_never_gets_more_than_the_limit(database: Database, migrated_url: str) -> None:
    """Four processes of four threads press: no window holds more, and most of what is allowed is used."""
    with _host((CALLS, WINDOW_S)) as host:
        told = _run_callers(migrated_url, host)
        arrived = _arrivals_ms(host)

    assert set(told) == {"made", "LimitReached"}
    assert len(arrived) == told["made"]
    assert most_in_a_window(arrived, round(WINDOW_S * 1000)) <= CALLS
    # Each slot is busy for a window and a call; what starting and the machine take is not counted.
    assert len(arrived) >= 0.6 * CALLS * FOR_S / (WINDOW_S + 0.3)


@pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_host_that_allows_less_is_left_alone(database: Database, migrated_url: str) -> None:
    """Where the host throttles, all processes stop: beyond the calls under way then, none arrives."""
    with _host((8, 3600.0)) as host:
        told = _run_callers(migrated_url, host)
        calls = httpx.get(f"{host}/_sandbox/calls").json()["calls"]

    assert told["made"] == 8
    assert 1 <= told["Throttled"] <= PROCESSES * THREADS
    assert len(calls) == told["made"] + told["Throttled"]
    assert told["GateClosed"] >= PROCESSES * THREADS - told["Throttled"]
