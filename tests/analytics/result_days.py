"""Campaigns that have only their stored days: what a screen reads, without an outcome behind it."""

from datetime import UTC, datetime, timedelta

from ma.models import Campaign, CampaignResult, Workspace

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
EMAIL = "sent,delivered,opened,clicked,converted,bounced,unsubscribed,complained,organic"


def place(session):
    """A workspace in UTC."""
    session.add(Workspace(id=1, name="Shop", timezone="UTC", currency="EUR", created_at=NOW))


def launched(session, campaign_id, *days, name=None, age_days=60, window=14, now=NOW, **values):
    """A campaign launched so many days before `now`; `days`: (days after it, counts by name)."""
    at = now - timedelta(days=age_days)
    usual = {
        "channel": "email",
        "status": "completed",
        "source": "simulated",
        "steps": EMAIL,
        "conversion_window_days": window,
        "cost_per_thousand_minor": 0,
        "fixed_cost_minor": 0,
        "waves": 1,
        "waves_sent": 1,
        "created_by": "test",
        "created_at": at,
        "updated_at": at,
        "launched_at": at,
    }
    name = name or f"Campaign {campaign_id}"
    session.add(Campaign(id=campaign_id, name=name, name_folded=name.lower(), **usual | values))
    session.flush()
    for after, counts in days:
        add_day(session, campaign_id, at.date() + timedelta(days=after), **counts)


def add_day(session, campaign_id, day, *, variant="A", arm="treated", **counts):
    """One stored day; what is not given is 0."""
    names = ("sent", "bounced", "delivered", "opened", "clicked", "converted", "organic", "unsubscribed",
             "complained", "revenue_minor")  # fmt: skip
    filled = {name: counts.get(name, 0) for name in names}
    filled["assigned"] = counts.get("assigned", filled["sent"])
    session.add(CampaignResult(campaign_id=campaign_id, variant=variant, arm=arm, day=day, **filled))
    session.flush()
