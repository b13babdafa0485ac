"""What holds of the repository as a whole: its layout, its lock, its scripts, and what no file may contain."""

import ast
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
TOP_LEVEL = {"pyproject.toml", "README.md", "worker", "migrations", "tests", "deploy", "alembic.ini"}
MODULES = sorted(
    path.relative_to(ROOT).as_posix() for room in ("worker", "migrations") for path in (ROOT / room).rglob("*.py")
)
SCRIPTS = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("deploy/*.sh"), ROOT / ".ci/run"))

# The sandbox shares no code with anyone, so it has a clock of its own.
CLOCKS = {"worker/clock.py", "worker/sandbox/host.py"}
ASKS_THE_CLOCK = re.compile(r"(date(time)?\.(now|utcnow|today)|(^|\.)time\.(time|time_ns|sleep))$")
MACHINE_PATH = re.compile(r"(?<![\w./*-])/(?:work|root|home/\w+|Users/\w+)/")


def test_top_level_is_as_agreed():
    """The top level holds the agreed files and folders, dotfiles, and nothing else."""
    found = {path.split("/")[0] for path in kept_files()}

    assert {name for name in found if not name.startswith(".")} <= TOP_LEVEL


def test_lock_names_no_index():
    """The lock holds requirements and hashes only: no option and no address, so that any index serves it."""
    lines = lock_lines()

    assert [line for line in lines if "://" in line] == []
    assert [line for line in lines if line.lstrip().startswith("-") and not line.startswith("    --hash=")] == []


def test_lock_hashes_everything():
    """Every requirement of the lock is pinned to one version and has a hash."""
    blocks = re.split(r"\n(?=\S)", "\n".join(lock_lines()))

    assert len(blocks) > 1
    pinned = re.compile(r"[\w.-]+==\S+( ; python_full_version < \"[\d.]+\")? \\\n    --hash=sha256:[0-9a-f]{64}")
    assert [block for block in blocks if not pinned.match(block)] == []


@pytest.mark.parametrize("version", ["3.11.0", "3.11.2", "3.11.9", "3.12.0", "3.13.0", "3.14.0"])
def test_lock_holds_what_each_python_needs(version: str):
    """What a package of the lock asks for on one Python alone is in the lock, whichever made it."""
    python = {"python_full_version": version, "python_version": version.rpartition(".")[0], "extra": ""}
    locked = {distribution(line) for line in lock_lines() if "==" in line}
    installed = [each for each in distributions() if distribution(each.name) in locked]
    asked = [Requirement(each) for one in installed for each in one.requires or ()]
    needed = {each.name for each in asked if each.marker is None or each.marker.evaluate(python)}

    assert installed
    assert {distribution(name) for name in needed} <= locked


def test_lock_covers_the_project():
    """Every package that pyproject.toml asks for, extras and build included, is in the lock."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = pyproject["project"]
    asked = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
        *pyproject["build-system"]["requires"],
    ]
    locked = {distribution(line) for line in lock_lines() if "==" in line}

    assert {distribution(requirement) for requirement in asked} <= locked


def test_scripts_are_found():
    """The tests below look at the scripts people run, and not at an empty list."""
    assert {"deploy/demo.sh", "deploy/test.sh", ".ci/run"} <= set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_valid_bash(script):
    """Every shell script is read by bash without complaint."""
    checked = subprocess.run(["bash", "-n", ROOT / script], capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("script", ["deploy/demo.sh", "deploy/test.sh", ".ci/run"])
def test_script_is_executable(script):
    """The scripts that people run by name can be run by name."""
    assert os.access(ROOT / script, os.X_OK)


@pytest.mark.parametrize("module", MODULES)
def test_module_says_what_it_is(module):
    """Every module opens with a docstring."""
    assert ast.get_docstring(parsed(module))


@pytest.mark.parametrize("module", [module for module in MODULES if module not in CLOCKS])
def test_module_asks_no_clock(module):
    """Only the clock asks what time it is, and nobody sleeps."""
    assert list(questions_to_the_clock(parsed(module))) == []


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("import datetime\ndatetime.datetime.now()", ["datetime.datetime.now"]),
        ("from datetime import datetime, date\ndatetime.utcnow, date.today()", ["datetime.utcnow", "date.today"]),
        ("import time\ntime.sleep(1)", ["time.sleep"]),
        ("from time import sleep, monotonic", ["sleep"]),
        ("clock.now(); time.monotonic(); '''datetime.now()'''", []),
    ],
)
def test_questions_to_the_clock_are_recognised(source, asked):
    """A question to the clock is recognised however it is imported, and words in a text are none."""
    assert list(questions_to_the_clock(ast.parse(source))) == asked


def test_no_file_names_a_machine_path():
    """No file names a folder that exists on its author's machine only."""
    naming = [path for path in kept_files() if MACHINE_PATH.search((ROOT / path).read_text(errors="replace"))]

    assert naming == []


def kept_files() -> list[str]:
    """The files that are or will be under version control."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("needs git and a checkout")
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},  # set inside hooks
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted({path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file()})


def lock_lines() -> list[str]:
    """The lines of the lock without its comments."""
    lines = (ROOT / "deploy/requirements.lock").read_text().splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def distribution(requirement: str) -> str:
    """The normalised name a requirement begins with."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def parsed(module: str) -> ast.Module:
    """The syntax tree of a module of this repository."""
    return ast.parse((ROOT / module).read_text())


def questions_to_the_clock(tree: ast.Module) -> Iterator[str]:
    """What in this module asks for the present time or sleeps."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ASKS_THE_CLOCK.search(ast.unparse(node)):
            yield ast.unparse(node)
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (alias.name for alias in node.names if alias.name in {"time", "time_ns", "sleep"})
