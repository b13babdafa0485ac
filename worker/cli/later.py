"""Commands that are imported when they are called, so that none waits for what the others need.

Their list must not import them either: each stands in it with a line, which is the first paragraph of its own help.
"""

import gc
import sys
from importlib import import_module
from types import ModuleType
from typing import Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


class Later(TyperCommand):
    """A command or a group of them, of which only the name, the line in the list and the module are known yet.

    A module has the commands of a group in ``commands``, and a command alone in the function of its name.
    """

    def __init__(self, name: str, module: str, line: str) -> None:
        super().__init__(name, help=line)
        self._module = module

    def load(self) -> Any:
        """Import the module, and return the command or group itself."""
        app, module, name = typer.Typer(rich_markup_mode=markup()), _imported(self._module), str(self.name)
        if hasattr(module, "commands"):
            app.add_typer(module.commands(), name=name, help=self.help)
        else:
            app.command(name)(getattr(module, name))
        return get_group(app).commands[name]


class Commands(TyperGroup):
    """All commands, each imported when it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is named, imported, with what is left of the arguments. Raises typer's UsageError."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Later) else command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            from worker.cli.usage import reword  # noqa: PLC0415 - pydantic takes long to import

            reword(error)
            raise


def markup() -> Literal["rich"] | None:
    """Return how help and usage errors are written: framed on a terminal, plain lines elsewhere."""
    return "rich" if sys.stdout.isatty() and sys.stderr.isatty() else None


def _imported(name: str) -> ModuleType:
    # What is imported stays to the end. To look for garbage in it, on the way and once more when the process ends, is
    # a third of what a short command costs.
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()
