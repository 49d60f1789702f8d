"""Saved views: a list with its search, filters, columns and order, under a name."""

from datetime import datetime

from sqlalchemy import JSON, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, UtcTime


class SavedView(Base):
    """One person's view of a list; a shared one is everybody's to open and its owner's to change."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("screen", "owner", "name_folded"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    screen: Mapped[str] = mapped_column(String(40))
    owner: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(100))
    name_folded: Mapped[str] = mapped_column(String(200))
    # The address's parameters.
    params: Mapped[dict] = mapped_column(JSON)
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
