"""What one check of a checkup found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    ok: bool
    said: str
    mend: str | None = None
    """What to do about it; None where nothing is broken."""
    needs_person: bool = False
    """Everything works, and somebody must decide or state something."""
