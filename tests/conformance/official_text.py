"""The commands of Migadu's official text and the sample answers under them, as they stand in `official_text.txt`.

That file is copied from `migadu-api.txt` word for word: each heading, the `$ curl` lines below it, and the sample,
which belongs to all commands of its heading. A command is run by a real shell after address, user and domain were
replaced.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.conformance.target import TIMEOUT_S, Target

TEXT = Path(__file__).with_suffix(".txt")
ADDRESS, DOMAIN, CREDENTIALS = "https://api.migadu.com/v1", "mydomain.org", "MIGADU_USER:USER_TOKEN"
CURLRC = 'silent\nshow-error\nwrite-out = "\\n%{http_code} %{content_type}"\n'
"""How curl is told, without a change to its command, to say last what status and type the answer had."""


@dataclass(frozen=True, slots=True)
class Command:
    """One `curl` command: its heading, its number below it, and its text without the prompt."""

    heading: str
    number: int
    text: str

    @property
    def verb(self) -> str:
        """INDEX, SHOW, CREATE, UPDATE or DELETE; the introduction's own example is an INDEX."""
        return self.heading.partition("/")[2] or "INDEX"

    @property
    def path(self) -> str:
        """What it speaks of, below the domain."""
        return re.search(rf"{DOMAIN}/(\S+)", self.text).group(1)  # type: ignore[union-attr]

    @property
    def body(self) -> dict[str, Any]:
        """What it sends."""
        sent = re.search(r"-d '(.*?)'", self.text)
        return json.loads(sent.group(1)) if sent else {}


def commands() -> Iterator[Command]:
    """Yield every command of the text."""
    for heading, section in _sections().items():
        for number, text in enumerate(re.findall(r"^\$ (curl(?:.*\\\n)*.*)", section, re.MULTILINE), start=1):
            yield Command(heading, number, text)


def samples(domain: str) -> dict[str, dict[str, Any]]:
    """Return the sample answer of each heading that has one, with this domain in it."""
    found = {heading: re.search(r"^\{.*^\}", text, re.DOTALL | re.MULTILINE) for heading, text in _sections().items()}
    return {heading: json.loads(sample[0].replace(DOMAIN, domain)) for heading, sample in found.items() if sample}


def run(command: Command, target: Target, home: Path) -> httpx.Response:
    """Run a command against a host and return its answer; the directory holds curl's settings.

    User and key come from the shell's environment, so that they are shown nowhere.
    """
    (home / ".curlrc").write_text(CURLRC)
    script = command.text.replace(ADDRESS, target.api_url).replace(DOMAIN, target.domain)
    script = script.replace(CREDENTIALS, '"$MIGADU_USER:$USER_TOKEN"')
    secrets = {"MIGADU_USER": target.user, "USER_TOKEN": target.key, "CURL_HOME": str(home)}
    target.wait_for_turn()
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, **secrets}, capture_output=True, check=False, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr.decode()
    content, _, said = done.stdout.rpartition(b"\n")
    status, _, type_ = said.decode().partition(" ")
    return httpx.Response(
        int(status), headers={"content-type": type_}, content=content, request=_request(command, target)
    )


def _request(command: Command, target: Target) -> httpx.Request:
    method = re.search(r"-X (\w+)", command.text)
    return httpx.Request(method[1] if method else "GET", f"{target.api_url}/domains/{target.domain}/{command.path}")


def _sections() -> dict[str, str]:
    """Cut the text at its headings."""
    parts = re.split(r"^(API Requests|[A-Z]\w+/[A-Z]+)\n", TEXT.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
