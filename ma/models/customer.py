"""Customers: who they are, what they allow, and figures derived from their facts."""

from datetime import date, datetime

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, BigKey, UtcTime

_PRESENT = text("deleted_at IS NULL")


class Customer(Base):
    """One person. Columns from `orders` on are derived from facts and can be rebuilt at any time.

    A deleted customer keeps address and external id, free for a new customer: by them we know whom
    not to write to again. One that was merged into another points there. One that was erased keeps nothing
    personal; their facts stay in the sums.
    """

    __tablename__ = "customer"
    __table_args__ = (
        # Lists walk these in order; with the id in them, equal values have an order too and no row is read.
        *(
            Index(None, "deleted_at", name, "id")
            for name in ("spend_minor", "last_order_at", "engagement", "created_at")
        ),
        *(
            Index(None, name, unique=True, sqlite_where=_PRESENT, postgresql_where=_PRESENT)
            for name in ("email_folded", "external_id")
        ),
        # PostgreSQL finds out who is there without reading people, and in the order of their facts.
        Index("ix_customer_present", "id", postgresql_where=_PRESENT).ddl_if(dialect="postgresql"),
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
    # Whether the address may be handed to an ad platform, which shows them ads.
    consent_ads: Mapped[bool] = mapped_column(default=False)

    # Folded copies: SQLite's own lower() folds only ASCII.
    first_name_folded: Mapped[str | None] = mapped_column(String(200))
    last_name_folded: Mapped[str | None] = mapped_column(String(200))
    email_folded: Mapped[str | None] = mapped_column(String(254))
    phone_digits: Mapped[str | None] = mapped_column(String(40))
    city_folded: Mapped[str | None] = mapped_column(String(200))
    # Folded words with one blank between them; each engine has its own index over them (db/search.py).
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
    merged_into: Mapped[int | None] = mapped_column(BigKey)
    erased_at: Mapped[datetime | None] = mapped_column(UtcTime)
    # The import that added this row, so that it can be taken back.
    import_id: Mapped[int | None] = mapped_column(Integer)


# Who has a last name only stands before those who share it. (SQLite does so anyway, and has no such words.)
Index(
    "ix_customer_by_name",
    Customer.deleted_at,
    Customer.last_name_folded,
    Customer.first_name_folded.nulls_first(),
    Customer.id,
)


class ConsentChange(Base):
    """A channel was allowed or no longer allowed. The customer's own columns hold the last of these."""

    __tablename__ = "consent_change"
    __table_args__ = (Index(None, "customer_id", "at"), Index(None, "at"))

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("ma.customer.id"))
    channel: Mapped[str] = mapped_column(String(20))
    allowed: Mapped[bool]
    at: Mapped[datetime] = mapped_column(UtcTime)
    # Where it comes from: form, import or merge; "first record" is what was known when the history began.
    source: Mapped[str] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(100))
    import_id: Mapped[int | None] = mapped_column(Integer)


class Attribute(Base):
    """A field that the workspace defined itself. `kind` is text, number, yes_no, date or list."""

    __tablename__ = "attribute"
    # Old versions of rules still name fields that were deleted: SQLite would give their ids to others.
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_folded: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(10))
    # What a text or list may hold; empty: anything.
    choices: Mapped[list] = mapped_column(JSON)
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class AttributeValue(Base):
    """One value of a customer's own field, in the column of its kind; a list has one row for each item."""

    __tablename__ = "attribute_value"
    __table_args__ = (Index(None, "customer_id"),)

    attribute_id: Mapped[int] = mapped_column(ForeignKey("ma.attribute.id"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(BigKey, ForeignKey("ma.customer.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str | None] = mapped_column(String(1000))
    text_folded: Mapped[str | None] = mapped_column(String(2000))
    number: Mapped[float | None] = mapped_column(Float)
    flag: Mapped[bool | None]
    day: Mapped[date | None]


class Tag(Base):
    """A word that people put on customers."""

    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_folded: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class CustomerTag(Base):
    """A customer has a tag since `at`."""

    __tablename__ = "customer_tag"
    __table_args__ = (Index(None, "customer_id"),)

    tag_id: Mapped[int] = mapped_column(ForeignKey("ma.tag.id"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(BigKey, ForeignKey("ma.customer.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    actor: Mapped[str] = mapped_column(String(100))


class Note(Base):
    """What somebody wrote down about a customer."""

    __tablename__ = "note"
    __table_args__ = (Index(None, "customer_id", "at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("ma.customer.id"))
    text: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcTime)
    edited_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ErasedIdentity(Base):
    """A keyed hash of an address or id of somebody who was erased: an import must not bring them back."""

    __tablename__ = "erased_identity"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)


class DistinctPair(Base):
    """Two customers who look like one person and are not: not to be suggested again."""

    __tablename__ = "distinct_pair"

    first_id: Mapped[int] = mapped_column(BigKey, ForeignKey("ma.customer.id"), primary_key=True)
    second_id: Mapped[int] = mapped_column(BigKey, ForeignKey("ma.customer.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    actor: Mapped[str] = mapped_column(String(100))
