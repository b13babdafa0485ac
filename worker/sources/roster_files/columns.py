"""Which column of a file feeds which attribute: as the operator maps them, else by headers that are our names."""

from collections.abc import Mapping, Sequence

from worker.sources.roster_files.bounds import MOST_COLUMNS
from worker.sources.roster_files.faults import Fault, FileBroken
from worker.sources.roster_files.forms import SUBJECT, FileSource, known_header


def attributes_of(header: str, source: FileSource) -> tuple[str, ...]:
    """Return the attributes that a column or key feeds; none where nobody asks for it."""
    mapped = source.columns.get(header) or source.columns.get(header.strip())
    if mapped is not None:
        return mapped
    name = known_header(header)
    # An attribute that the operator takes from elsewhere is not fed by a column that happens to have its name.
    return (name,) if name is not None and not any(name in names for names in source.columns.values()) else ()


def placed(headers: Sequence[str], source: FileSource, line: int) -> Mapping[str, int]:
    """Return where in a row each attribute stands. Raises FileBroken where that cannot be said, or nobody is named."""
    if len(headers) > MOST_COLUMNS:
        raise FileBroken(Fault(line, None, f"there are {len(headers):,} columns, more than {MOST_COLUMNS}"))
    places: dict[str, int] = {}
    for place, header in enumerate(headers):
        for name in attributes_of(header, source):
            if name in places:
                why = f"columns {places[name] + 1} and {place + 1} both are {name}: map one of them under `columns`"
                raise FileBroken(Fault(line, header, why))
            places[name] = place
    if SUBJECT not in places:
        raise FileBroken(Fault(line, None, no_subject(source)))
    return places


def no_subject(source: FileSource) -> str:
    """Say that nobody can be told apart."""
    asked = source.column_for(SUBJECT)
    return (
        f"there is no column {asked!r}, which names the person"
        if asked != SUBJECT
        else 'there is no column "subject", which names the person by a key that never changes: map one under `columns`'
    )
