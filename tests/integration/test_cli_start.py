"""How commands start: none waits for what it does not need, and what is told of one before it is imported is true."""

import tomllib
from pathlib import Path

import pytest

from tests.integration.shell import ROOT, Shell
from worker.cli.application import application
from worker.cli.later import Later

STORE = {"sqlalchemy", "alembic"}
NETWORK = {"httpx", "httpcore", "tenacity"}
BROKER = {"celery", "kombu", "amqp"}
WEB = {"fastapi", "starlette", "uvicorn"}
COMMANDS = application().commands


@pytest.mark.parametrize("words", [(), ("--help",), ("--version",), ("no-such",)], ids=" ".join)
def test_what_is_told_of_all_commands_imports_none(words: tuple[str, ...], tmp_path: Path):
    """Help, the version and a name that is wrong are told without any room, and without what the rooms are built of."""
    assert imported_by(Shell(tmp_path), *words) & (STORE | NETWORK | BROKER | WEB) == set()


def test_stand_in_starts_without_what_it_stands_in_for(tmp_path: Path):
    """The sandbox imports nothing that the rest is built of, but what serves it."""
    assert imported_by(Shell(tmp_path), "sandbox", "--help") & (STORE | NETWORK | BROKER) == set()


@pytest.mark.parametrize(
    "words", [("jobs", "list"), ("people", "list"), ("why", "E1"), ("policy", "check")], ids=" ".join
)
def test_commands_that_end_wait_for_no_server_of_ours(words: tuple[str, ...], tmp_path: Path):
    """Looking needs neither Celery nor a web framework."""
    shell = Shell(tmp_path)
    assert shell.run("init").code == 0
    assert shell.run("db", "upgrade").code == 0

    assert imported_by(shell, *words) & (BROKER | WEB) == set()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_line_of_a_command_is_how_its_help_begins(name: str):
    """The list of all commands says of each what its own help says first."""
    command = COMMANDS[name]
    assert isinstance(command, Later)

    loaded = command.load()

    assert command.help == " ".join(loaded.help.partition("\n\n")[0].split())


def test_version_is_that_of_the_package(tmp_path: Path):
    """`--version` says the name and the version of what is installed, and nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    ran = Shell(tmp_path).run("--version")

    assert (ran.code, ran.out, ran.err) == (0, f"mailroster {project['version']}\n", "")


def imported_by(shell: Shell, *words: str) -> set[str]:
    """Return the top-level names that a process imports which runs this command."""
    ran = shell.run(*words, PYTHONPROFILEIMPORTTIME="1")
    imports = [line.rpartition("|")[2].strip() for line in ran.err.splitlines() if line.startswith("import time:")]
    assert "worker.cli" in imports
    return {name.partition(".")[0] for name in imports}
