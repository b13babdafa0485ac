"""How many calls a second the sandbox answers, against a bare Starlette route that answers a constant of the same size.

Both are processes of their own and are loaded in turn by ``wrk`` (Debian package wrk), several rounds each; what counts
is the ratio of the medians. Needs nothing but wrk; takes about two minutes.
"""

import base64
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROUNDS = 5
SECONDS = 2
CONNECTIONS = 16
PATIENCE_S = 30
ROOT = Path(__file__).parents[2]
AUTHORIZATION = "Basic " + base64.b64encode(b"admin@example.org:sandbox-key").decode()
AHEAD = 100
"""How many mailboxes stand between the one that is created and the one that is deleted, so that no two calls race."""

ONE = "/v1/domains/ten.example/mailboxes/u1"
CHURN = "/v1/domains/churn.example/mailboxes"

FIXED = 'request = function() return wrk.format(METHOD, "%s", nil, BODY) end'
ALTERNATING = """
local n = -1  -- wrk asks once for a request that it does not send
request = function()
  n = n + 1
  local k = math.floor((n + 1) / 2)
  if n % 2 == 0 then return wrk.format("DELETE", "CHURN/u" .. k) end
  return wrk.format("POST", "CHURN", nil, '{"local_part":"u' .. (k + AHEAD) .. '","name":"U","password":"S3cr3T"}')
end""".replace("CHURN", CHURN).replace("AHEAD", str(AHEAD))
REPORT = """
done = function(summary)
  local e = summary.errors
  io.write(string.format('\\n{"calls":%d,"us":%d,"refused":%d,"broken":%d}\\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of call: how wrk makes it, and where an answer of the same size can be seen."""

    name: str
    method: str
    script: str
    like: str
    body: str | None = None


CASES = (
    Case("show one mailbox", "GET", FIXED % ONE, ONE),
    Case("index of 10", "GET", FIXED % "/v1/domains/ten.example/mailboxes", "/v1/domains/ten.example/mailboxes"),
    Case(
        "index of 1000",
        "GET",
        FIXED % "/v1/domains/thousand.example/mailboxes",
        "/v1/domains/thousand.example/mailboxes",
    ),
    Case("put a name", "PUT", FIXED % ONE, ONE, body='{"name":"Ada Lovelace"}'),
    Case("post and delete a mailbox", "POST", ALTERNATING, ONE),
)


def measure() -> dict[str, object]:
    """Measure every case and return what came of it."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed for this benchmark (Debian package wrk)")
    with tempfile.TemporaryDirectory() as directory, _sandbox() as sandbox:
        cases = [_measured(case, sandbox, Path(directory)) for case in CASES]
    return {
        "benchmark": "sandbox",
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "rounds": ROUNDS,
        "seconds_each": SECONDS,
        "connections": CONNECTIONS,
        "lowest_ratio": min(case["ratio"] for case in cases),
        "cases": cases,
    }


def _measured(case: Case, sandbox: str, directory: Path) -> dict[str, object]:
    _seed(sandbox)
    size = len(_get(sandbox + case.like))
    rates: dict[str, list[float]] = {"sandbox": [], "bare": []}
    with _bare(size) as bare:
        for _ in range(ROUNDS):
            _seed(sandbox)
            rates["sandbox"].append(_load(sandbox, case, case.script, directory))
            constant = FIXED % "/constant"
            rates["bare"].append(_load(bare, case, constant, directory))
    ours, theirs = median(rates["sandbox"]), median(rates["bare"])
    return {
        "case": case.name,
        "bytes": size,
        "sandbox_per_s": round(ours),
        "bare_per_s": round(theirs),
        "ratio": round(ours / theirs, 2),
    }


def _load(url: str, case: Case, script: str, directory: Path) -> float:
    """Return the calls a second that wrk got answered. Fails if any was refused or broken."""
    lua = directory / "calls.lua"
    head = f"""
local METHOD, BODY = "{case.method}", {f"'{case.body}'" if case.body else "nil"}
wrk.headers["Authorization"] = "{AUTHORIZATION}"
wrk.headers["Content-Type"] = "application/json"
"""
    lua.write_text(head + script + REPORT)
    wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(lua), url]
    done = subprocess.run(wrk, capture_output=True, text=True, check=True, timeout=SECONDS + PATIENCE_S)
    counted = json.loads(done.stdout.splitlines()[-1])
    if counted["refused"] or counted["broken"]:
        sys.exit(f"{case.name} at {url}: {counted}")
    return counted["calls"] / (counted["us"] / 1e6)


@contextmanager
def _sandbox() -> Iterator[str]:
    command = [sys.executable, "-m", "worker", "sandbox", "--rate-limit", "off", "--port"]
    with _server(command, "/_sandbox/faults") as url:
        yield url


@contextmanager
def _bare(size: int) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks._bare"]
    with _server(command, "/constant", str(size)) as url:
        yield url


@contextmanager
def _server(command: list[str], probe: str, *more: str) -> Iterator[str]:
    """Run a server, its port added to the command, until the block ends; wait until it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([*command, str(port), *more], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        _wait_for(process, url + probe)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            _get(url)
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"no answer at {url}")


def _seed(sandbox: str) -> None:
    sizes = {"ten": 10, "thousand": 1000, "churn": AHEAD}
    domains = [
        {"name": f"{name}.example", "mailboxes": [{"local_part": f"u{k + 1}", "name": "U"} for k in range(size)]}
        for name, size in sizes.items()
    ]
    _post(f"{sandbox}/_sandbox/reset", {})
    _post(f"{sandbox}/_sandbox/seed", {"domains": domains})


def _get(url: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": AUTHORIZATION})) as answer:
        body: bytes = answer.read()
        return body


def _post(url: str, document: Mapping[str, object]) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(document).encode())) as answer:
        answer.read()
