"""A small workspace with customers, a segment of everybody and campaigns, for tests of campaigns."""

from datetime import UTC, datetime, timedelta

import pandas as pd
from sqlalchemy import select

from ma.db import bulk, sequences
from ma.models import Audit, Campaign, CampaignResult, Customer, OutboxEvent, Outcome
from ma.services.campaigns import create_campaign
from ma.services.segments import create_segment
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Channel

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
ZONE = "America/New_York"
EVERYBODY = {"field": "orders", "operator": "gte", "value": 0}
SEGMENT = 1


def days(count):
    return timedelta(days=count)


def build(session, people=400, *, timezone=ZONE):
    """A workspace, `people` customers who all agreed to everything, and segment 1: everybody."""
    create_workspace(session, SYSTEM, name="Test", timezone=timezone, currency="USD", at=NOW - days(100))
    add_customers(session, people)
    assert create_segment(session, SYSTEM, name="Everybody", rule=EVERYBODY, at=NOW - days(50)) == SEGMENT


def add_customers(session, people):
    ids = sequences.reserve(session, Customer.__table__, people)
    assert ids.tolist() == list(range(1, people + 1))
    long_ago, lately = pd.Timestamp(NOW - days(300)), pd.Timestamp(NOW - days(20))
    frame = pd.DataFrame({"id": ids, "external_id": [f"H{i}" for i in ids]}).assign(
        email=[f"p{i}@example.com" for i in ids],
        email_folded=[f"p{i}@example.com" for i in ids],
        phone="+1 513 555 0100",
        phone_digits="15135550100",
        search_text="",
        split_bucket=ids % 10_000,
        orders=30,
        spend_minor=150_000,
        first_order_at=long_ago,
        last_order_at=lately,
        visits=0,
        engagement=(ids % 100).astype(float),
        created_at=long_ago,
        updated_at=long_ago,
        version=1,
        **{f"consent_{channel}": True for channel in Channel},
    )
    bulk.insert(session, Customer.__table__, frame)


def draft(session, name="Spring", **values):
    """The id of a new draft to everybody."""
    usual = {"channel": Channel.SMS, "segment_id": SEGMENT, "subject": "Spring is here", "body": "Come in."}
    return create_campaign(session, SYSTEM, name=name, at=NOW, **usual | values)


def campaign(session, campaign_id):
    return session.execute(select(Campaign.__table__).where(Campaign.id == campaign_id)).one()


def outcomes(session, campaign_id):
    """The outcome rows of a campaign as a frame, by customer."""
    table = Outcome.__table__
    query = select(table).where(table.c.campaign_id == campaign_id).order_by(table.c.customer_id)
    frame = pd.DataFrame(session.execute(query).all(), columns=list(table.c.keys()))
    times = [name for name in frame if name.endswith("_at")]
    return frame.assign(**{name: pd.to_datetime(frame[name], utc=True) for name in times})


def results(session, campaign_id):
    table = CampaignResult.__table__
    rows = session.execute(select(table).where(table.c.campaign_id == campaign_id)).all()
    return pd.DataFrame(rows, columns=list(table.c.keys()))


def counted(frame, zone=ZONE):
    """The result rows that outcomes should give, made with pandas instead of SQL."""
    keys = ["variant", "arm", "day"]
    steps = ["assigned", "sent", "bounced", "delivered", "opened", "clicked", "converted"]
    steps += ["unsubscribed", "complained"]
    parts = []
    for step in steps:
        known = frame[frame[f"{step}_at"].notna()]
        known = known.assign(day=known[f"{step}_at"].dt.tz_convert(zone).dt.date)
        parts.append(known.groupby(keys).size().rename(step))
        if step == "converted":
            parts.append(known.groupby(keys)["organic"].sum().rename("organic"))
            parts.append(known.groupby(keys)["revenue_minor"].sum())
    return pd.concat(parts, axis=1).fillna(0).astype(int).sort_index().reset_index()


def assert_results_are_the_outcomes(session, campaign_id):
    """campaign_result is, row by row, what the outcomes say; unknown steps are NULL and empty in both."""
    expected = counted(outcomes(session, campaign_id))
    found = results(session, campaign_id).sort_values(["variant", "arm", "day"], ignore_index=True)
    keys = ["variant", "arm", "day"]
    assert found[keys].to_numpy().tolist() == expected[keys].to_numpy().tolist()
    for name in expected.columns[3:]:
        if found[name].isna().all():
            assert (expected[name] == 0).all() or name == "organic", name
        else:
            assert found[name].astype(int).tolist() == expected[name].tolist(), name


def events(session):
    return list(session.scalars(select(OutboxEvent.type).order_by(OutboxEvent.id)))


def actions(session):
    return list(session.scalars(select(Audit.action).where(Audit.noun == "campaign").order_by(Audit.id)))
