"""Campaigns: what is sent to whom, through which channel, at what cost."""

from datetime import date, datetime

from sqlalchemy import JSON, BigInteger, CheckConstraint, Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, UtcTime


class Campaign(Base):
    """One campaign. Cost columns are NULL where the cost is unknown; unknown is not zero.

    `steps` lists what can be observed, in the funnel and beside it (comma-separated); what is not there
    is unknown. `rule`, `seed`, `parameters` and `code_version` are frozen at launch, so that the launch
    can be replayed.
    `eligibility` holds the launch's waterfall as a list of {step, people}, `forecast` the quantiles that were
    expected then.

    The campaign's own subject, body and effects are those of variant A. `variants` lists the others: name,
    share of the people, subject, body and effects, where effects are assumed relative changes of the rate of
    a step (0.1: a tenth more) and of the order value. Quiet hours are minutes after midnight in `timezone`
    (NULL: the workspace's).
    """

    __tablename__ = "campaign"
    __table_args__ = (
        Index(None, "status", "next_wave_at"),
        CheckConstraint("holdout_share >= 0 AND holdout_share < 1", name="holdout_share"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_folded: Mapped[str] = mapped_column(String(200), unique=True)
    objective: Mapped[str] = mapped_column(Text, default="")
    channel: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(String(20))
    segment_id: Mapped[int | None] = mapped_column(ForeignKey("ma.segment.id"))
    subject: Mapped[str] = mapped_column(Text, default="")
    body: Mapped[str] = mapped_column(Text, default="")
    effects: Mapped[dict] = mapped_column(JSON, default=dict)
    variants: Mapped[list] = mapped_column(JSON, default=list)
    timezone: Mapped[str | None] = mapped_column(String(60))
    quiet_from: Mapped[int | None]
    quiet_until: Mapped[int | None]
    scheduled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    cost_per_thousand_minor: Mapped[int | None] = mapped_column(BigInteger)
    fixed_cost_minor: Mapped[int | None] = mapped_column(BigInteger)
    budget_minor: Mapped[int | None] = mapped_column(BigInteger)
    conversion_window_days: Mapped[int]
    holdout_share: Mapped[float] = mapped_column(Float, default=0.0)
    waves: Mapped[int] = mapped_column(default=1)

    steps: Mapped[str] = mapped_column(String(100))
    rule: Mapped[dict | None] = mapped_column(JSON)
    seed: Mapped[int | None] = mapped_column(BigInteger)
    parameters: Mapped[dict | None] = mapped_column(JSON)
    code_version: Mapped[str | None] = mapped_column(String(40))
    eligibility: Mapped[list | None] = mapped_column(JSON)
    forecast: Mapped[dict | None] = mapped_column(JSON)
    waves_sent: Mapped[int] = mapped_column(default=0)
    next_wave_at: Mapped[datetime | None] = mapped_column(UtcTime)
    launched_at: Mapped[datetime | None] = mapped_column(UtcTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    # A number drawn anew whenever outcomes change: what was counted under it still holds.
    results_mark: Mapped[int | None] = mapped_column(BigInteger)
    archived_at: Mapped[datetime | None] = mapped_column(UtcTime)

    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    version: Mapped[int] = mapped_column(default=1)


class CampaignExclusion(Base):
    """A segment whose members a campaign is not sent to."""

    __tablename__ = "campaign_exclusion"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("ma.campaign.id"), primary_key=True)
    segment_id: Mapped[int] = mapped_column(ForeignKey("ma.segment.id"), primary_key=True, index=True)


class CampaignAggregate(Base):
    """What is known of a real campaign only as totals: people, as its platform counted. NULL is unknown."""

    __tablename__ = "campaign_aggregate"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("ma.campaign.id"), primary_key=True)
    external_id: Mapped[str | None] = mapped_column(String(100), unique=True)
    sent: Mapped[int]
    bounced: Mapped[int | None]
    delivered: Mapped[int | None]
    opened: Mapped[int | None]
    clicked: Mapped[int | None]
    converted: Mapped[int | None]
    unsubscribed: Mapped[int | None]
    complained: Mapped[int | None]
    revenue_minor: Mapped[int | None] = mapped_column(BigInteger)


class CampaignResult(Base):
    """People per campaign, variant, arm and calendar day (of the workspace), derived from `outcome`.

    A step that the campaign cannot observe is NULL. `converted` includes `organic`, conversions
    that would have happened without the message.
    """

    __tablename__ = "campaign_result"
    __table_args__ = (Index(None, "day"),)

    campaign_id: Mapped[int] = mapped_column(ForeignKey("ma.campaign.id"), primary_key=True)
    variant: Mapped[str] = mapped_column(String(10), primary_key=True)
    arm: Mapped[str] = mapped_column(String(10), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    assigned: Mapped[int]
    sent: Mapped[int]
    bounced: Mapped[int | None]
    delivered: Mapped[int | None]
    opened: Mapped[int | None]
    clicked: Mapped[int | None]
    converted: Mapped[int | None]
    organic: Mapped[int | None]
    unsubscribed: Mapped[int | None]
    complained: Mapped[int | None]
    revenue_minor: Mapped[int] = mapped_column(BigInteger)
