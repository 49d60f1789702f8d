"""Every dimension parts the same totals: on random worlds, on both engines, against counts made here."""

import itertools
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import func, select, update

from ma.analytics import breakdown_people, profile_groups, segments
from ma.analytics.breakdown import (
    DIMENSIONS,
    NOT_PER_PERSON,
    breakdown,
    dimensions,
    group_funnel,
    of_totals,
    wilson,
)
from ma.analytics.frames import frame as exported
from ma.analytics.frames import read
from ma.analytics.maturity import add_immature
from ma.analytics.profile_groups import grouping
from ma.analytics.results import COUNTS, SUMS, totals
from ma.errors import InvalidInput, InvalidPeriod
from ma.models import Customer, Outcome
from tests.analytics import result_world
from tests.analytics.result_world import CAMPAIGNS, FIELDS, NOW
from tests.analytics.test_results import NOW as LATER
from tests.analytics.test_results import world as story  # noqa: F401

FUNNEL = ("sent", "delivered", "opened", "clicked", "converted")
ALL = [*SUMS, "cost_minor", "immature"]


def sums(frame):
    """Of each figure the sum; unknown where one part is."""
    return frame[ALL].sum(skipna=False)


def outcomes(session):
    """Every outcome as it is stored, for counts of our own."""
    return read(session, select(*Outcome.__table__.columns))


# Parts add up


def test_every_dimension_parts_the_totals(result_database):
    with result_database.reading() as session:
        assert set(FIELDS) < set(dimensions(session))
        for as_of, ids in ((NOW, None), (NOW - timedelta(days=4.9), [1, 2, 4, 5])):
            whole = add_immature(session, totals(session, as_of=as_of, campaign_ids=ids), as_of=as_of)
            for by in [*DIMENSIONS, *(FIELDS if ids is None else FIELDS[:3])]:
                parts = of_totals(session, whole, as_of=as_of, by=by)
                assert parts["value"].is_unique, by
                np.testing.assert_allclose(sums(parts), sums(whole), rtol=1e-12, err_msg=by)


def test_filters_part_each_group_again(result_database):
    """The people of a group by another dimension are those of the group."""
    with result_database.reading() as session:
        whole = add_immature(session, totals(session, as_of=NOW), as_of=NOW)
        for outer, inner in (("country", "channel"), ("age", "country"), ("variant", "gender"),
                             ("gender", "variant")):  # fmt: skip
            groups = of_totals(session, whole, as_of=NOW, by=outer).set_index("value")
            for value, row in groups.drop(NOT_PER_PERSON, errors="ignore").iterrows():
                parts = of_totals(session, whole, as_of=NOW, by=inner, field=outer, value=value)
                np.testing.assert_allclose(sums(parts), row[ALL].astype(float), rtol=1e-12)


def test_groups_are_those_that_counting_by_hand_finds(result_database):
    with result_database.reading() as session:
        rows = outcomes(session)
        country = read(session, select(Customer.id, Customer.country)).set_index("id")["country"]
        found = breakdown(session, as_of=NOW, campaign_ids=[1, 4], by="country").set_index("value")
    rows = rows[(rows["arm"] == "treated") & rows["campaign_id"].isin([1, 4])]
    rows = rows.assign(value=rows["customer_id"].map(country).fillna(""))
    for name in COUNTS:
        if name == "organic":
            continue
        happened = rows[f"{name}_at"] <= NOW
        expected = happened.groupby(rows["value"]).sum()
        assert found[name].to_dict() == expected.to_dict(), name
    bought = rows[rows["converted_at"] <= NOW]
    assert found["revenue_minor"].to_dict() == bought.groupby("value")["revenue_minor"].sum().to_dict()
    assert found["organic"].sum() == bought["organic"].sum()
    window = rows["campaign_id"].map({number: pd.Timedelta(days=CAMPAIGNS[number][2]) for number in (1, 4)})
    open_yet = (rows["sent_at"] <= NOW) & (rows["sent_at"] + window > NOW)
    assert found["immature"].to_dict() == open_yet.groupby(rows["value"]).sum().to_dict()


def test_people_deleted_since_count_with_what_they_did(database):
    with database.writing() as session:
        result_world.build(session, people=60)
        before = breakdown(session, as_of=NOW, by="country")
        session.execute(update(Customer).where(Customer.id < 40).values(deleted_at=NOW))
        pd.testing.assert_frame_equal(breakdown(session, as_of=NOW, by="country"), before)
        session.execute(update(Customer).where(Customer.id < 40).values(country=None))
        erased = breakdown(session, as_of=NOW, by="country")
    np.testing.assert_allclose(sums(erased), sums(before))
    unknown = [frame.set_index("value").loc["", "sent"] for frame in (before, erased)]
    assert unknown[1] > unknown[0]


