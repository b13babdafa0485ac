"""What a roster states, in one number: the same for the same rows, in whatever order an export lists them."""

import hashlib
import json


class Digest:
    """The digest of rows, kept while they are read; memory does not grow with them."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, stated: object) -> None:
        """Count what one row states."""
        # Added, because that can be done in any order, and not xor-ed: a row that comes twice would vanish.
        row = hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).digest()
        self._sum = (self._sum + int.from_bytes(row)) % 2**256

    def hexdigest(self) -> str:
        """Return the digest of what was added so far, as 64 hexadecimal digits."""
        return f"{self._sum:064x}"
