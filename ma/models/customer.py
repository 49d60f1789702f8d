"""Customers: who they are, what they allow, and figures derived from their facts."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Float, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, BigKey, UtcTime

_PRESENT = text("deleted_at IS NULL")


class Customer(Base):
    """One person. Columns from `orders` on are derived from facts and can be rebuilt at any time.

    A deleted customer keeps address and external id, free for a new customer: by them we know whom
    not to write to again.
    """

    __tablename__ = "customer"
    __table_args__ = (
        Index(None, "deleted_at", "last_name_folded", "first_name_folded"),
        Index(None, "deleted_at", "spend_minor"),
        Index(None, "deleted_at", "last_order_at"),
        *(
            Index(None, name, unique=True, sqlite_where=_PRESENT, postgresql_where=_PRESENT)
            for name in ("email_folded", "external_id")
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    external_id: Mapped[str | None] = mapped_column(String(100))
    first_name: Mapped[str | None] = mapped_column(String(100))
    last_name: Mapped[str | None] = mapped_column(String(100))
    email: Mapped[str | None] = mapped_column(String(254))
    phone: Mapped[str | None] = mapped_column(String(40))
    gender: Mapped[str | None] = mapped_column(String(20))
    birth_date: Mapped[date | None]
    city: Mapped[str | None] = mapped_column(String(100))
    postal_code: Mapped[str | None] = mapped_column(String(20))
    country: Mapped[str | None] = mapped_column(String(2))
    joined_on: Mapped[date | None]
    age_band: Mapped[str | None] = mapped_column(String(20))
    income_band: Mapped[str | None] = mapped_column(String(20))
    home_ownership: Mapped[str | None] = mapped_column(String(40))
    marital_status: Mapped[str | None] = mapped_column(String(40))
    household_size: Mapped[str | None] = mapped_column(String(10))
    household_composition: Mapped[str | None] = mapped_column(String(40))
    kids: Mapped[str | None] = mapped_column(String(10))
    consent_email: Mapped[bool] = mapped_column(default=False)
    consent_sms: Mapped[bool] = mapped_column(default=False)
    consent_push: Mapped[bool] = mapped_column(default=False)
    consent_direct_mail: Mapped[bool] = mapped_column(default=False)
    notes: Mapped[str | None] = mapped_column(Text)

    # Folded copies: SQLite's own lower() folds only ASCII.
    first_name_folded: Mapped[str | None] = mapped_column(String(200))
    last_name_folded: Mapped[str | None] = mapped_column(String(200))
    email_folded: Mapped[str | None] = mapped_column(String(254))
    phone_digits: Mapped[str | None] = mapped_column(String(40))
    city_folded: Mapped[str | None] = mapped_column(String(200))
    search_text: Mapped[str] = mapped_column(Text, default="")
    # A stable place in 0..9999 for random splits: engines share no hash function.
    split_bucket: Mapped[int] = mapped_column(Integer)

    orders: Mapped[int] = mapped_column(default=0)
    spend_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    average_order_minor: Mapped[int | None] = mapped_column(BigInteger)
    first_order_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_order_at: Mapped[datetime | None] = mapped_column(UtcTime)
    favourite_category: Mapped[str | None] = mapped_column(String(100))
    visits: Mapped[int] = mapped_column(default=0)
    last_visit_at: Mapped[datetime | None] = mapped_column(UtcTime)
    engagement: Mapped[float | None] = mapped_column(Float)
    profiled_at: Mapped[datetime | None] = mapped_column(UtcTime)

    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    version: Mapped[int] = mapped_column(default=1)
