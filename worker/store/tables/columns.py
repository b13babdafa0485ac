"""What all tables are made of: their base with its names of constraints, ids, instants, states, partial indexes."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Enum, Integer, MetaData, Text, TypeDecorator, text
from sqlalchemy.orm import DeclarativeBase

from worker.store.states import EventState, HintState, JobState, StepState

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up by itself only for INTEGER PRIMARY KEY


class Instant(TypeDecorator[datetime]):
    """An aware instant in UTC. SQLite keeps text without a zone, so the zone is taken off and put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Refuse naive datetimes; hand over UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return aware UTC, whatever zone the database session speaks."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def word(enum: type[EventState] | type[HintState] | type[JobState] | type[StepState]) -> Enum:
    """Return the type of a column that holds a state."""
    # Text with a Python-side check: a new state then needs no ALTER TYPE.
    return Enum(
        enum, native_enum=False, length=16, create_constraint=False, values_callable=lambda e: [m.value for m in e]
    )


class Base(DeclarativeBase):
    """All models; names of constraints follow one convention so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        },
    )
    type_annotation_map = {datetime: Instant, dict[str, Any]: JSON, list[Any]: JSON, str: Text}  # noqa: RUF012 - SQLAlchemy reads it as is


def only_where(condition: str) -> dict[str, Any]:
    """Return what makes an index a partial one, in SQL that both engines read."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
