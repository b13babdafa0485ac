"""How urgent a job is: workers claim the most urgent due job first."""

from enum import IntEnum


class Urgency(IntEnum):
    """Why a subject has work; the smaller number goes first."""

    REVOCATION = 0
    """Somebody must be kept out: a block, a suspension. May use the reserved slice of the call budget."""
    JOINER = 1
    """Somebody waits for a mailbox, or for the groups that come with it."""
    CHANGE = 2
    """A name, a field, a group membership changed; deletions after their grace belong here, too."""
    DRIFT = 3
    """The host differs from what was once done; nobody asked for anything new."""
