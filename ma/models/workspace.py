"""The workspace: one row that says what this database is."""

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, UtcTime


class Workspace(Base):
    """Time zone, currency, and whether this is a demo world with a clock that can be moved."""

    __tablename__ = "workspace"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    timezone: Mapped[str] = mapped_column(String(64))
    currency: Mapped[str] = mapped_column(String(3))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    demo_loaded_at: Mapped[datetime | None] = mapped_column(UtcTime)
    demo_seed: Mapped[int | None]
    clock_offset_seconds: Mapped[int] = mapped_column(BigInteger, default=0)
