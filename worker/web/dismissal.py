"""The body by which something is given up: a job, or an event that could not be applied."""

from pydantic import BaseModel, ConfigDict, Field


class Dismissal(BaseModel):
    """Why it is given up."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(
        default="dismissed by an operator", min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$"
    )
