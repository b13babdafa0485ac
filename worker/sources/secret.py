"""Secrets of the sources file: it says where they are, in a variable or a file, and the models hold what is there.

Every section that needs one gives its fields these types: a key that ends in ``_env`` or ``_file`` is the usual name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SecretStr, ValidationInfo


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sources file is read against; pydantic's context of every model in it."""

    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = Path()
    """Where relative paths start."""


def _variables(given: object, info: ValidationInfo) -> tuple[SecretStr, ...]:
    return tuple(_variable(place, info) for place in _places(given))


def _files(given: object, info: ValidationInfo) -> tuple[SecretStr, ...]:
    return tuple(_file(place, info) for place in _places(given))


def _variable(place: object, info: ValidationInfo) -> SecretStr:
    if isinstance(place, SecretStr):
        return place
    name = _place(place, "the name of a variable")
    value = surroundings_of(info).environment.get(name, "").strip()
    if not value:
        raise ValueError(f"the variable {name} is not set")
    return SecretStr(value)


def _file(place: object, info: ValidationInfo) -> SecretStr:
    if isinstance(place, SecretStr):
        return place
    path = _place(place, "the path of a file")
    try:
        value = (surroundings_of(info).directory / path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}") from None
    if not value:
        raise ValueError(f"{path} is empty")
    return SecretStr(value)


def surroundings_of(info: ValidationInfo) -> Surroundings:
    """Return what the file is read against; nothing where a model is made directly."""
    return info.context if isinstance(info.context, Surroundings) else Surroundings()


def _places(given: object) -> list[object]:
    listed = list(given) if isinstance(given, list | tuple) else [given]
    if not listed or not all(isinstance(place, str | SecretStr) and place for place in listed):
        raise ValueError("must be a text, or a list of texts during a rotation")
    return listed


def _place(place: object, wanted: str) -> str:
    if not isinstance(place, str) or not place:
        raise ValueError(f"must be {wanted}")
    return place


SecretOfVariable = Annotated[SecretStr, BeforeValidator(_variable)]
"""Written: the name of a variable. Held: its value."""
SecretOfFile = Annotated[SecretStr, BeforeValidator(_file)]
"""Written: the path of a file, from the sources file's directory. Held: what the file holds, trimmed."""
SecretsOfVariables = Annotated[tuple[SecretStr, ...], BeforeValidator(_variables)]
"""The same for one or several, as during a rotation."""
SecretsOfFiles = Annotated[tuple[SecretStr, ...], BeforeValidator(_files)]
"""The same for one or several, as during a rotation."""
