"""Erasing a person: until when what is told of them is about the time that is erased."""

from collections.abc import Mapping
from datetime import datetime

from worker.roster.employment import employment_of
from worker.roster.person import Person


def erased_until(person: Person, precedence: Mapping[str, int]) -> datetime | None:
    """Return the later of the newest wish to erase and the newest word on employment: who joins after it is new here.

    None where neither was ever stated.
    """
    instants = [record.purged.version.time for record in person.records if record.purged]
    employment = employment_of(person.records, precedence)
    if employment is not None:
        instants.append(employment.at)
    return max(instants, default=None)
