"""Real campaigns in files, and a workspace in New York to bring them into."""

import pandas as pd
from sqlalchemy import select

from ma.models import Campaign, CampaignResult, Customer, Outcome
from tests.services import campaign_world as world
from tests.services.import_world import bring_in, set_up

STEPS = ("sent", "delivered", "bounced", "opened", "clicked", "converted", "unsubscribed", "complained")
SENT = "2026-02-01 10:00"
MAIL = {
    "campaign": ["Spring"] * 4,
    "channel": ["email"] * 4,
    "email": ["p1@example.com", "P2@Example.com", "p3@example.com", "p4@example.com"],
    "sent_at": [SENT] * 4,
    "delivered_at": ["2026-02-01 10:01", "2026-02-01 10:01", None, "2026-02-01 10:02"],
    "bounced_at": [None, None, "2026-02-01 10:03", None],
    "opened_at": ["2026-02-01 12:00", None, None, None],
    "clicked_at": ["2026-02-01 12:05", None, None, None],
    "converted_at": ["2026-02-03 09:00", None, None, None],
    "unsubscribed_at": [None, "2026-02-02 08:00", None, None],
    "revenue": ["19.90", None, None, None],
    "variant": ["A", "b", "Variant B", None],
}
LOG = {
    "campaign": ["Spring"] * 9,
    "email": ["p1@example.com"] * 5 + ["p2@example.com"] * 2 + ["p3@example.com"] * 2,
    "step": ["sent", "Delivered", "open", "open", "purchase", "sent", "opt-out", "processed", "bounce"],
    "at": [
        "2026-02-01 10:00", "2026-02-01 10:01", "2026-02-02 10:00", "2026-02-01 11:00", "2026-02-03 10:00",
        "2026-02-01 10:00", "2026-02-04 10:00", "2026-02-01 10:00", "2026-02-01 10:05",
    ],
    "revenue": [None] * 4 + ["5.00"] + [None] * 4,
}  # fmt: skip


def ten_people(database):
    """A workspace in New York with the customers p1 to p10."""
    set_up(database, timezone=world.ZONE)
    names = [f"p{i}@example.com" for i in range(1, 11)]
    ids = [f"C{i}" for i in range(1, 11)]
    table = {"external_id": ids, "email": names, "consent_email": ["yes"] * 10}
    bring_in(database, "customers", table, "external_id", record_consent=True)
    return database


def changed(table=None, **columns):
    return (table or MAIL) | columns


def without(*names, table=None):
    return {name: cells for name, cells in (table or MAIL).items() if name not in names}


def campaigns(database):
    with database.reading() as session:
        return {row.name: row for row in session.execute(select(Campaign.__table__))}


def outcomes(database, name="Spring"):
    campaign_id = campaigns(database)[name].id
    with database.reading() as session:
        world.assert_results_are_the_outcomes(session, campaign_id)
        return world.outcomes(session, campaign_id)


def everything(database):
    """All that an import of outcomes may write, but for ids of campaigns and when they were last touched."""
    with database.reading() as session:
        names = select(Campaign.name, Campaign.steps, Campaign.status, Campaign.launched_at, Campaign.source)
        outcome = select(Campaign.name, *(c for c in Outcome.__table__.c if c.name != "campaign_id"))
        result = select(Campaign.name, *(c for c in CampaignResult.__table__.c if c.name != "campaign_id"))
        figures = select(Customer.id, Customer.engagement)
        queries = (
            names,
            outcome.join(Outcome, Outcome.campaign_id == Campaign.id),
            result.join(CampaignResult, CampaignResult.campaign_id == Campaign.id),
            figures,
        )
        return [sorted(map(str, session.execute(query).all())) for query in queries]


def utc(text):
    return pd.Timestamp(text, tz=world.ZONE).tz_convert("UTC")


def reasons(plan):
    return dict(zip(plan.rejected["row"], plan.rejected["problem"], strict=True))
