"""The README's chapter on the sandbox, run as it is printed; only the port is another."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.integration.shell import ROOT, Shell
from worker.sandbox import RunningSandbox
from worker.sandbox.faults import MAY_BE_NULL

CREDENTIALS = ("admin@example.org", "sandbox-key")
INSTALL = "python3 -m venv .venv && . .venv/bin/activate && pip install ."
CHAPTER = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Sandbox\n")[2].partition("\n## ")[0]


LONGEST = 100
"""Lines that somebody who only wants the sandbox is asked to read."""


def _script(number: int) -> str:
    return CHAPTER.split("```sh\n")[number].partition("```")[0]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_sandbox_readme_works_as_printed(tmp_path: Path) -> None:
    """The first script saves the seed and starts the sandbox, each line of curl in the second works, and so the fault.

    Instead of a new environment it takes the one that the tests run in.
    """
    install, *saving, start = _script(1).strip().splitlines()
    _ran(tmp_path, "\n".join(saving))
    mailroster, *command = shlex.split(start, comments=True)
    with Shell(tmp_path).staying(*command, "--port", "0", until="sandbox at") as sandbox:
        address = sandbox.out.split("http://")[1].split("/v1")[0]
        out = _ran(tmp_path, _script(2).replace("127.0.0.1:8026", address).replace("curl ", "curl -sS -w '\\n' "))

    answers = [json.loads(line) for line in out.splitlines() if line.startswith(("{", "["))]
    shown, made, state, seeded, calls, confirmed, dns, faults, there, left, reset = answers
    assert (install, mailroster) == (INSTALL, "mailroster")
    assert "no answer" in out
    assert (shown["address"], made["address"], there["name"]) == ("ada@example.org", "bob@example.org", "Bob")
    assert [len(each["domains"][0]["mailboxes"]) for each in (state, seeded, reset)] == [2, 1, 0]
    assert ([call["status"] for call in calls["calls"]], calls["dropped"]) == ([200, 200], 0)
    assert confirmed["confirmed_at"]
    assert dns == {"domain": "example.org", "ok": True}
    assert (faults[0]["fault"], left) == ("drop-after-apply", [])


def test_sandbox_readme_is_short() -> None:
    """The chapter stays below a hundred lines."""
    assert len(CHAPTER.splitlines()) + 1 < LONGEST


def test_sandbox_readme_names_the_booleans_that_may_be_null() -> None:
    """Which booleans are null, where nobody says, stands in the row of the fault."""
    (row,) = [line for line in CHAPTER.splitlines() if line.startswith("| `null-booleans`")]

    assert [name for name in MAY_BE_NULL if f"`{name}`" not in row] == []


def test_sandbox_readme_tells_what_seed_and_reset_leave() -> None:
    """A seed leaves faults, calls and the count of the rate limit; a reset ends them, and options stay."""
    with (
        RunningSandbox(rate_limit=(2, 120.0)) as sandbox,
        httpx.Client(base_url=sandbox.url, auth=CREDENTIALS) as client,
    ):
        client.post("/_sandbox/faults", json=[{"fault": "latency", "seconds": 0}])
        client.get("/v1/domains", auth=("somebody", "else"))
        client.get("/v1/domains")
        client.post("/_sandbox/seed", json={"domains": []})
        after_seed = client.get("/v1/domains").status_code
        kept = [len(client.get("/_sandbox/calls").json()["calls"]), len(client.get("/_sandbox/faults").json())]
        client.post("/_sandbox/reset")
        begun_anew = [len(client.get("/_sandbox/calls").json()["calls"]), len(client.get("/_sandbox/faults").json())]
        after_reset = [client.get("/v1/domains").status_code for _ in range(3)]

    assert (after_seed, kept) == (403, [3, 1])
    assert (begun_anew, after_reset) == ([0, 0], [200, 200, 403])


def _ran(directory: Path, script: str) -> str:
    """Run a script as a reader would, and return what it printed."""
    ran = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