def test_no_step_exceeds_the_one_before_it_in_any_group(result_database):
    with result_database.reading() as session:
        for ids in ([1, 4, 5], [2]):
            whole = add_immature(session, totals(session, as_of=NOW, campaign_ids=ids), as_of=NOW)
            for by in ("campaign", "variant", "age"):
                frame = of_totals(session, whole, as_of=NOW, by=by)
                frame["converted"] -= frame["organic"]
                for before, after in itertools.pairwise(s for s in FUNNEL if frame[s].notna().all()):
                    assert (frame[after] <= frame[before]).all(), (by, after)


def test_the_rule_of_a_group_chooses_its_people(result_database):
    """Ranges leave no gap and do not overlap, and Unknown is a group like others."""
    with result_database.reading() as session:
        everybody = session.scalar(select(func.count()).where(Customer.deleted_at.is_(None)))
        for name in FIELDS:
            groups = grouping(session, name, as_of=NOW)
            rows = groups.of_customers.where(Customer.deleted_at.is_(None)).subquery()
            query = select(rows.c.key, func.count()).group_by(rows.c.key)
            counted = {groups.value(key): n for key, n in session.execute(query)}
            for value, people in counted.items():
                assert segments.count(session, groups.rule(value), as_of=NOW) == people, (name, value)
                assert groups.label(value)
            assert sum(counted.values()) == everybody, name


def test_which_texts_are_common_the_newest_customers_say(result_database, monkeypatch):
    monkeypatch.setattr(profile_groups, "MOST", 1)
    with result_database.reading() as session:
        cities = session.execute(select(Customer.id, Customer.city_folded).order_by(Customer.id.desc())).all()
        last = next(city for _, city in cities if city)
        monkeypatch.setattr(profile_groups, "MOST_ROWS", 1)
        assert list(grouping(session, "city", as_of=NOW).names) == [last]


def test_rare_texts_are_others_together(result_database, monkeypatch):
    monkeypatch.setattr(profile_groups, "MOST", 1)
    with result_database.reading() as session:
        frame = breakdown(session, as_of=NOW, by="city")
        assert frame["value"].tolist() == ["köln", "*", "", NOT_PER_PERSON]
        assert frame["label"].tolist()[1:] == ["Others", "Unknown", "Not known per person"]
        others = breakdown(session, as_of=NOW, by="campaign", field="city", value="*")
        assert others["sent"].sum() == frame.set_index("value").loc["*", "sent"]


def test_rare_texts_of_an_own_field_are_others_together(result_database, monkeypatch):
    monkeypatch.setattr(profile_groups, "MOST", 1)
    with result_database.reading() as session:
        by_shop = breakdown(session, as_of=NOW, by="attribute:1").set_index("value")["sent"]
        others = breakdown(session, as_of=NOW, by="campaign", field="attribute:1", value="*")
        assert others["sent"].sum() == by_shop["*"] > 0


def test_many_people_are_counted_as_few_are(result_database, monkeypatch):
    asked = (
        {"by": "city"},
        {"by": "rfm_segment"},
        {"by": "attribute:1", "field": "consent_email", "value": "yes"},
        {"by": "variant", "field": "city", "value": "köln"},
        {"by": "country", "field": "variant", "value": "1:A"},
    )
    with result_database.reading() as session:
        few = [breakdown(session, as_of=NOW, **one) for one in asked]
        monkeypatch.setattr(breakdown_people, "_FEW", 0)
        for one, frame in zip(asked, few, strict=True):
            assert frame["sent"].sum() > 0, one
            pd.testing.assert_frame_equal(breakdown(session, as_of=NOW, **one), frame)


def test_many_people_are_counted_in_lots_with_progress(result_database, monkeypatch):
    with result_database.reading() as session:
        whole = add_immature(session, totals(session, as_of=NOW), as_of=NOW)
        at_once = of_totals(session, whole, as_of=NOW, by="country")
        monkeypatch.setattr(breakdown_people, "_AT_ONCE", {"sqlite": 100, "postgresql": 100})
        shares = []
        in_lots = of_totals(session, whole, as_of=NOW, by="country", progress=shares.append)
    pd.testing.assert_frame_equal(in_lots, at_once)
    assert len(shares) > 2
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


# By hand


