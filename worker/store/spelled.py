"""Conditions on states whose values are spelled out in the statement instead of being bound to it.

A planner takes a partial index only where it knows that the index holds what is asked for. Of `state in (?, ?)` SQLite
never knows it (of `state = ?` it does, once it has the value), and PostgreSQL of neither in a plan that it keeps for a
prepared statement.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, literal


def is_in(column: Any, *states: StrEnum) -> ColumnElement[bool]:
    """Return the condition that a column holds one of these states, in the order in which its index names them."""
    if len(states) == 1:
        return column == _spelled(column, states[0])  # type: ignore[no-any-return]
    return column.in_([_spelled(column, state) for state in states])  # type: ignore[no-any-return]


def is_not(column: Any, state: StrEnum) -> ColumnElement[bool]:
    """Return the condition that a column holds another state than this."""
    return column != _spelled(column, state)  # type: ignore[no-any-return]


def _spelled(column: Any, state: StrEnum) -> ColumnElement[Any]:
    return literal(state, column.type, literal_execute=True)
