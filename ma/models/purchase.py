"""Purchases: orders and their lines."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, BigKey, UtcTime


class Purchase(Base):
    """One order. `kind` is sale or refund; the amount is signed, in minor units."""

    __tablename__ = "purchase"
    # Rules on what was bought read only these: each customer's orders, or those of a period.
    __table_args__ = (
        Index(None, "customer_id", "at", "kind", "amount_minor"),
        # With the id, which SQLite's indexes hold anyway, lines find their orders without reading these.
        Index(None, "at", "amount_minor", "kind", "customer_id", postgresql_include=["id"]),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("ma.customer.id"))
    external_key: Mapped[str | None] = mapped_column(String(100), unique=True)
    kind: Mapped[str] = mapped_column(String(10))
    at: Mapped[datetime] = mapped_column(UtcTime)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    import_id: Mapped[int | None] = mapped_column(Integer)


class Category(Base):
    """A product category's name, kept once; `name_folded` is what rules compare."""

    __tablename__ = "category"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_folded: Mapped[str] = mapped_column(String(200), unique=True)


class PurchaseLine(Base):
    """What an order was made of: one row per category (or product, where it is known)."""

    __tablename__ = "purchase_line"
    # The orders with a category, and what it cost in them.
    __table_args__ = (Index(None, "category_id", "purchase_id", "amount_minor"),)

    purchase_id: Mapped[int] = mapped_column(BigKey, ForeignKey("ma.purchase.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("ma.category.id"))
    product: Mapped[str | None] = mapped_column(String(200))
    quantity: Mapped[int]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
