"""One customer read at once: nothing but index lookups, and what the screens ask for, on both engines."""

import re
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import event, insert, text

from ma.analytics import attributes, consent, messages, notes, tags
from ma.analytics import profile as told
from ma.analytics.timeline import KINDS, timeline, timeline_count
from ma.db.engine import connect
from ma.models import Campaign, Outcome, Segment, SegmentMember
from ma.services.attributes import define_attribute, set_values
from ma.services.customers import create_customer, import_customers, update_customer
from ma.services.facts import import_behaviour, import_purchases
from ma.services.notes import add_note
from ma.services.tags import tag_customer
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Actor, Role

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MIA = Actor(username="mia", role=Role.MARKETER)
# Tables that grow with the customers: none of them may be read from one end to the other.
GROWING = (
    "customer", "purchase", "purchase_line", "outcome", "behaviour_event", "consent_change", "note",
    "attribute_value", "customer_tag", "segment_member",
)  # fmt: skip


def campaign(session, number, channel, steps):
    session.execute(
        insert(Campaign).values(
            id=number, name=f"Campaign {number}", name_folded=str(number), objective="", channel=channel,
            status="running", source="simulated", subject="", body="", holdout_share=0.0, waves=1,
            conversion_window_days=7, steps=steps, waves_sent=1, created_by="x", created_at=AT, updated_at=AT,
            version=1,
        )
    )  # fmt: skip


def outcome(session, number, person, **steps):
    session.execute(
        insert(Outcome).values(
            campaign_id=number, customer_id=person, variant="a", wave=1, source="simulated", assigned_at=AT,
            organic=False, **{"arm": "treated", "sent_at": AT - 5 * HOUR, "revenue_minor": 0} | steps,
        )
    )  # fmt: skip


def build(database) -> int:
    """Somebody with a little of everything, and a stranger beside them."""
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="W", timezone="Europe/Berlin", currency="EUR", at=AT)
        people = pd.DataFrame({"first_name": ["Anna", "Other"], "consent_email": [True, True]})
        ids = import_customers(session, SYSTEM, people, source="t", at=AT - 9 * HOUR).tolist()
        anna = ids[0]
        orders = pd.DataFrame(
            {
                "external_key": ["A", "B", "O"],
                "customer_id": [anna, anna, ids[1]],
                "kind": "sale",
                "at": pd.to_datetime([AT - 8 * HOUR, AT + HOUR, AT - HOUR], utc=True),
                "amount_minor": [700, 100, 5],
            }
        )
        lines = pd.DataFrame(
            {
                "external_key": ["A", "A", "B", "O"],
                "category": ["Wine", None, "Wine", "Wine"],
                "product": ["Merlot", None, None, None],
                "quantity": [1, 2, 1, 1],
                "amount_minor": [500, 200, 100, 5],
            }
        )
        import_purchases(session, SYSTEM, orders, lines, source="t", at=AT)
        seen = pd.DataFrame(
            {
                "customer_id": anna,
                "kind": ["visit", "app_opened"],
                "at": pd.to_datetime([AT - 7 * HOUR, AT - 6 * HOUR], utc=True),
                "page": ["cart", None],
                "device": ["mobile", "mobile"],
            }
        )
        import_behaviour(session, SYSTEM, seen, source="t", at=AT)
        campaign(session, 1, "email", "sent,delivered,opened,clicked,converted,unsubscribed,complained")
        campaign(session, 2, "direct_mail", "sent,converted")
        campaign(session, 3, "email", "sent,delivered,opened,clicked,converted")
        outcome(
            session, 1, anna, delivered_at=AT - 5 * HOUR, opened_at=AT - 4 * HOUR, clicked_at=AT - 4 * HOUR,
            unsubscribed_at=AT - 3 * HOUR, converted_at=AT + HOUR, revenue_minor=999,
        )  # fmt: skip
        outcome(session, 2, anna, sent_at=AT - 4 * HOUR, converted_at=AT - HOUR, revenue_minor=1234)
        outcome(session, 3, anna, arm="holdout")
        outcome(session, 3, ids[1], complained_at=AT - HOUR)
        session.execute(
            insert(Segment).values(
                id=5, name="Fans", name_folded="fans", description="", rule={}, created_by="x", created_at=AT,
                updated_at=AT, version=1,
            )
        )  # fmt: skip
        session.execute(
            insert(SegmentMember).values(segment_id=5, customer_id=anna, entered_at=AT - 2 * HOUR)
        )
        add_note(session, MIA, anna, "Called.\nWants wine.", at=AT - HOUR)
        tag_customer(session, MIA, anna, "VIP", at=AT)
        level = define_attribute(session, MIA, name="Level", kind="text", at=AT)
        set_values(session, MIA, anna, {level: "Gold"}, at=AT)
        update_customer(session, MIA, anna, version=2, at=AT, consent_email=False)
    return anna


@pytest.fixture
def person(database) -> int:
    return build(database)


