"""Segments beside each other: by hand on eight people, and the sets made of them really counted."""

from datetime import UTC, date, datetime, timedelta
from statistics import mean, variance

import pytest
from sqlalchemy import insert, update

from ma.analytics import comparison, segments
from ma.analytics.catalogue import catalogue
from ma.analytics.frames import frame
from ma.errors import InvalidInput, NotFound
from ma.models import Customer
from ma.rules.check import parse
from ma.services.segments import add_members, create_static_segment
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Channel

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORDERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
LISTS = {"A": [1, 2, 3, 4], "B": [3, 4, 5], "C": [4, 8], "Empty": []}


@pytest.fixture
def session(database):
    """Ten customers, of whom the last was deleted, on four lists."""
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone="UTC", currency="EUR", at=NOW)
        common = {"search_text": "", "visits": 0, "version": 1, "created_at": NOW, "updated_at": NOW}
        common |= {f"consent_{channel}": False for channel in Channel}
        for i, orders in enumerate(ORDERS, start=1):
            row = {"id": i, "split_bucket": i, "orders": orders, "spend_minor": 1000 * orders**2}
            row |= {"consent_email": i <= 3, "country": [None, "DE", "FR"][i % 3]}
            row |= {"birth_date": date(2026 - 20 - i, 11, 22 if i % 2 else 23) if i > 1 else None}
            session.execute(insert(Customer.__table__).values(**common | row))
        for name, ids in LISTS.items():
            segment_id = create_static_segment(session, SYSTEM, name=name, at=NOW)
            add_members(session, SYSTEM, segment_id, segments.these([*ids, 10] if ids else []), at=NOW)
        session.execute(update(Customer).where(Customer.id == 10).values(deleted_at=NOW))
        yield session


def test_everybody_is_in_exactly_one_region(session):
    found = comparison.compare(session, [1, 2, 3, 4], as_of=NOW)
    assert found.sizes[["segment", "people", "only_here"]].to_numpy().tolist() == [
        ["A", 4, 2],
        ["B", 3, 1],
        ["C", 2, 1],
        ["Empty", 0, 0],
    ]
    regions = {row.segment_ids: (row.people, row.number) for row in found.regions.itertuples()}
    assert regions == {(1,): (2, 1), (2,): (1, 1), (3,): (1, 1), (1, 2): (1, 2), (1, 2, 3): (1, 3)}
    assert found.regions["people"].tolist() == [2, 1, 1, 1, 1]
    assert found.regions["share"].sum() == pytest.approx(1)
    assert found.regions["segments"].tolist()[3:] == ["A and B", "A and B and C"]
    pairs = found.pairs.set_index(["first", "second"])
    assert pairs.loc[("A", "B"), "both"] == 2
    assert pairs.loc[("A", "B"), "share_of_first"] == 2 / 4
    assert pairs.loc[("B", "A"), "share_of_first"] == 2 / 3
    assert pairs.loc[("B", "A"), "jaccard"] == 2 / 5
    assert pairs.loc[("Empty", "A")].isna().tolist()[-2:] == [True, False]
    assert pairs.loc[("Empty", "A"), "jaccard"] == 0
    # As it was before anybody was put on a list.
    assert len(comparison.compare(session, [1, 2], as_of=NOW - timedelta(days=1)).regions) == 0


def test_differences_are_those_of_the_formulas(session):
    found = comparison.differences(session, as_of=NOW, segment_ids=[1, 2])
    row = found[(found["measure"] == "orders") & (found["segment"] == "A")].iloc[0]
    ours, others = [0, 1, 2, 3], [4, 5, 6, 7, 8]
    assert (row["value"], row["n"], row["value_others"], row["n_others"]) == (1.5, 4, 6, 5)
    d = (mean(ours) - mean(others)) / ((variance(ours) + variance(others)) / 2) ** 0.5
    assert row["difference"] == pytest.approx(d)
    error = ((4 + 5) / (4 * 5) + d**2 / (2 * (4 + 5))) ** 0.5
    assert (row["low"], row["high"]) == pytest.approx((d - 1.96 * error, d + 1.96 * error), abs=1e-3)
    age = found[(found["measure"] == "age") & (found["segment"] == "A")].iloc[0]
    # 22, 23 and 24 years; whoever was born on the 23rd is a year younger. Of the first it is unknown.
    assert (age["value"], age["n"]) == (pytest.approx(mean([21, 23, 23])), 3)
    share = found[(found["measure"] == "consent_email") & (found["segment"] == "A")].iloc[0]
    assert (share["kind"], share["value"], share["n"], share["value_others"]) == ("share", 0.75, 4, 0)
    country = found[found["measure"] == "country DE"].set_index("segment")
    assert country.loc["A", ["value", "n", "value_others", "n_others"]].tolist() == [2 / 3, 3, 1 / 3, 3]
    nobody = found[found["measure"] == "engagement"]
    assert nobody["n"].tolist() == [0, 0]
    assert nobody[["value", "difference", "low"]].isna().all(axis=None)
    # Nobody has visited: no spread, no difference.
    assert found[found["measure"] == "visits"]["difference"].isna().all()


def test_sets_choose_the_people_of_their_regions(session):
    lists = {name: {i for i in ids if i != 10} for name, ids in LISTS.items()}
    a, b, c = lists["A"], lists["B"], lists["C"]
    once = {i for i in a | b | c if (i in a) + (i in b) + (i in c) == 1}
    wanted = {"union": a | b | c, "intersection": a & b & c, "difference": a - b - c, "only_one": once}
    for operation, ids in wanted.items():
        assert chosen(session, comparison.set_rule(operation, [1, 2, 3])) == ids, operation
    assert chosen(session, comparison.combined_rule({1: "in", 2: "out", 3: "any"})) == a - b
    assert chosen(session, comparison.combined_rule({1: "in", 2: "in", 3: "out"})) == (a & b) - c
    for region in comparison.regions(session, as_of=NOW, segment_ids=[1, 2, 3]).itertuples():
        inside = {int(one) for one in region.segment_ids.split(",")}
        rule = comparison.combined_rule({one: "in" if one in inside else "out" for one in (1, 2, 3)})
        assert len(chosen(session, rule)) == region.people


def chosen(session, rule):
    node = parse(rule, catalogue(session))
    return set(segments.people(session, node, as_of=NOW)["customer_id"])


def test_what_cannot_be_compared_is_refused(session):
    for ids in ([1], [1, 1], [1, 2, 3, 4, 5, 6, 7]):
        with pytest.raises(InvalidInput, match="2 to 6 different segments"):
            comparison.compare(session, ids, as_of=NOW)
    with pytest.raises(NotFound, match="no segment 9"):
        comparison.compare(session, [1, 9], as_of=NOW)
    with pytest.raises(InvalidInput, match="at least one segment"):
        comparison.combined_rule({1: "out", 2: "any"})
    with pytest.raises(InvalidInput, match="no set operation 'xor'"):
        comparison.set_rule("xor", [1, 2])
    with pytest.raises(InvalidInput, match="at least two"):
        comparison.set_rule("union", [1, 1])


def test_the_numbers_can_be_exported(session):
    for name in ("segment_sizes", "segment_regions", "segment_pairs", "segment_differences"):
        table = frame(session, name, as_of=NOW, params={"segment_ids": "1,2"})
        assert len(table) > 0
