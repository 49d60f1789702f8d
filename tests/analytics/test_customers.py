"""Reading one customer's story, on both engines; the truth comes from pandas."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import insert, update

from ma.analytics import messages
from ma.analytics import profile as told
from ma.analytics.timeline import KINDS, timeline, timeline_count
from ma.errors import InvalidInput, NotFound
from ma.models import Campaign, Customer, Outcome, Segment, SegmentMember
from ma.services.customers import create_customer, delete_customer, import_customers
from ma.services.facts import import_behaviour, import_purchases
from ma.services.profiles import rebuild_profiles
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

PEOPLE = pd.DataFrame(
    {
        "first_name": ["Zoë", "José", "Anna", "Łucja", None, "Per", "Gone"],
        "last_name": ["Ångström", "Muñoz", "100%", "O'Neil", None, "a_b", "Away"],
        "email": [
            "zoe@example.com",
            "jose@example.org",
            None,
            None,
            "only@example.com",
            None,
            "gone@example.com",
        ],
        "phone": ["+1 513 555-0153", None, None, None, None, None, None],
        "city": ["Köln", "Bogotá", None, "Köln", None, None, "Köln"],
        "consent_email": [True, True, False, False, True, False, True],
        "consent_sms": [True, False, False, True, False, False, True],
    }
)
# New York: 30 November 23:30 is already 1 December in UTC; the clocks go forward on 8 March 2026.
PURCHASES = pd.DataFrame(
    {
        "external_key": ["A", "B", "C", "D", "E", "F"],
        "customer": [0, 0, 0, 0, 1, 0],
        "kind": ["sale", "sale", "refund", "sale", "sale", "sale"],
        "at": pd.to_datetime(
            ["2025-12-01 04:30", "2025-12-01 05:30", "2026-02-02 10:00", "2026-02-01 10:00",
             "2026-02-01 10:00", "2026-03-05 12:00:00.000001"], format="ISO8601", utc=True,
        ),
        "amount_minor": [1000, 2501, -500, 4000, 99, 7777],
    }
)  # fmt: skip
LINES = pd.DataFrame(
    {
        "external_key": ["A", "A", "B", "C", "D", "D", "E", "F"],
        "category": ["Wine", "Bread", "Wine", "Wine", "Bread", None, "Wine", "Wine"],
        "quantity": [1, 2, 1, -1, 1, 1, 1, 1],
        "amount_minor": [900, 100, 2501, -500, 3000, 1000, 99, 7777],
    }
)
VISITS = pd.DataFrame(
    {
        "customer": [0, 0, 0, 1, 0],
        "kind": ["visit", "visit", "visit", "visit", "quiz"],
        "at": pd.to_datetime(
            ["2026-03-01", "2026-03-02", "2026-03-06", "2026-03-01", "2026-03-01"], format="ISO8601", utc=True
        ),
        "page": ["store_locator", None, "home", "home", None],
        "device": ["mobile", "mobile", "tablet", "desktop", None],
    }
)


@pytest.fixture
def ids(database) -> list[int]:
    """A small world: seven customers (the last one deleted), orders, visits, two campaigns and a segment."""
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="W", timezone="America/New_York", currency="USD", at=AT)
        ids = import_customers(session, SYSTEM, PEOPLE, source="test", at=AT).tolist()
        orders = PURCHASES.assign(customer_id=PURCHASES["customer"].map(dict(enumerate(ids))))
        import_purchases(session, SYSTEM, orders, LINES, source="test", at=AT)
        visits = VISITS.assign(customer_id=VISITS["customer"].map(dict(enumerate(ids))))
        import_behaviour(session, SYSTEM, visits, source="test", at=AT)
        for position, spend, orders_, last in ((0, 700, 3, AT), (1, 99, 1, None), (3, 700, 2, AT - HOUR)):
            session.execute(
                update(Customer)
                .where(Customer.id == ids[position])
                .values(spend_minor=spend, orders=orders_, last_order_at=last, engagement=spend / 10)
            )
        _campaign(session, 1, "email", "sent,delivered,opened,clicked,converted")
        _campaign(session, 2, "direct_mail", "sent,converted")
        _outcome(
            session, 1, ids[0], delivered_at=AT - 5 * HOUR, opened_at=AT - 4 * HOUR, clicked_at=AT + HOUR
        )
        _outcome(session, 2, ids[0], converted_at=AT - HOUR, revenue_minor=1234)
        _outcome(session, 2, ids[1])
        _outcome(session, 1, ids[3], arm="holdout", converted_at=AT - HOUR, revenue_minor=1)
        _outcome(session, 2, ids[3], sent_at=AT + HOUR)
        session.execute(
            insert(Segment).values(
                id=5, name="Fans", name_folded="fans", description="", rule={}, created_by="x", created_at=AT,
                updated_at=AT, version=1,
            )
        )  # fmt: skip
        session.execute(insert(SegmentMember).values(segment_id=5, customer_id=ids[0], entered_at=AT - HOUR))
        delete_customer(session, SYSTEM, ids[6], version=1, at=AT)
    return ids


def _campaign(session, campaign_id, channel, steps):
    session.execute(
        insert(Campaign).values(
            id=campaign_id, name=f"Campaign {campaign_id}", name_folded=str(campaign_id), objective="",
            channel=channel, status="running", source="simulated", subject="", body="", holdout_share=0.0,
            waves=1, conversion_window_days=7, steps=steps, waves_sent=1, created_by="x", created_at=AT,
            updated_at=AT, version=1,
        )
    )  # fmt: skip


def _outcome(session, campaign_id, customer_id, *, arm="treated", **times):
    values = {"sent_at": None if arm == "holdout" else AT - 6 * HOUR} | {"revenue_minor": 0} | times
    session.execute(
        insert(Outcome).values(
            campaign_id=campaign_id, customer_id=customer_id, arm=arm, variant="A", wave=1,
            source="simulated", assigned_at=AT - 7 * HOUR, organic=False, **values,
        )
    )  # fmt: skip


def test_a_profile_counts_what_happened_until_then(database, ids):
    with database.reading() as session:
        zoe = told.profile(session, ids[0], as_of=AT)
    past = PURCHASES[(PURCHASES["customer"] == 0) & (PURCHASES["at"] <= AT)]
    sales = past[past["kind"] == "sale"]
    assert zoe.name == "Zoë Ångström"
    assert zoe.lifetime_value_minor == past["amount_minor"].sum() == 7001
    assert (zoe.orders, zoe.refunds) == (3, 1)
    assert zoe.average_order_minor == 2500  # 7501 / 3 = 2500.33
    with database.writing() as session:
        rebuild_profiles(session, as_of=AT)
        stored = session.get(Customer, ids[0])
        assert (stored.spend_minor, stored.average_order_minor) == (7001, 2500)
        assert stored.favourite_category == zoe.favourite_category
    assert (zoe.first_order_at, zoe.last_order_at) == (sales["at"].min(), sales["at"].max())
    assert zoe.favourite_category == "Bread"
    assert (zoe.visits, zoe.devices) == (2, ("mobile",))
    assert zoe.last_visit_at == datetime(2026, 3, 2, tzinfo=UTC)
    assert zoe.recent == {"orders": 1, "visits": 2, "opened": 1, "clicked": 0}
    assert zoe.fields["city"] == "Köln"
    assert isinstance(zoe.lifetime_value_minor, int)


def test_a_profile_without_facts_knows_what_it_does_not_know(database, ids):
    with database.reading() as session:
        only = told.profile(session, ids[4], as_of=AT)
        assert told.customer_purchases(session, customer_id=ids[4], as_of=AT).empty
        assert told.spend_by_category(session, customer_id=ids[4], as_of=AT).empty
        assert told.spend_by_month(session, customer_id=ids[4], as_of=AT).empty
        assert timeline(session, customer_id=ids[4], as_of=AT)["kind"].tolist() == ["consent"]
        reached = messages.customer_messages(session, customer_id=ids[4], as_of=AT).set_index("step")
    assert only.name == "only@example.com"
    assert (only.lifetime_value_minor, only.orders, only.visits) == (0, 0, 0)
    assert (only.average_order_minor, only.last_order_at, only.favourite_category, only.age) == (None,) * 4
    assert reached["messages"].isna().to_dict() == {
        "sent": False, "delivered": True, "opened": True, "clicked": True, "converted": True,
    }  # fmt: skip


def test_age_is_the_one_on_the_workspaces_calendar(database, ids):
    with database.writing() as session:
        born = create_customer(session, SYSTEM, at=AT, first_name="Kim", birth_date=date(1990, 3, 5))
    with database.reading() as session:
        # 04:00 UTC on 5 March is still the 4th in New York.
        assert told.profile(session, born, as_of=datetime(2026, 3, 5, 4, tzinfo=UTC)).age == 35
        assert told.profile(session, born, as_of=datetime(2026, 3, 5, 6, tzinfo=UTC)).age == 36


def test_a_deleted_customer_has_no_profile_and_no_story(database, ids):
    with database.writing() as session:
        delete_customer(session, SYSTEM, ids[0], version=1, at=AT)
    with database.reading() as session:
        for missing in (ids[0], 10**9):
            with pytest.raises(NotFound):
                told.profile(session, missing, as_of=AT)
        one = {"customer_id": ids[0], "as_of": AT}
        assert timeline_count(session, **one) == 0
        for read in (
            timeline,
            told.customer_purchases,
            told.spend_by_category,
            told.spend_by_month,
            told.customer_segments,
        ):
            assert read(session, **one).empty
        assert messages.customer_messages(session, **one)["of"].sum() == 0


def test_spend_by_month_follows_the_workspaces_calendar(database, ids):
    with database.reading() as session:
        frame = told.spend_by_month(session, customer_id=ids[0], as_of=AT)
    assert frame["month"].dt.strftime("%Y-%m").tolist() == [
        "2025-11",
        "2025-12",
        "2026-01",
        "2026-02",
        "2026-03",
    ]
    assert frame["spend_minor"].tolist() == [1000, 2501, 0, 3500, 0]
    assert frame["orders"].tolist() == [1, 1, 0, 1, 0]
    assert frame["complete"].tolist() == [True, True, True, True, False]


def test_spend_by_category_adds_up_to_the_lifetime_value(database, ids):
    with database.reading() as session:
        frame = told.spend_by_category(session, customer_id=ids[0], as_of=AT)
        value = told.profile(session, ids[0], as_of=AT).lifetime_value_minor
    own = PURCHASES[(PURCHASES["customer"] == 0) & (PURCHASES["at"] <= AT)]
    expected = LINES[LINES["external_key"].isin(own["external_key"])]
    expected = expected.groupby("category", dropna=False)["amount_minor"].sum().sort_values(ascending=False)
    assert frame["spend_minor"].tolist() == expected.tolist() == [3100, 2901, 1000]
    assert frame["category"].fillna("?").tolist() == ["Bread", "Wine", "?"]
    assert frame["orders"].tolist() == [2, 2, 1]
    assert frame["spend_minor"].sum() == value


def test_purchases_are_listed_latest_first_with_their_contents(database, ids):
    with database.reading() as session:
        frame = told.customer_purchases(session, customer_id=ids[0], as_of=AT)
        second = told.customer_purchases(session, customer_id=ids[0], as_of=AT, limit=1, offset=1)
    assert frame["external_key"].tolist() == ["C", "D", "B", "A"]
    assert frame["items"].tolist() == [-1, 2, 1, 3]
    assert frame["categories"].tolist() == [1, 1, 1, 2]
    assert second["external_key"].tolist() == ["D"]


def test_messages_say_of_how_many_a_step_is_known(database, ids):
    with database.reading() as session:
        frame = messages.customer_messages(session, customer_id=ids[0], as_of=AT).set_index("step")
        nothing_sent = messages.customer_messages(session, customer_id=ids[3], as_of=AT).set_index("step")
    # The e-mail was opened; its click lies in the future. Direct mail tells of conversions only.
    assert frame["of"].to_dict() == {"sent": 2, "delivered": 1, "opened": 1, "clicked": 1, "converted": 2}
    assert frame["messages"].to_dict() == {
        "sent": 2,
        "delivered": 1,
        "opened": 1,
        "clicked": 0,
        "converted": 1,
    }
    # An e-mail of which nothing but its conversions was imported.
    with database.writing() as session:
        _campaign(session, 3, "email", "sent,converted")
        _outcome(session, 3, ids[0])
        frame = messages.customer_messages(session, customer_id=ids[0], as_of=AT).set_index("step")
    assert frame["of"].to_dict() == {"sent": 3, "delivered": 1, "opened": 1, "clicked": 1, "converted": 3}
    # Held out, and one that goes out in an hour.
    assert nothing_sent.loc["sent", "messages"] == 0
    assert pd.isna(nothing_sent.loc["converted", "messages"])


def test_segments_of_a_customer(database, ids):
    with database.reading() as session:
        frame = told.customer_segments(session, customer_id=ids[0], as_of=AT)
        earlier = told.customer_segments(session, customer_id=ids[0], as_of=AT - 2 * HOUR)
    assert frame["name"].tolist() == ["Fans"]
    assert frame["entered_at"].tolist() == [AT - HOUR]
    assert earlier.empty


def test_the_timeline_tells_everything_in_order(database, ids):
    with database.reading() as session:
        frame = timeline(session, customer_id=ids[0], as_of=AT)
        assert timeline_count(session, customer_id=ids[0], as_of=AT) == len(frame)
    assert frame[["kind", "title", "detail"]].fillna("").to_numpy().tolist() == [
        ["consent", "SMS allowed", "Import"],
        ["consent", "E-mail allowed", "Import"],
        ["converted", "Campaign 2", "Direct mail"],
        ["segment", "Fans", ""],
        ["opened", "Campaign 1", "E-mail"],
        ["delivered", "Campaign 1", "E-mail"],
        ["sent", "Campaign 2", "Direct mail"],
        ["sent", "Campaign 1", "E-mail"],
        ["visit", "Looked at a page", "mobile"],
        ["behaviour", "Quiz", ""],
        ["visit", "Looked at store locator", "mobile"],
        ["refund", "1 item in 1 category", "Order C"],
        ["purchase", "2 items in 1 category", "Order D"],
        ["purchase", "1 item in 1 category", "Order B"],
        ["purchase", "3 items in 2 categories", "Order A"],
    ]
    assert frame["at"].is_monotonic_decreasing
    assert (frame["at"] <= AT).all()
    assert frame["amount_minor"].dropna().tolist() == [1234, -500, 4000, 2501, 1000]


def test_the_timeline_can_be_narrowed_and_paged(database, ids):
    def read(**arguments):
        with database.reading() as session:
            return timeline(session, customer_id=ids[0], as_of=AT, **arguments)

    whole = read()
    for kind in KINDS:
        alone = read(kinds=[kind])
        assert alone["kind"].tolist() == whole.loc[whole["kind"] == kind, "kind"].tolist()
    assert len(read(kinds="purchase,visit")) == 5
    pages = pd.concat([read(limit=4, offset=offset) for offset in (0, 4, 8, 12)], ignore_index=True)
    pd.testing.assert_frame_equal(pages, whole)
    with pytest.raises(InvalidInput, match="Unknown kind 'gossip'"):
        read(kinds="gossip")
