"""What every table shares: the base class, the schema and the column types."""

from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, Index, Integer, MetaData, text
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from ma.clock import from_micros, to_micros

SCHEMA = "ma"
# The neighbouring modules: each keeps to its own schema, and hears of the others by events only.
SALES, SERVICE = "sales", "service"
SCHEMAS = (SCHEMA, SALES, SERVICE)

# SQLite gives automatic keys only to a column typed INTEGER.
BigKey = BigInteger().with_variant(Integer, "sqlite")


class UtcTime(TypeDecorator):
    """An instant: integer microseconds on SQLite (which has no time type), timestamptz on PostgreSQL."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect):
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect):
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("An instant needs a time zone.")
        return to_micros(value) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value, dialect) -> datetime | None:
        if value is None:
            return None
        return from_micros(value) if dialect.name == "sqlite" else value.astimezone(UTC)


def _metadata(schema: str) -> MetaData:
    return MetaData(
        schema=schema,
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        },
    )


class Base(DeclarativeBase):
    """Every table of the marketing module, in one schema."""

    metadata = _metadata(SCHEMA)


class SalesBase(DeclarativeBase):
    """Every table of Sales."""

    metadata = _metadata(SALES)


class ServiceBase(DeclarativeBase):
    """Every table of Service."""

    metadata = _metadata(SERVICE)


def partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of those rows only that fulfil a condition, the same on both engines."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))
