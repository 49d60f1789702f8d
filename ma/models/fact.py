"""What the neighbouring modules told of a customer."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, BigKey, UtcTime

# A suppression is no more. `detail` says why they were suppressed where somebody of Service lifted it: the
# address is right now, or it never was wrong. It is NULL where what was told before was taken back.
LIFTED = "suppression_lifted"


class CustomerFact(Base):
    """One thing that happened to a customer in Sales or Service; `ref` is the lead or the ticket there.

    `kind` is lead_opened, lead_won, lead_lost, ticket_opened, ticket_closed, suppressed or
    suppression_lifted; `detail` says why or how.
    """

    __tablename__ = "customer_fact"
    __table_args__ = (Index(None, "customer_id", "at"), Index(None, "kind", "customer_id", "at"))

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("ma.customer.id"))
    module: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(UtcTime)
    ref: Mapped[int | None] = mapped_column(BigInteger)
    campaign_id: Mapped[int | None]
    channel: Mapped[str | None] = mapped_column(String(20))
    detail: Mapped[str | None] = mapped_column(String(40))
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
