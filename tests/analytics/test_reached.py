"""The people behind a bar: those whom counting finds, and exactly those whom their segment chooses."""

import itertools

import pandas as pd
import pytest
from sqlalchemy import select

from ma.analytics import segments
from ma.analytics.breakdown import breakdown
from ma.analytics.frames import frame as exported
from ma.analytics.frames import read
from ma.analytics.reached import STEPS, asked, chosen, people_count, reached, rule
from ma.errors import InvalidInput
from ma.models import Campaign, Customer, Outcome
from ma.services.segment_lists import add_members, create_static_segment
from ma.types import SYSTEM
from tests.analytics import result_world
from tests.analytics.result_world import CAMPAIGNS, NOW


def by_hand(rows, people, knows, ids, step, not_step, keep):
    """The ids of the customers meant, from plain outcomes."""
    able = [i for i in ids if {step, not_step} - {""} <= set(knows[i].split(","))]
    rows = rows[(rows["arm"] == "treated") & rows["campaign_id"].isin(able)]
    if keep is not None:
        people = people[people["country"].fillna("") == keep]

    def did(name):
        return set(rows.loc[rows[f"{name}_at"] <= NOW, "customer_id"])

    return sorted((did(step) - (did(not_step) if not_step else set())) & set(people["id"]))


def test_list_segment_and_count_by_hand_are_the_same_people(result_database):
    with result_database.reading() as session:
        rows = read(session, select(*Outcome.__table__.columns))
        people = read(session, select(Customer.id, Customer.country, Customer.deleted_at))
        people = people[people["deleted_at"].isna()]
        knows = dict(session.execute(select(Campaign.id, Campaign.steps)).all())
        steps = [("sent", ""), ("converted", ""), ("opened", "converted"), ("sent", "clicked")]
        for ids, (step, not_step), country in itertools.product(
            ([1], [1, 2, 3, 4, 5]), steps, (None, "DE", "")
        ):
            group = {} if country is None else {"field": "country", "value": country}
            params = {"campaign_ids": ids, "step": step, "not_step": not_step, **group}
            listed = reached(session, as_of=NOW, **params)["customer_id"].tolist()
            assert listed == by_hand(rows, people, knows, ids, step, not_step, country), params
            who = asked(session, as_of=NOW, **params)
            assert people_count(session, who, as_of=NOW)[0] == len(listed)
            if said := rule(session, who, as_of=NOW):
                found = segments.people(session, said, as_of=NOW)["customer_id"]
                assert sorted(found) == listed, params


@pytest.mark.parametrize(
    ("field", "value"),
    [("age", "25..34"), ("age", "65.."), ("engagement", "..20"), ("lifetime_value", "250000..500000"),
     ("last_order", "31..90"), ("last_order", "366.."), ("joined_on", "2023"), ("city", "köln"),
     ("consent_email", "no"), ("attribute:1", "north"), ("attribute:2", "yes"), ("attribute:3", "")],
)  # fmt: skip
def test_a_bar_its_list_and_its_segment_agree_for_every_kind_of_field(result_database, field, value):
    """Over the campaigns, the times people did it add up to the bar, less those deleted since."""
    ids = list(CAMPAIGNS)
    with result_database.reading() as session:
        params = {"campaign_ids": ids, "step": "converted", "field": field, "value": value}
        frame = reached(session, as_of=NOW, **params)
        who = asked(session, as_of=NOW, **params)
        listed, gone = people_count(session, who, as_of=NOW)
        assert len(frame) == listed == segments.count(session, rule(session, who, as_of=NOW), as_of=NOW)
        bar = breakdown(session, as_of=NOW, campaign_ids=ids, by=field).set_index("value").loc[value]
        times = select(Outcome.customer_id).where(
            Outcome.customer_id.in_(chosen(session, who, as_of=NOW, deleted=True)),
            Outcome.campaign_id.in_(ids),
            Outcome.arm == "treated",
            Outcome.converted_at <= NOW,
        )
        deleted = session.scalars(times).all()
        assert len(set(deleted)) == gone
        assert frame["campaigns"].sum() + len(deleted) == bar["converted"]
        assert frame["revenue_minor"].sum() <= bar["revenue_minor"]


def test_what_each_person_did_stands_beside_them(result_database):
    with result_database.reading() as session:
        frame = reached(session, as_of=NOW, campaign_ids=[1, 2], step="delivered").set_index("customer_id")
        rows = read(session, select(*Outcome.__table__.columns).where(Outcome.campaign_id.in_([1, 2])))
    rows = rows[rows["arm"] == "treated"]
    order = ["sent", "bounced", "delivered", "opened", "clicked", "converted"]
    for customer_id, mine in rows[rows["customer_id"].isin(frame.index)].groupby("customer_id"):
        row = frame.loc[customer_id]
        far = [step for step in order if (mine[f"{step}_at"] <= NOW).any()]
        bought = mine[mine["converted_at"] <= NOW]
        assert row["furthest"] == far[-1]
        assert row["campaigns"] == (mine["delivered_at"] <= NOW).sum()
        assert row["organic"] == bought["organic"].sum()
        assert row["revenue_minor"] == bought["revenue_minor"].sum()
        assert row["sent_at"] == mine["sent_at"].min()


def test_pages_are_the_list_and_the_export_is_the_whole_of_it(result_database):
    with result_database.reading() as session:
        whole = reached(session, as_of=NOW, step="opened", not_step="clicked")
        pages = [
            reached(session, as_of=NOW, step="opened", not_step="clicked", limit=7, offset=offset)
            for offset in range(0, len(whole), 7)
        ]
        params = {"step": "opened", "not_step": "clicked"}
        export = exported(session, "reached", as_of=NOW, params=params)
    assert len(whole) > 7
    joined = pd.concat(pages, ignore_index=True)
    assert joined["customer_id"].tolist() == whole["customer_id"].tolist()
    pd.testing.assert_frame_equal(export, whole)


def test_a_campaign_that_cannot_see_a_step_says_nothing_about_who_did_not(result_database):
    """Nobody of the text message or the mailing "did not open" it: nobody knows."""
    with result_database.reading() as session:
        who = asked(session, as_of=NOW, step="sent", not_step="opened")
    assert who.campaign_ids == [1, 4, 5, 7]
    assert who.blind == 3


def test_people_of_a_variant_are_kept_as_a_list(database):
    with database.writing() as session:
        result_world.build(session, people=60)
        params = {"step": "opened", "field": "variant", "value": "1:B"}
        frame = reached(session, as_of=NOW, **params)
        who = asked(session, as_of=NOW, **params)
        assert rule(session, who, as_of=NOW) is None
        bar = breakdown(session, as_of=NOW, by="variant").set_index("value").loc["1:B"]
        listed, gone = people_count(session, who, as_of=NOW)
        assert listed + gone == bar["opened"]
        segment_id = create_static_segment(session, SYSTEM, name="B openers", at=NOW)
        assert add_members(session, SYSTEM, segment_id, chosen(session, who, as_of=NOW), at=NOW) == len(frame)


@pytest.mark.parametrize(
    "wrong",
    [{"step": "bounced"}, {"step": ""}, {"not_step": "x"}, {"field": "channel", "value": "email"},
     {"field": "email", "value": "x"}, {"field": "variant", "value": "x"}, {"field": "age", "value": "x"}],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(result_database, wrong):
    with result_database.reading() as session, pytest.raises(InvalidInput):
        reached(session, as_of=NOW, **wrong)


def test_every_step_has_its_word_in_rules():
    from ma.rules.nodes import Did

    assert set(STEPS.values()) == {did.value for did in Did}