def test_shares_of_cost_rates_and_their_intervals_by_hand(story):  # noqa: F811
    """Five were sent it for 10.00: two in Germany, of whom one bought for 40.00; one in France."""
    with story.writing() as session:
        session.execute(update(Customer).where(Customer.id <= 2).values(country="DE"))
        session.execute(update(Customer).where(Customer.id == 3).values(country="FR"))
        frame = breakdown(session, as_of=LATER, campaign_ids=[1], by="country").set_index("label")
        both = breakdown(session, as_of=LATER, by="country").set_index("label")
    assert frame.index.tolist() == ["DE", "FR", "Unknown"] or frame.index.tolist() == ["DE", "Unknown"]
    german = frame.loc["DE"]
    assert (german["sent"], german["delivered"], german["converted"]) == (2, 2, 1)
    assert (german["cost_minor"], german["revenue_minor"], german["roi"]) == (400, 4000, 9.0)
    assert german["revenue_per_recipient_minor"] == 2000
    assert german["conversion_rate"] == 0.5
    # Wilson for 1 of 2: (1 + z²/2 ± z √(1/2 + z²/4)) ÷ (2 + z²), z² = 3.841459.
    assert german["conversion_rate_low"] == pytest.approx((1 + 1.9207295 - 2.3691) / 5.841459, abs=1e-3)
    assert frame["cost_minor"].sum() == 1000
    # The mailing has no known cost, so a group with people of both has none; rates pool what is known.
    assert both.loc["DE", ["sent", "converted"]].tolist() == [4, 2]
    assert np.isnan(both.loc["DE", "roi"])
    assert both.loc["DE", "conversion_rate"] == 2 / 4
    assert both.loc["DE", "open_rate"] == 1.0
    assert both.loc["DE", "open_rate_base"] == 2


def test_the_interval_is_that_of_an_independent_program():
    from statsmodels.stats.proportion import proportion_confint

    part, whole = (np.array(x) for x in zip(*[(k, n) for n in (1, 7, 300, 10**6) for k in (0, 1, n // 3, n)],
                                            strict=True))  # fmt: skip
    low, high = wilson(pd.Series(part), pd.Series(whole))
    expected = proportion_confint(part, whole, method="wilson")
    np.testing.assert_allclose([low, high], expected, rtol=1e-6, atol=1e-9)
    nothing = wilson(pd.Series([0]), pd.Series([0]))
    assert np.isnan(nothing[0][0])
    assert np.isnan(nothing[1][0])


# As the screens and exports ask for it


def test_the_export_is_what_the_screen_shows(result_database):
    with result_database.reading() as session:
        params = {"campaign_ids": "1,2,4", "by": "age", "field": "country", "value": "DE"}
        asked = {"campaign_ids": [1, 2, 4], "by": "age", "field": "country", "value": "DE"}
        screen = breakdown(session, as_of=NOW, **asked)
        pd.testing.assert_frame_equal(exported(session, "breakdown", as_of=NOW, params=params), screen)
        del params["by"]
        steps = exported(session, "group_funnel", as_of=NOW, params=params)
        assert steps["people"].tolist()[0] == screen["sent"].sum()
        pd.testing.assert_frame_equal(
            steps, group_funnel(session, as_of=NOW, campaign_ids=[1, 2, 4], field="country", value="DE")
        )


def test_groups_stand_in_their_order_and_have_their_names(result_database):
    with result_database.reading() as session:
        months = breakdown(session, as_of=NOW, by="month")
        assert months["label"].tolist() == ["Jan 2026", "Feb 2026", "Mar 2026"]
        assert months["campaigns"].tolist() == [1, 3, 3]
        ages = breakdown(session, as_of=NOW, campaign_ids=[1], by="age")["label"].tolist()
        order = ["Up to 17", "18–24", "25–34", "35–44", "45–54", "55–64", "65 or more", "Unknown"]
        assert ages == [label for label in order if label in ages]
        variants = breakdown(session, as_of=NOW, campaign_ids=[1], by="variant")
        assert sorted(variants["label"]) == ["Campaign 1 · A", "Campaign 1 · B"]
        of_segments = breakdown(session, as_of=NOW, by="segment")["label"].tolist()
        assert of_segments[-1] == "Without a segment"


def test_what_cannot_be_asked_is_refused(result_database):
    with result_database.reading() as session:
        assert breakdown(session, as_of=NOW, field="variant", value="x").empty
        for wrong in ({"by": "email"}, {"by": "tags"}, {"field": "x", "value": "1"},
                      {"field": "age", "value": "12"}):  # fmt: skip
            with pytest.raises(InvalidInput):
                breakdown(session, as_of=NOW, **wrong)
        with pytest.raises(InvalidPeriod):
            breakdown(session, as_of=NOW, start=date(2026, 1, 2), end=date(2026, 1, 2))


def test_a_period_without_campaigns_has_no_groups(result_database):
    with result_database.reading() as session:
        for by in (*DIMENSIONS, "country"):
            assert breakdown(session, as_of=NOW, by=by, end=date(2020, 1, 1)).empty
