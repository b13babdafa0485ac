"""The parameters that lists and single objects share."""

from typing import Annotated

from fastapi import Path, Query

_LARGEST_ID = 2**63 - 1  # what an id column holds

Key = Annotated[int, Path(ge=1, le=_LARGEST_ID)]
"""Our own id of something, in a path."""

After = Annotated[int, Query(ge=0, le=_LARGEST_ID, description="the `next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=200, description="how many objects at most")]
