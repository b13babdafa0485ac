"""The README's chapter on the sandbox, run as it is printed; only the port is another."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.shell import ROOT, Shell

CHAPTER = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Sandbox\n")[2].partition("\n## ")[0]


def _block(kind: str, number: int) -> str:
    return CHAPTER.split(f"```{kind}\n")[number].partition("```")[0]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_sandbox_readme_works_as_printed(tmp_path: Path) -> None:
    """The seed is loaded, every line of curl works, and the fault does what the chapter says."""
    shell = Shell(tmp_path)
    shell.write("seed.json", _block("json", 1))
    with shell.staying("sandbox", "--port", "0", "--seed", "seed.json", until="sandbox at") as sandbox:
        address = sandbox.out.split("http://")[1].split("/v1")[0]
        script = _block("sh", 2).replace("127.0.0.1:8026", address).replace("curl ", "curl -sS -w '\\n' ")
        ran = subprocess.run(
            ["bash", "-eu", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )

    answers = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith(("{", "["))]
    shown, made, state, seeded, calls, confirmed, dns, faults, there, left, reset = answers
    assert ran.returncode == 0, ran.stderr
    assert "no answer" in ran.stdout
    assert (shown["address"], made["address"], there["name"]) == ("ada@example.org", "bob@example.org", "Bob")
    assert [len(each["domains"][0]["mailboxes"]) for each in (state, seeded, reset)] == [2, 1, 0]
    assert [call["status"] for call in calls["calls"]] == [200, 200]
    assert confirmed["confirmed_at"]
    assert dns == {"domain": "example.org", "ok": True}
    assert (faults[0]["fault"], left) == ("drop-after-apply", [])
