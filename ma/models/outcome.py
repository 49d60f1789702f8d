"""Outcomes: what one person did with one campaign."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, BigKey, UtcTime, partial

# The steps that other modules are told of, each found by its time.
TOLD = ("bounced", "clicked", "converted", "unsubscribed", "complained")


class Outcome(Base):
    """One person assigned to one campaign; the key makes a second sending impossible.

    Every step holds the first time it happened, or NULL. Simulated steps are stored with their
    future times too: every reader filters `<= as_of`. People of later waves have no `sent_at` yet.
    `organic` marks a conversion that the message did not cause.
    """

    __tablename__ = "outcome"
    __table_args__ = (
        Index(None, "customer_id", "sent_at"),
        Index(None, "campaign_id", "wave"),
        # Few people do any of these: the indexes are small, and what has come due is found at once, as is
        # whoever did it.
        *(
            partial(
                f"ix_outcome_{step}",
                *("campaign_id", "wave", f"{step}_at", "customer_id", "arm"),
                where=f"{step}_at IS NOT NULL",
            )
            for step in TOLD
        ),
    )

    campaign_id: Mapped[int] = mapped_column(ForeignKey("ma.campaign.id"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(BigKey, ForeignKey("ma.customer.id"), primary_key=True)
    arm: Mapped[str] = mapped_column(String(10))
    variant: Mapped[str] = mapped_column(String(10))
    wave: Mapped[int]
    # Of the engagement score when they were assigned: 0 is below 20, 4 from 80 on. NULL: unknown.
    band: Mapped[int | None]
    source: Mapped[str] = mapped_column(String(20))
    assigned_at: Mapped[datetime] = mapped_column(UtcTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcTime)
    bounced_at: Mapped[datetime | None] = mapped_column(UtcTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcTime)
    clicked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    converted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    unsubscribed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    complained_at: Mapped[datetime | None] = mapped_column(UtcTime)
    organic: Mapped[bool] = mapped_column(default=False)
    revenue_minor: Mapped[int] = mapped_column(BigInteger, default=0)


class OutcomePublication(Base):
    """Until when the outcomes of a wave have been told to other modules; `ends_at`: the last of them."""

    __tablename__ = "outcome_publication"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("ma.campaign.id"), primary_key=True)
    wave: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    until: Mapped[datetime] = mapped_column(UtcTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcTime)