def everything(session, person):
    """All that a customer's screen reads, in every tab."""
    one = {"customer_id": person, "as_of": AT}
    told.profile(session, person, as_of=AT)
    told.customer_purchases(session, **one, limit=20)
    told.purchase_count(session, **one)
    told.order_lines(session, **one, purchase_id=1)
    told.spend_by_category(session, **one)
    told.spend_by_month(session, **one)
    told.customer_segments(session, **one)
    messages.customer_messages(session, **one)
    messages.messages_sent(session, **one, limit=20)
    messages.message_count(session, **one)
    timeline(session, **one, limit=20)
    timeline_count(session, **one)
    consent.consent_at(session, person, AT)
    consent.consent_history(session, **one)
    consent.closed_channels(session, **one)
    attributes.definitions(session)
    attributes.values(session, person)
    tags.customer_tags(session, **one)
    tags.tag_names(session)
    notes.customer_notes(session, **one)


def test_a_profile_reads_by_index_only(sqlite_url):
    database = connect(sqlite_url)
    person = build(database)
    plans = {}
    with database.reading() as session:
        connection = session.connection()
        asked = []
        event.listen(
            connection, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])), named=False
        )
        everything(session, person)
        raw = connection.connection.driver_connection
        for statement, parameters in asked:
            rows = raw.execute("EXPLAIN QUERY PLAN " + statement, parameters).fetchall()
            plans[statement] = [row[-1] for row in rows]
    assert len(plans) >= 20
    whole = re.compile(rf"SCAN (ma\.)?({'|'.join(GROWING)})\b")
    found = {line: statement for statement, lines in plans.items() for line in lines if whole.search(line)}
    assert found == {}
    # The test can fail: a statement that reads a whole table is caught by it.
    with database.reading() as session:
        plan = session.execute(text("EXPLAIN QUERY PLAN SELECT count(*) FROM note WHERE text = 'x'")).all()
    assert any(whole.search(row[-1]) for row in plan)
    database.close()


def test_the_timeline_tells_every_kind(database, person):
    with database.reading() as session:
        frame = timeline(session, customer_id=person, as_of=AT)
        assert timeline_count(session, customer_id=person, as_of=AT) == len(frame)
        only = {kind: timeline(session, customer_id=person, as_of=AT, kinds=[kind]) for kind in KINDS}
    assert frame[["kind", "title", "detail"]].fillna("").to_numpy().tolist() == [
        ["consent", "E-mail no longer allowed", "Form"],
        ["converted", "Campaign 2", "Direct mail"],
        ["note", "Called. Wants wine.", "mia"],
        ["segment", "Fans", ""],
        ["unsubscribed", "Campaign 1", "E-mail"],
        ["clicked", "Campaign 1", "E-mail"],
        ["opened", "Campaign 1", "E-mail"],
        ["sent", "Campaign 2", "Direct mail"],
        ["delivered", "Campaign 1", "E-mail"],
        ["sent", "Campaign 1", "E-mail"],
        ["behaviour", "App opened", "mobile"],
        ["visit", "Looked at cart", "mobile"],
        ["purchase", "3 items in 1 category", "Order A"],
        ["consent", "E-mail allowed", "Import"],
    ]
    assert sum(map(len, only.values())) == len(frame)
    assert all(set(part["kind"]) <= {kind} for kind, part in only.items())


def test_an_order_opens_down_to_category_and_product(database, person):
    with database.reading() as session:
        orders = told.customer_purchases(session, customer_id=person, as_of=AT)
        one = {"customer_id": person, "as_of": AT}
        lines = told.order_lines(session, **one, purchase_id=int(orders["purchase_id"].iloc[0]))
        assert orders["external_key"].tolist() == ["A"]
        # Not yet made, and a stranger's.
        assert all(told.order_lines(session, **one, purchase_id=other).empty for other in (2, 3))
    assert lines.drop(columns="line").fillna("?").to_numpy().tolist() == [
        ["Wine", "Merlot", 1, 500], ["?", "?", 2, 200],
    ]  # fmt: skip
    assert lines["amount_minor"].sum() == orders["amount_minor"].sum()


def test_messages_tell_what_became_of_each(database, person):
    with database.reading() as session:
        frame = messages.messages_sent(session, customer_id=person, as_of=AT)
        count = messages.message_count(session, customer_id=person, as_of=AT)
        second = messages.messages_sent(session, customer_id=person, as_of=AT, limit=1, offset=1)
    assert count == len(frame) == 2
    assert frame["campaign"].tolist() == ["Campaign 2", "Campaign 1"]
    # What lies in the future has not happened: the e-mail's conversion and its revenue.
    assert frame["response"].tolist() == ["Converted", "Opened, clicked, unsubscribed"]
    assert frame["revenue_minor"].fillna(-1).tolist() == [1234, -1]
    assert pd.isna(frame["converted_at"].iloc[1])
    assert second["campaign"].tolist() == ["Campaign 1"]


def test_a_bare_customer_has_empty_tabs(database):
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="W", timezone="UTC", currency="EUR", at=AT)
        bare = create_customer(session, SYSTEM, at=AT, email="a@example.com")
        everything(session, bare)
        one = {"customer_id": bare, "as_of": AT}
        assert timeline(session, **one).empty
        assert messages.messages_sent(session, **one).empty
        assert tags.customer_tags(session, **one).empty
        assert attributes.values(session, bare) == {}
