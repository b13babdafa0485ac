"""Every part of one kind that a policy holds, with the path of its key: every text, every rule, wherever it stands."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel

from worker.toml.lines import KeyPath

Part = TypeVar("Part")


def parts(value: object, kind: type[Part], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Part]]:
    """Yield all that is of this kind in a policy or a section of it; nothing is looked for inside what was found."""
    if isinstance(value, kind):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from parts(getattr(value, name), kind, (*path, name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from parts(inner, kind, (*path, name))
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from parts(inner, kind, (*path, index))
