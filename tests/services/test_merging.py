"""Merging two records of one person: nothing is lost or counted twice, and consent is never widened."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, update

from ma.analytics import duplicates
from ma.analytics.consent import consent_history
from ma.analytics.profile import profile
from ma.analytics.segments import members
from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.models import (
    Attribute,
    AttributeValue,
    Audit,
    CampaignResult,
    Customer,
    CustomerFact,
    CustomerTag,
    DistinctPair,
    OutboxEvent,
    Outcome,
    Purchase,
    SegmentRefresh,
    Tag,
)
from ma.models.fact import LIFTED
from ma.services import audience, due
from ma.services.campaigns import WAVE_EVERY
from ma.services.launches import launch_campaign
from ma.services.merging import mark_distinct, merge_customers
from ma.services.results import rebuild_results
from ma.services.segments import add_members, create_static_segment
from ma.types import SYSTEM, Actor, Channel, Role
from tests.services import campaign_world as world
from tests.services import one_person
from tests.services.one_person import NOW

MARKETER, ANALYST = Actor("mia", Role.MARKETER), Actor("ann", Role.ANALYST)
# What stays at the hidden record, and why: outcomes of campaigns that both were in; what an import changed
# about it (its own past); that it was told apart from the record that is kept.
STAYS = {"import_change"}
# What goes: worked out of facts that are no longer the hidden record's.
GOES = {"customer_score"}


@pytest.fixture
def two(sqlite_url):
    """Two bare records of one person: 1 and 2."""
    database = connect(sqlite_url)
    with database.writing() as session:
        one_person.build(session)
        one_person.add_customer(session, 1, "first", phone="+49 170 1111111")
        one_person.add_customer(session, 2, "second")
    yield database
    database.close()


def merge(session, keep_id=1, other_id=2, *, versions=(1, 1), **values):
    return merge_customers(
        session, MARKETER, keep_id=keep_id, other_id=other_id, versions=versions, at=NOW, **values
    )


def row(session, customer_id):
    return session.execute(select(Customer.__table__).where(Customer.id == customer_id)).one()


def test_every_table_with_rows_of_customers_changes_hands(database):
    with database.writing() as session:
        one_person.build(session)
        for customer_id in (1, 2, 3):
            one_person.add_customer(session, customer_id, f"mark{customer_id}")
        one_person.plant(session, 2, "planted", partner=3)
        before = session.scalar(select(func.sum(Purchase.amount_minor)))
        merge(session)
    with database.reading() as session:
        for table, columns in one_person.tables().items():
            of = {
                c: [session.scalar(select(func.count()).where(table.c[c] == k)) for k in (1, 2)]
                for c in columns
            }
            moved, left = (sum(counts[i] for counts in of.values()) for i in (0, 1))
            if table.name in STAYS:
                assert (moved, left) == (0, 1), table.name
            elif table.name in GOES:
                assert (moved, left) == (0, 0), table.name
            else:
                # Consent has an entry more: what the merge itself changed.
                assert (moved >= 1, left) == (True, 0), table.name
        other = row(session, 2)
        assert (other.merged_into, other.deleted_at, other.orders, other.spend_minor) == (1, NOW, 0, 0)
        assert session.scalar(select(func.sum(Purchase.amount_minor))) == before
        assert row(session, 1).orders == 1
        assert profile(session, 1, as_of=NOW).lifetime_value_minor == 1250
        with pytest.raises(NotFound):
            profile(session, 2, as_of=NOW)


def test_fields_are_the_chosen_ones_and_unknown_ones_are_filled(two):
    with two.writing() as session:
        session.execute(update(Customer).where(Customer.id == 1).values(city=None, city_folded=None))
        done = merge(session, take={"email": "other", "last_name": "keep"})
    assert "city" in done.fields
    assert "email" in done.fields
    assert "last_name" not in done.fields
    with two.reading() as session:
        kept = row(session, 1)
        assert (kept.email, kept.email_folded) == ("second@example.com", "second@example.com")
        assert kept.city == "secondcustomercity"
        assert kept.last_name == "firstcustomerlastname"
        assert {"second", "secondcustomercity"} <= set(kept.search_text.split())
        assert kept.version == 2


def test_consent_is_the_more_restrictive_of_both_and_its_history_ends_with_it(two):
    with two.writing() as session:
        session.execute(update(Customer).where(Customer.id == 1).values(consent_sms=False))
        session.execute(update(Customer).where(Customer.id == 2).values(consent_email=False))
        merge(session)
    with two.reading() as session:
        fields = profile(session, 1, as_of=NOW).fields
        allowed = {str(channel) for channel in Channel if fields[f"consent_{channel}"]}
        assert allowed == {"push", "direct_mail"}  # ads: neither had agreed
        history = consent_history(session, customer_id=1, as_of=NOW)
        last = history.drop_duplicates("channel").set_index("channel")["allowed"].to_dict()
        # Nothing was ever recorded of e-mail and SMS, so that nothing has changed in the history.
        assert last == {"push": True, "direct_mail": True}
        assert set(history["source"]) == {"merge"}


def test_both_were_sent_the_same_campaign_and_its_results_stay(sqlite_url):
    database = connect(sqlite_url)
    with database.writing() as session:
        world.build(session, people=60)
        campaign_id = world.draft(session, waves=2, holdout_share=0.1)
        launch_campaign(session, SYSTEM, campaign_id, at=world.NOW)
        alone = world.draft(session, name="Only one of them")
        session.execute(update(Customer).where(Customer.id == 5).values(consent_sms=False))
        launch_campaign(session, SYSTEM, alone, at=world.NOW)
    at = world.NOW + timedelta(hours=1)

    def results(session):
        for key in (campaign_id, alone):
            rebuild_results(session, key)
        table = CampaignResult.__table__
        return session.execute(select(table).order_by(*table.primary_key.columns)).all()

    with database.writing() as session:
        before = results(session)
        shown = duplicates.preview(session, 5, 6, as_of=at)
        done = merge_customers(session, MARKETER, keep_id=5, other_id=6, versions=(1, 1), at=at)
        assert (done.messages, done.messages_left, shown.messages_left) == (1, 1, 1)
        assert results(session) == before
        mine = select(Outcome.campaign_id).where(Outcome.customer_id == 5).order_by(Outcome.campaign_id)
        assert session.scalars(mine).all() == [campaign_id, alone]
        # A wave that is still to come reaches the person once.
        due.catch_up(session, at=world.NOW + WAVE_EVERY)
        left = session.execute(select(Outcome).where(Outcome.customer_id == 6)).all()
        assert all(outcome.sent_at is not None for (outcome,) in left)
    database.close()


def test_a_channel_that_the_hidden_record_left_stays_closed(sqlite_url):
    database = connect(sqlite_url)
    at = world.NOW + timedelta(days=20)
    with database.writing() as session:
        world.build(session, people=4)
        campaign_id = world.draft(session)
        launch_campaign(session, SYSTEM, campaign_id, at=world.NOW)
        table = Outcome.__table__
        session.execute(update(table).values(unsubscribed_at=None, bounced_at=None))
        session.execute(update(table).where(table.c.customer_id == 2).values(unsubscribed_at=world.NOW))
        session.execute(update(Customer).values(phone_digits=None, phone="1"))
        merge_customers(session, MARKETER, keep_id=1, other_id=2, versions=(1, 1), at=at)
        people = audience.members(session, world.SEGMENT, Channel.SMS, at=at).set_index("customer_id")
        assert people["welcome"].to_dict() == {1: False, 3: True, 4: True}
    database.close()


@pytest.mark.parametrize(
    ("bounced", "lifted", "take", "open_"),
    [
        # The address that is kept bounced; what was lifted was the other one's.
        (1, 2, {}, False),
        (2, 1, {"phone": "other"}, False),
        # The address that bounced is given up for one that is right.
        (1, 2, {"phone": "other"}, True),
        # What bounced is what was lifted.
        (2, 2, {}, True),
        (1, 1, {}, True),
    ],
)
def test_only_what_was_lifted_for_the_address_that_stays_opens_its_channel(
    database, bounced, lifted, take, open_
):
    at = world.NOW + timedelta(days=20)
    with database.writing() as session:
        world.build(session, people=4)
        campaign_id = world.draft(session)
        launch_campaign(session, SYSTEM, campaign_id, at=world.NOW)
        table = Outcome.__table__
        session.execute(delete(table).where(table.c.customer_id != bounced))
        session.execute(update(table).values(unsubscribed_at=None, complained_at=None, bounced_at=world.NOW))
        for key in (1, 2):
            session.execute(update(Customer).where(Customer.id == key).values(phone=f"{key}"))
        fact = {"module": "service", "kind": LIFTED, "channel": "sms", "detail": "bounced"}
        fact["at"] = at - timedelta(days=1)
        session.execute(insert(CustomerFact).values(customer_id=lifted, **fact))
        merge_customers(session, MARKETER, keep_id=1, other_id=2, versions=(1, 1), take=take, at=at)
        people = audience.members(session, world.SEGMENT, Channel.SMS, at=at).set_index("customer_id")
        assert people["welcome"][1] == open_


def test_tags_own_fields_and_lists_meet_without_doubles(two):
    with two.writing() as session:
        for key, owners in ((1, (1, 2)), (2, (2,))):
            session.execute(insert(Tag).values(id=key, name=f"t{key}", name_folded=f"t{key}", created_at=NOW))
            for owner in owners:
                values = {"tag_id": key, "customer_id": owner, "at": NOW, "actor": "mia"}
                session.execute(insert(CustomerTag).values(**values))
        for key in (1, 2, 3):
            name = {"id": key, "name": f"a{key}", "name_folded": f"a{key}", "kind": "text", "choices": []}
            session.execute(insert(Attribute).values(**name, created_by="mia", created_at=NOW))
        for key, owner in ((1, 1), (1, 2), (2, 2), (3, 1), (3, 2)):
            value = {"attribute_id": key, "customer_id": owner, "position": 0, "text": f"of {owner}"}
            session.execute(insert(AttributeValue).values(**value))
        both, only_other = (
            create_static_segment(session, MARKETER, name=n, at=NOW) for n in ("Both", "Other")
        )
        add_members(session, MARKETER, both, select(Customer.id), at=NOW)
        add_members(session, MARKETER, only_other, select(Customer.id).where(Customer.id == 2), at=NOW)
        shown = duplicates.preview(session, 1, 2, as_of=NOW)
        done = merge(session, take={"attribute:3": "other"})
        assert shown.moves["tags"] == done.tags == 1
        assert {c.name: c.default for c in shown.choices if c.name.startswith("attribute")} == {
            "attribute:1": "keep",
            "attribute:2": "other",
            "attribute:3": "keep",
        }
    with two.reading() as session:
        assert session.scalars(select(CustomerTag.tag_id).where(CustomerTag.customer_id == 1)).all() == [1, 2]
        values = dict(session.execute(select(AttributeValue.attribute_id, AttributeValue.text)).all())
        assert values == {1: "of 1", 2: "of 2", 3: "of 2"}
        for segment_id in (both, only_other):
            assert members(session, as_of=NOW, segment_id=segment_id)["customer_id"].tolist() == [1]
        last = select(SegmentRefresh.size, SegmentRefresh.entered, SegmentRefresh.left)
        assert session.execute(last.order_by(SegmentRefresh.id.desc()).limit(2)).all() == [
            (1, 1, 1),
            (1, 0, 1),
        ]


def test_there_are_no_chains(two):
    with two.writing() as session:
        one_person.add_customer(session, 3, "third")
        merge(session, 1, 2)
        merge(session, 3, 1, versions=(1, 2))
        assert [row(session, key).merged_into for key in (1, 2, 3)] == [3, 3, None]


def test_whoever_changed_meanwhile_wins_and_nothing_is_half_done(two):
    for versions in ((1, 2), (2, 1)):
        with pytest.raises(Conflict, match="Nothing was merged"), two.writing() as session:
            merge(session, versions=versions)
    with two.writing() as session:
        with pytest.raises(InvalidInput, match="one and the same"):
            merge(session, 1, 1)
        with pytest.raises(NotFound):
            merge(session, 1, 99)
        with pytest.raises(InvalidInput) as refused:
            merge(session, take={"email": "both", "shoe_size": "keep"})
        assert set(refused.value.problems) == {"email", "shoe_size"}
        with pytest.raises(NotAllowed):
            merge_customers(session, ANALYST, keep_id=1, other_id=2, versions=(1, 1), at=NOW)
        assert row(session, 2).deleted_at is None


def test_one_audit_entry_and_one_event_without_personal_data(two):
    with two.writing() as session:
        merge(session)
        session.flush()
        entry = session.scalars(select(Audit).where(Audit.action == "merge")).one()
        assert (entry.object_id, entry.detail["merged"]) == ("1", 2)
        events = session.execute(select(OutboxEvent.type, OutboxEvent.payload)).all()
        assert events == [("CustomersMerged", {"customer_id": 1, "merged_id": 2})]
        assert "second" not in str(entry.detail)


def test_two_people_stay_told_apart(two):
    with two.writing() as session:
        one_person.add_customer(session, 3, "third")
        assert mark_distinct(session, MARKETER, 3, 2, at=NOW)
        assert not mark_distinct(session, MARKETER, 2, 3, at=NOW)
        assert mark_distinct(session, MARKETER, 1, 2, at=NOW)
        with pytest.raises(InvalidInput):
            mark_distinct(session, MARKETER, 1, 1, at=NOW)
        merge(session)
        # That 2 is not 3 now says that 1 is not 3.
        assert session.execute(select(DistinctPair.first_id, DistinctPair.second_id)).all() == [(1, 3)]
