"""A spool: values set aside in a file that nobody else sees and that vanishes with us, so that memory stays flat."""

import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from typing import Any, Self


class Spool:
    """JSON values, written once and then read from the start, in batches."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, value: object) -> None:
        """Set a value aside."""
        self._file.write(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")
        self.count += 1

    def batches(self, size: int) -> Iterator[list[Any]]:
        """Yield what was set aside, so many values at a time."""
        self._file.seek(0)
        while batch := [json.loads(line) for line in islice(self._file, size)]:
            yield batch
