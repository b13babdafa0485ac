"""The README says what is there: every command, every setting, every state; and what it shows, works."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from worker.cli.application import application
from worker.cli.later import Later
from worker.events import EVENT_TYPES, parse_event
from worker.policy import Policy, StageAction, load_policy
from worker.sandbox.control import ACTIONS
from worker.sandbox.fault_lists import OPTIONS
from worker.settings import documented_settings
from worker.sources import AmqpSource, HookSource, SourceConfig, SourceKind, load_sources
from worker.sources.sections import HydrateSection, MapSection, SignatureSection
from worker.store.states import EventState, HintState, JobState, StepState

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SANDBOX = README.partition("## Sandbox\n")[2].partition("\n## ")[0]
SOURCES = README.partition("### Sources\n")[2].partition("\n### ")[0]
POLICY = README.partition("### Policy\n")[2].partition("\n### ")[0]
STATES = README.partition("## States")[2].partition("```")[2].partition("```")[0]


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command below a group."""
    children = getattr(group, "commands", None)
    if not children:
        yield path
        return
    for name, child in children.items():
        yield from commands(child.load() if isinstance(child, Later) else child, (*path, name))


@pytest.mark.parametrize("words", sorted(commands(application())), ids=" ".join)
def test_command_is_documented(words: tuple[str, ...]) -> None:
    """Every command stands in the README's tables, subcommands in the list behind their group."""
    rows = [line for line in README.splitlines() if line.startswith("| `mailroster") and words[0] in line]

    assert any(all(re.search(rf"\b{re.escape(word)}\b", row) for word in words) for row in rows)


@pytest.mark.parametrize("setting", documented_settings(), ids=lambda setting: setting.name)
def test_setting_is_documented_with_its_default(setting: object) -> None:
    """Every setting stands in the README with the default it has."""
    (row,) = [line for line in README.splitlines() if line.startswith("| `MAILROSTER_") and f"`{setting.name}`" in line]

    assert setting.default is None or f"`{setting.default}`" in row


@pytest.mark.parametrize("state", [*EventState, *HintState, *JobState, *StepState])
def test_state_is_in_the_diagram(state: str) -> None:
    """The diagram of states names every state there is."""
    assert re.search(rf"\b{state}\b", STATES)


def test_policy_of_the_chapter_grows_from_a_few_lines_to_the_full_one() -> None:
    """Each example is a policy together with those before it, and the last has every section and every stage."""
    examples = re.findall(r"```toml\n(.*?)```", POLICY, re.DOTALL)
    policies = [load_policy("\n".join(examples[: number + 1])) for number in range(len(examples))]

    assert len(policies) > 1
    assert {*Policy.model_fields} == policies[-1].model_fields_set
    assert {action for stage in policies[-1].leaving.stages for action in stage.do} == {*StageAction}


@pytest.mark.parametrize("action", StageAction)
def test_stage_of_leaving_is_documented(action: str) -> None:
    """Every action of a stage is told with what it does."""
    assert f"| `{action}` |" in POLICY or f"`{action}`" in README.partition("### Erasing people")[2]


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_event_type_is_documented(kind: str) -> None:
    """Every type of event is named."""
    assert f"`{kind}`" in README


@pytest.mark.parametrize("kind", SourceKind)
def test_source_kind_is_documented(kind: str) -> None:
    """Every kind of source has its row in the chapter's table."""
    assert f"| `{kind}` |" in SOURCES


def test_source_that_sends_with_a_token_needs_no_more_than_is_said() -> None:
    """Senders of CloudEvents over HTTP have their row, and the table that it names is one."""
    (row,) = [line for line in SOURCES.splitlines() if "`/api/v1/events`" in line and line.startswith("| ")]
    assert "`mailroster token create --role source --source NAME`" in row
    (table,) = re.findall(r'`(kind = "\w+")`', row)

    assert load_sources(f"[sources.hr]\n{table}\n", {}).get("hr") is not None


def test_sources_of_the_chapter_can_be_used() -> None:
    """Its examples make up one file, and those of an hmac and an amqp source show every key of their kind."""
    examples = "\n".join(re.findall(r"```toml\n(.*?)```", SOURCES, re.DOTALL)).replace("secret_file", "secret_env")
    secrets = {
        "HR_WEBHOOK_SECRET": "A" * 40,
        "secrets/payroll": "a text",
        "BUS_URL": "amqp://rabbit/",
        "FINCH_TOKEN": "t",
    }
    sources = load_sources(examples, secrets)
    declared = sources.get("payroll")

    assert isinstance(declared, HookSource)
    assert declared.signature is not None
    assert declared.map is not None
    assert declared.signature.model_fields_set == {*SignatureSection.model_fields} - {"separator", "timestamp_prefix"}
    assert declared.map.model_fields_set == {*MapSection.model_fields}
    hinting = sources.get("people")
    assert isinstance(hinting, HookSource)
    assert hinting.hydrate is not None
    assert hinting.hydrate.model_fields_set == {*HydrateSection.model_fields}
    (bus,) = sources.of(AmqpSource)
    assert bus.model_fields_set >= {*AmqpSource.model_fields} - {*SourceConfig.model_fields} - {"url_file"}


@pytest.mark.parametrize("fault", OPTIONS)
def test_fault_of_the_sandbox_is_documented_with_its_options(fault: str) -> None:
    """Every fault stands in the chapter's table, and its options are told."""
    status = fault.partition("-")[0]
    name = f"`{status}-...`" if status in {"502", "504"} else f"`{fault}`"

    (row,) = [line for line in SANDBOX.splitlines() if line.startswith("| ") and name in line.split("|")[1]]

    assert all(f"`{option}`" in row for option in OPTIONS[fault])


@pytest.mark.parametrize("path", sorted({path for _, path in ACTIONS}))
def test_control_of_the_sandbox_is_documented(path: str) -> None:
    """Every control is shown at work."""
    assert f"$CONTROL/{path.rpartition('/')[2]}" in SANDBOX


def test_example_event_is_valid() -> None:
    """The event that the README shows is accepted as it stands."""
    shown = README.partition("```json")[2].partition("```")[0]

    assert parse_event(json.loads(shown), now=datetime(2026, 11, 22, tzinfo=UTC)).subject == "E1001"
