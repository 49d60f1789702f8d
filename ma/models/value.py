"""What customers are worth: models that were fitted, and the score of each customer by the last of them."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, BigKey, UtcTime


class ValueModel(Base):
    """One fit of the purchase model and the order value model. Its id is the model's version.

    `status` is "good", "uncertain" (its check against later purchases fails) or "unfit" (too little to learn
    from: nothing is predicted); `problems` says why, in words. `parameters` holds by model and name the value
    and its standard error; `figures` what screens draw of the fit
    and of its check against later purchases.
    """

    __tablename__ = "value_model"

    id: Mapped[int] = mapped_column(primary_key=True)
    as_of: Mapped[datetime] = mapped_column(UtcTime)
    status: Mapped[str] = mapped_column(String(10))
    problems: Mapped[list] = mapped_column(JSON)
    customers: Mapped[int] = mapped_column(Integer)
    repeat_customers: Mapped[int] = mapped_column(Integer)
    parameters: Mapped[dict] = mapped_column(JSON)
    figures: Mapped[dict] = mapped_column(JSON)
    duration_ms: Mapped[int] = mapped_column(Integer)
    created_by: Mapped[str] = mapped_column(String(100))


class CustomerScore(Base):
    """What the models say about one customer, as of `scored_at`; rebuilt from facts, never incremented.

    The RFM scores are of everybody who bought; the figures of the models are NULL where they are unfit. There
    is a row for each customer who was not deleted at the time. The database has no constraint for the foreign
    keys: a million checks take a quarter of the time of storing them, on PostgreSQL more than all the rest.
    """

    __tablename__ = "customer_score"

    customer_id: Mapped[int] = mapped_column(BigKey, ForeignKey("ma.customer.id"), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("ma.value_model.id"))
    scored_at: Mapped[datetime] = mapped_column(UtcTime)
    # 1 to 5, 5 being the best: bought last, most often, spent most.
    recency_score: Mapped[int | None] = mapped_column(Integer)
    frequency_score: Mapped[int | None] = mapped_column(Integer)
    monetary_score: Mapped[int | None] = mapped_column(Integer)
    rfm_segment: Mapped[str | None] = mapped_column(String(40))
    # 1 less the probability that they still buy at all.
    churn_risk: Mapped[float | None] = mapped_column(Float)
    # Over the next 365 days.
    expected_orders: Mapped[float | None] = mapped_column(Float)
    order_chance: Mapped[float | None] = mapped_column(Float)
    expected_value_minor: Mapped[int | None] = mapped_column(BigInteger)
    # What to send them next, where anything is expected to bring more than it costs.
    next_channel: Mapped[str | None] = mapped_column(String(20))
    next_offer: Mapped[str | None] = mapped_column(String(100))
    next_profit_minor: Mapped[float | None] = mapped_column(Float)
