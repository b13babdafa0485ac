"""How the database carries out what is really sent to it, and whether that reads a growing table from end to end."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event

from worker.store.database import Database
from worker.store.tables import Base

SMALL = {
    "call_gate",
    "call_slots",
    "domains",
    "erasure_key",
    "hint_pauses",
    "pauses",
    "policies",
    "snapshots",
    "tokens",
    "workers",
}
"""The tables that hold a few rows whatever happens. All others grow with people, with events or with time."""
GROWING = {*Base.metadata.tables} - SMALL
PARTIAL = {
    index.name
    for table in Base.metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
}
"""Indexes that hold only what waits for somebody: to read all of such a one is to read little."""
_SCAN = re.compile(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement that was sent, and what it reads from end to end of the tables that grow."""

    statement: str
    whole: tuple[str, ...]
    plan: str


@contextmanager
def sent_to(database: Database) -> Iterator[list[Sent]]:
    """Collect what is sent to the database meanwhile, in its order; beginnings and ends of transactions apart."""
    seen: list[Sent] = []

    def explain(conn: Connection, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
        is_many = more[-1]
        if is_many or statement.split(maxsplit=1)[0].upper() not in ("SELECT", "WITH", "UPDATE", "DELETE", "INSERT"):
            return
        if database.is_sqlite:
            rows = cursor.connection.execute("EXPLAIN QUERY PLAN " + statement, parameters).fetchall()
            details = [row[3] for row in rows]
            seen.append(Sent(statement, tuple(filter(_is_whole_on_sqlite, details)), "\n".join(details)))
        else:
            explained = cursor.connection.execute("EXPLAIN (FORMAT JSON) " + statement, parameters).fetchall()
            ((plan,),) = explained[0]
            nodes = list(_nodes(plan["Plan"]))
            whole = tuple(str(node) for node in nodes if _is_whole_on_postgresql(node))
            seen.append(Sent(statement, whole, json.dumps(nodes, indent=1)))

    event.listen(database.engine, "before_cursor_execute", explain)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", explain)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {name: value for name, value in plan.items() if name != "Plans"}
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _is_whole_on_postgresql(node: dict[str, Any]) -> bool:
    if node["Node Type"] == "Seq Scan":
        return node["Relation Name"] in GROWING
    return "Index Name" in node and "Index Cond" not in node and node["Index Name"] not in PARTIAL


def _is_whole_on_sqlite(detail: str) -> bool:
    found = _SCAN.match(detail)
    return found is not None and found[1] in GROWING and found[2] not in PARTIAL
