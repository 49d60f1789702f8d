"""What parts of a rule do: against really counting the rules without them, by hand, and from a textbook."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pandas as pd
import pytest
from sqlalchemy import event, insert, select

from ma.analytics import segments
from ma.analytics.catalogue import catalogue
from ma.analytics.explanation import effects, explain, glance, truth_table, why
from ma.analytics.frames import frame
from ma.analytics.glance import value_limits
from ma.db import bulk
from ma.db.counting import counted
from ma.db.engine import connect
from ma.errors import InvalidInput, InvalidRule, NotFound
from ma.models import (
    BehaviourEvent,
    Category,
    Customer,
    CustomerTag,
    Outcome,
    Purchase,
    PurchaseLine,
    Tag,
)
from ma.rules.catalogue import Catalogue, KnownSegment
from ma.rules.check import parse
from ma.rules.nodes import SegmentRule
from ma.services.campaigns import create_campaign
from ma.services.segments import add_members, create_segment, create_static_segment
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Channel
from tests.rules import people

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ADULT = {"field": "age", "operator": "gte", "value": 30}
ANNA = {"field": "first_name", "operator": "contains", "value": "an"}
DEAR = {"field": "lifetime_value", "operator": "gt", "value": 0}
MAIL = {"field": "consent_email", "operator": "eq", "value": True}
KEEN = {"field": "engagement", "operator": "gte", "value": 50}
RECENT = {"field": "last_order", "operator": "in_last", "value": 60, "unit": "day"}


def workspace(session):
    create_workspace(session, SYSTEM, name="Test", timezone="Europe/Berlin", currency="EUR", at=NOW)


@pytest.fixture
def crowd(database):
    """240 customers with much missing, and one who was deleted."""
    with database.writing() as session:
        workspace(session)
        bulk.insert(session, Customer.__table__, people.customers())
        gone = people.customers().iloc[:1].assign(id=999, email=None, email_folded=None, external_id=None)
        gone["deleted_at"] = pd.Timestamp(NOW)
        bulk.insert(session, Customer.__table__, gone)
        yield session


@pytest.fixture
def session(sqlite_url):
    """An empty workspace on one engine, where the engine does not matter."""
    database = connect(sqlite_url)
    with database.writing() as session:
        workspace(session)
        yield session
    database.close()


def add(session, rows):
    common = {"search_text": "", "orders": 0, "spend_minor": 0, "visits": 0, "version": 1}
    common |= {f"consent_{channel}": False for channel in Channel}
    common |= {"created_at": NOW, "updated_at": NOW}
    for i, row in enumerate(rows, start=1):
        session.execute(insert(Customer.__table__).values({"id": i, "split_bucket": i} | common | row))


def count(session, rule):
    """Really counted: 0 for “any of” nothing, everybody for the other groups without a rule."""
    if rule in ({"any": []}, {"all": []}, {"none": []}):
        everybody = segments.count(session, {"field": "orders", "operator": "gte", "value": 0}, as_of=NOW)
        return 0 if "any" in rule else everybody
    return segments.count(session, rule, as_of=NOW)


def without(rule, path):
    """A rule's JSON without the part at a path such as all[1].any[0]; groups left empty go too, but the
    outermost."""
    step, _, rest = path.partition(".")
    if step == "not":
        inner = without(rule["not"], rest) if rest else None
        return None if inner is None else {"not": inner}
    key, place = step.rstrip("]").split("[")
    rules = list(rule[key])
    inner = without(rules[int(place)], rest) if rest else None
    rules[int(place) : int(place) + 1] = [] if inner is None else [inner]
    return {key: rules} if rules else None


RULES = {
    "all": {
        "all": [MAIL, ADULT, {"any": [ANNA, KEEN, {"not": RECENT}]}, {"none": [DEAR, {"all": [KEEN, ANNA]}]}]
    },
    "any": {"any": [{"all": [ANNA, ADULT]}, KEEN, {"not": {"any": [MAIL, RECENT]}}]},
    "none": {"none": [{"all": [ADULT, MAIL]}, ANNA]},
    "the same leaf twice": {"all": [{"any": [ADULT, ANNA]}, {"any": [ADULT, KEEN]}]},
    "one": {"all": [ADULT]},
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_number_is_what_counting_finds(crowd, rule):
    """One query says what otherwise takes one for each part: its count, the rule without it, the way."""
    found = explain(crowd, parse(rule), as_of=NOW)
    [(kind, parts)] = rule.items()
    everybody = count(crowd, {"all": []})
    assert (found.total, found.everybody) == (count(crowd, rule), everybody)
    assert found.undecided == segments.audience(crowd, rule, as_of=NOW).undecided
    for row in found.effects.itertuples():
        left = without(rule, row.path) or {kind: []}
        assert row.without == count(crowd, left), row.path
        assert row.change == row.without - found.total
    top = found.effects[found.effects["depth"] == 0]
    assert top["own"].tolist() == [count(crowd, part) for part in parts]
    after = [count(crowd, {kind: parts[: i + 1]}) for i in range(len(parts))]
    start = 0 if kind == "any" else everybody
    assert top["after"].tolist() == after
    assert top["step"].tolist() == [b - a for a, b in zip([start, *after], after, strict=False)]
    assert found.total == after[-1] == len(segments.people(crowd, rule, as_of=NOW))
    # Shapley's value is the mean over all orders of what a part changes when its turn comes.
    means = [0.0] * len(parts)
    orders = list(permutations(range(len(parts))))
    sizes = {}
    for order in orders:
        for place, part in enumerate(order):
            counts = []
            for chosen in (order[:place], order[: place + 1]):
                key = frozenset(chosen)
                if key not in sizes:
                    sizes[key] = count(crowd, {kind: [parts[i] for i in sorted(key)]})
                counts.append(sizes[key])
            means[part] += (counts[1] - counts[0]) / len(orders)
    assert top["share"].tolist() == pytest.approx(means)
    assert top["share"].sum() == pytest.approx(found.total - start)


def test_forty_rules_fill_more_than_one_whole_number(crowd):
    rules = [{"field": "age", "operator": "gte", "value": age} for age in range(5, 25)]
    rules += [{"field": "engagement", "operator": "lte", "value": 100 - i} for i in range(20)]
    rule = {"any": [{"all": [MAIL, *rules]}, {"not": rules[3]}]}
    table = truth_table(crowd, parse(rule), as_of=NOW)
    assert len(table.leaves) == 41
    assert table.total == count(crowd, rule)
    assert table.frame()["people"].sum() == 240
    for leaf, json in zip(table.leaves, [MAIL, *rules], strict=True):
        assert table.count(table.holds(leaf)) == count(crowd, json)


def test_whole_numbers_are_counted_exactly(crowd):
    rows = select(Customer.spend_minor.label("spend"), Customer.country.label("country"))
    found = counted(crowd, rows.where(Customer.deleted_at.is_(None)))
    assert found["people"].sum() == 240
    assert set(found["spend"]) == {-500, 0, 1, 80_000, 2**62}
    truth = people.customers().groupby(["spend_minor", "country"], dropna=False).size()
    assert found["people"].tolist() == truth.tolist()
    nobody = counted(crowd, rows.where(Customer.id < 0))
    assert (len(nobody), list(nobody.columns)) == (0, ["spend", "country", "people"])


def test_the_shares_of_the_airport_problem(session):
    """Runways of 8, 11, 13 and 18 units: Littlechild and Owen (1973) as in Wikipedia's “Airport problem”."""
    add(session, [{"orders": i} for i in range(1, 19)])
    rule = {"any": [{"field": "orders", "operator": "lte", "value": need} for need in (8, 11, 13, 18)]}
    found = explain(session, parse(rule), as_of=NOW).effects
    assert found["share"].tolist() == [2, 3, 4, 9]
    # And for “all of” what they put out, in an order that does not matter.
    rule = {"all": [{"field": "orders", "operator": "gt", "value": need} for need in (18, 8, 13, 11)]}
    assert explain(session, parse(rule), as_of=NOW).effects["share"].tolist() == [-9, -2, -4, -3]


def test_a_rule_that_changes_nothing_has_no_share_and_twins_have_the_same(session):
    add(session, [{"orders": i} for i in range(10)])
    few = {"field": "orders", "operator": "lt", "value": 4}
    twin = {"not": {"field": "orders", "operator": "gte", "value": 4}}
    everybody = {"field": "orders", "operator": "gte", "value": 0}
    found = explain(session, parse({"all": [few, everybody, twin]}), as_of=NOW).effects
    assert found["share"].dropna().tolist() == [-3, 0, -3]
    assert found["change"].tolist()[:3] == [0, 0, 0]


def test_who_is_decided_by_missing_data_and_by_which(session):
    add(
        session,
        [
            {"birth_date": date(1980, 1, 1), "engagement": 80.0},  # in
            {"birth_date": None, "engagement": 80.0},  # left out: the age decides
            {"birth_date": None, "engagement": None},  # left out: both could
            {"birth_date": None, "engagement": 10.0},  # out, whatever the age
            {"birth_date": date(2010, 1, 1), "engagement": None},  # out, whatever the engagement
        ],
    )
    found = explain(session, parse({"all": [ADULT, KEEN]}), as_of=NOW)
    assert (found.total, *ways(found)) == (1, 2, 0)
    assert found.missing[["fact", "left_out", "in_anyway"]].to_numpy().tolist() == [
        ["age", 2, 0],
        ["engagement", 1, 0],
    ]
    # Not those who are known to be both: the unknown ones are in, and might be out.
    found = explain(session, parse({"not": {"all": [ADULT, KEEN]}}), as_of=NOW)
    assert (found.total, *ways(found)) == (4, 0, 2)
    assert found.missing["in_anyway"].tolist() == [2, 1]
    # Whoever is engaged is in; their age decides nothing.
    found = explain(session, parse({"any": [ADULT, KEEN]}), as_of=NOW)
    assert found.missing[["fact", "left_out"]].to_numpy().tolist() == [["age", 2], ["engagement", 2]]
    lenient = {"all": [ADULT | {"missing": "match"}, {"field": "engagement", "operator": "is_set"}]}
    found = explain(session, parse(lenient), as_of=NOW)
    assert (*ways(found), len(found.missing)) == (0, 0, 0)


def ways(found):
    return found.undecided.left_out, found.undecided.in_anyway


def test_of_nobody_everything_is_zero(session):
    found = explain(session, parse({"all": [ADULT, {"any": [KEEN]}]}), as_of=NOW)
    assert (found.total, found.everybody, found.undecided.left_out) == (0, 0, 0)
    assert found.effects["share"].dropna().tolist() == [0, 0]
    assert glance(session, parse(ADULT), as_of=NOW)["people"].sum() == 0


def test_groups_around_one_group_are_seen_through(session):
    add(session, [{"orders": i} for i in range(6)])
    two = [
        {"field": "orders", "operator": "gte", "value": 2},
        {"field": "orders", "operator": "lt", "value": 5},
    ]
    table = truth_table(session, parse({"all": [{"any": [{"not": {"any": two}}]}]}), as_of=NOW)
    found = effects(table, currency="EUR")
    assert found["path"].tolist() == ["all[0].any[0].not.any[0]", "all[0].any[0].not.any[1]"]
    assert found["after"].tolist() == [2, 0]
    assert effects(truth_table(session, parse(two[0]), as_of=NOW), currency="EUR")["path"].tolist() == [""]


# One customer


@pytest.fixture
def anna(database):
    """Anna with orders, visits, a message and a tag, Bo with nothing, and somebody deleted."""
    with database.writing() as session:
        workspace(session)
        add(
            session,
            [
                {"first_name": "Anna", "first_name_folded": "anna", "city": "Köln", "city_folded": "köln"}
                | {"birth_date": date(1990, 11, 23), "engagement": 12.5, "spend_minor": 123450}
                | {"consent_email": True, "split_bucket": 4321},
                {"first_name": "Bo"},
                {"deleted_at": NOW},
            ],
        )
        day = timedelta(days=1)
        session.execute(insert(Category).values(id=1, name="Wine", name_folded="wine"))
        for i, (days, amount) in enumerate([(100, 1000), (10, 3000), (2, 500)], start=1):
            order = {
                "id": i,
                "customer_id": 1,
                "kind": "sale",
                "at": NOW - days * day,
                "amount_minor": amount,
            }
            session.execute(insert(Purchase).values(**order))
            line = {"purchase_id": i, "line": 1, "category_id": 1 if i < 3 else None, "quantity": 1}
            session.execute(insert(PurchaseLine).values(**line, amount_minor=amount))
        session.execute(insert(BehaviourEvent).values(customer_id=1, kind="visit", at=NOW - day, page="home"))
        session.execute(insert(Tag).values(id=1, name="VIP", name_folded="vip", created_at=NOW))
        session.execute(insert(CustomerTag).values(tag_id=1, customer_id=1, at=NOW, actor="x"))
        message = {"channel": Channel.EMAIL, "subject": "Hi", "body": "Come in."}
        message["segment_id"] = create_segment(session, SYSTEM, name="Dear", rule=DEAR, at=NOW)
        campaign = create_campaign(session, SYSTEM, name="Spring", at=NOW, **message)
        sent = {"campaign_id": campaign, "arm": "treated", "variant": "A", "wave": 1, "source": "imported"}
        sent |= {"assigned_at": NOW - 5 * day, "sent_at": NOW - 5 * day, "opened_at": NOW - 4 * day}
        session.execute(insert(Outcome).values(**sent, customer_id=1, organic=False, revenue_minor=0))
        yield session


def leaf(session, rule, customer_id=1):
    found = why(session, parse(rule, catalogue(session)), customer_id, as_of=NOW)
    return found.holds, found.undecided, found.value


def purchases(measure, operator="gte", value=1, **more):
    return {"event": "purchase", "measure": measure, "operator": operator, "value": value} | more


WINE = {"where": {"field": "category", "operator": "eq", "value": "wine"}}
SAID = {
    "age": (ADULT, (True, False, "35")),
    "city": ({"field": "city", "operator": "eq", "value": "bonn"}, (False, False, "Köln")),
    "money": (DEAR, (True, False, "€1,234.50")),
    "consent": (MAIL, (True, False, "yes")),
    "unknown": ({"field": "gender", "operator": "eq", "value": "female"}, (False, True, None)),
    "never": (RECENT, (False, False, "never")),
    "no order": ({"field": "average_order", "operator": "gt", "value": 1}, (False, False, "no order yet")),
    "no category": (
        {"field": "favourite_category", "operator": "eq", "value": "Wine", "missing": "match"},
        (True, False, "none yet"),
    ),
    "number": (KEEN, (False, False, "12.5")),
    "tags": ({"field": "tags", "operator": "has_any", "value": ["VIP"]}, (True, False, "VIP")),
    "count": (purchases("count", value=2), (True, False, "3")),
    "count of wine": (purchases("count", value=3, **WINE), (False, False, "2")),
    "sum of wine lately": (
        purchases("sum", value=3000, within={"last": 90, "unit": "day"}, **WINE),
        (True, False, "€30.00"),
    ),
    "average": (purchases("avg", "lt", 1500), (False, False, "€15.00")),
    "highest": (purchases("max", value=3000), (True, False, "€30.00")),
    "days": (purchases("days_since_last", "lte", 2), (True, False, "2 days (20 November 2026, 13:00)")),
    "visits": (
        {"event": "visit", "measure": "count", "operator": "eq", "value": 0},
        (False, False, "1"),
    ),
    "opened": ({"campaign": "any", "did": "opened"}, (True, False, "18 November 2026, 13:00 (Spring)")),
    "opened this one": ({"campaign": 1, "did": "opened"}, (True, False, "18 November 2026, 13:00")),
    "clicked": ({"campaign": {"channel": "email"}, "did": "clicked"}, (False, False, "never")),
}
OF_NOBODY = {
    "count": (purchases("count", "lt"), (True, False, "0")),
    "average": (purchases("avg"), (False, False, "none")),
    "days": (purchases("days_since_first", "lte", 9), (False, False, "never")),
    "tags": ({"field": "tags", "operator": "has_none", "value": ["VIP"]}, (False, True, None)),
    "opened": ({"not": {"campaign": "any", "did": "opened"}}, (True, False, None)),
}


def test_explanations_can_be_exported(anna):
    asked = {"rule": '{"all": [{"field": "age", "operator": "gte", "value": 30}]}'}
    assert frame(anna, "segment_steps", as_of=NOW, params=asked)["own"].tolist() == [1]
    assert frame(anna, "segment_missing", as_of=NOW, params={"segment_id": "1"}).empty
    board = create_static_segment(anna, SYSTEM, name="Board", at=NOW)
    add_members(anna, SYSTEM, board, segments.these([1, 2]), at=NOW)
    of_list = frame(anna, "segment_glance", as_of=NOW, params={"segment_id": str(board)})
    assert of_list[of_list["facet"] == "country"]["people"].sum() == 2
    for params in ({}, asked | {"segment_id": "1"}):
        with pytest.raises(InvalidInput, match="either 'segment_id' or 'rule'"):
            frame(anna, "segment_steps", as_of=NOW, params=params)


def test_the_actual_values_are_said_in_words(anna):
    assert {name: leaf(anna, rule) for name, (rule, _) in SAID.items()} == {
        n: said for n, (_, said) in SAID.items()
    }
    said = {name: leaf(anna, rule, 2) for name, (rule, _) in OF_NOBODY.items()}
    assert said == {name: expected for name, (_, expected) in OF_NOBODY.items()}


def test_a_place_in_a_split_is_where_the_rule_has_it(anna):
    split = {"random": "autumn test", "from": 0, "to": 50}
    holds, _, said = leaf(anna, split)
    place = float(said.removeprefix("at ").removesuffix(" %"))
    assert holds is (place < 50)
    for start in (0, 25, 50, 75):
        assert leaf(anna, split | {"from": start, "to": start + 25})[0] is (start <= place < start + 25)


def test_a_segment_shows_its_own_rule_inside(anna):
    inner = create_segment(anna, SYSTEM, name="Young or keen", rule={"any": [{"not": ADULT}, KEEN]}, at=NOW)
    outer = create_segment(anna, SYSTEM, name="Others", rule={"not": {"in_segment": inner}}, at=NOW)
    board = create_static_segment(anna, SYSTEM, name="Board", at=NOW)
    add_members(anna, SYSTEM, board, segments.these([2]), at=NOW)
    rule = {"all": [{"in_segment": outer}, {"none": [{"in_segment": board}]}]}
    found = why(anna, parse(rule, catalogue(anna)), 1, as_of=NOW)
    assert (found.holds, found.undecided) == (True, False)
    joins = ["all", "segment", "not", "segment", "any", "not", "", "", "none", ""]
    assert found.frame()["joins"].fillna("").tolist() == joins
    assert found.parts[1].parts[0].value == "not on the list"
    other = why(anna, parse(rule, catalogue(anna)), 2, as_of=NOW)
    assert (other.holds, other.parts[0].undecided) == (False, True)
    assert other.parts[1].parts[0].value == "on the list since 22 November 2026, 13:00"
    for customer_id in (1, 2):
        ids = segments.people(anna, parse(rule, catalogue(anna)), as_of=NOW)["customer_id"].tolist()
        assert (customer_id in ids) is why(anna, parse(rule, catalogue(anna)), customer_id, as_of=NOW).holds


def test_why_says_of_a_list_who_was_on_it_at_the_moment(anna):
    board = create_static_segment(anna, SYSTEM, name="Board", at=NOW)
    add_members(anna, SYSTEM, board, segments.these([2]), at=NOW)
    for as_of, expected in (
        (NOW, (True, "on the list since 22 November 2026, 13:00")),
        (NOW - timedelta(days=1), (False, "not on the list")),
    ):
        found = why(anna, SegmentRule(board), 2, as_of=as_of)
        assert (found.holds, found.value) == expected


def test_a_segment_that_is_used_often_is_explained_once(session):
    """Each of these uses the one before it twice: the first would be read 256 times."""
    add(session, [{"orders": 3}])
    twice = {n: {"all": [{"in_segment": n - 1}, {"any": [{"in_segment": n - 1}]}]} for n in range(2, 10)}
    rules = {1: {"field": "orders", "operator": "gte", "value": 1}} | twice
    known = Catalogue(segments={n: KnownSegment(str(n), rule) for n, rule in rules.items()})
    found = why(session, SegmentRule(9), 1, as_of=NOW, catalogue=known)
    first, second = found.parts[0].parts
    assert found.holds
    assert first.parts[0] is second.parts[0].parts[0]
    around = Catalogue(segments=known.segments | {1: KnownSegment("1", {"not": {"in_segment": 9}})})
    with pytest.raises(InvalidRule, match="uses itself"):
        why(session, SegmentRule(9), 1, as_of=NOW, catalogue=around)


def test_why_reads_the_facts_of_one_customer_only(anna):
    """Nothing that grows with the number of customers is read from one end to the other."""
    if anna.connection().dialect.name != "sqlite":
        return
    statements = []
    engine = anna.connection().engine
    event.listen(engine, "after_cursor_execute", lambda *a: statements.append((a[2], a[3])))
    rule = {"all": [rule for rule, _ in (SAID | OF_NOBODY).values()]}
    why(anna, parse(rule), 1, as_of=NOW - timedelta(days=3), catalogue=catalogue(anna))
    connection = anna.connection().connection.driver_connection
    plans = [
        row[3] for sql, given in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", given)
    ]
    big = ("customer", "purchase", "line", "event", "outcome", "tag", "change", "member")
    read_through = {plan for plan in plans if plan.startswith("SCAN main.") and plan.endswith(big)}
    assert len(plans) > 50
    assert read_through == set()


def test_there_is_no_why_of_somebody_who_is_gone(anna):
    for customer_id in (3, 77):
        with pytest.raises(NotFound, match="There is no customer"):
            why(anna, parse(ADULT), customer_id, as_of=NOW)
    with pytest.raises(InvalidRule):
        why(anna, parse({"in_segment": 99}), 1, as_of=NOW)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_why_agrees_with_the_list(sqlite_url, rule):
    database = connect(sqlite_url)
    with database.writing() as session:
        workspace(session)
        bulk.insert(session, Customer.__table__, people.customers().iloc[:60])
        chosen = set(segments.people(session, rule, as_of=NOW)["customer_id"])
        known = catalogue(session)
        for customer_id in range(1, 61, 3):
            found = why(session, parse(rule), customer_id, as_of=NOW, catalogue=known)
            assert found.holds is (customer_id in chosen)
    database.close()


# At a glance


def test_the_audience_lies_beside_everybody(database):
    with database.writing() as session:
        workspace(session)
        add(
            session,
            [
                {"birth_date": date(1996, 11, 22), "country": "DE", "spend_minor": 100, "engagement": 0.0},
                {"birth_date": date(1996, 11, 23), "country": "DE", "spend_minor": 900, "engagement": 19.9},
                {"birth_date": None, "age_band": "35-44", "country": "FR", "engagement": 100.0},
                {"birth_date": None, "age_band": "", "country": None, "engagement": None},
                {"birth_date": date(1950, 1, 1), "country": "a,\"'\x1fb"[:2], "deleted_at": NOW},
            ],
        )
        found = glance(session, parse({"field": "country", "operator": "eq", "value": "DE"}), as_of=NOW)
        rows = {(r.facet, r.band): (r.people, r.everybody) for r in found.itertuples() if r.everybody}
    assert rows == {
        ("age", "25-34"): (2, 2),
        ("age", "35-44"): (0, 1),
        ("age", "Unknown"): (0, 1),
        ("country", "DE"): (2, 2),
        ("country", "FR"): (0, 1),
        ("country", "Unknown"): (0, 1),
        ("value", "Nothing yet"): (0, 2),
        ("value", "up to €1"): (1, 1),
        ("value", "€1 – €9"): (1, 1),
        ("engagement", "0–19"): (2, 2),
        ("engagement", "80–100"): (0, 1),
        ("engagement", "Unknown"): (0, 1),
    }
    assert found.groupby("facet")[["people", "everybody"]].sum().to_numpy().tolist() == [[2, 4]] * 4
    assert found.groupby("facet")["share"].sum().tolist() == pytest.approx([1] * 4)


def test_many_countries_are_cut_and_bands_of_value_follow_the_data(session):
    codes = ["DE", "FR", "AT", "US", "GB", "IT", "ES", "CH"]
    add(
        session,
        [
            {"country": codes[i % 8], "spend_minor": i * i * 1000, "birth_date": date(2020, 1, 1)}
            for i in range(80)
        ],
    )
    found = glance(session, parse({"not": {"field": "country", "operator": "eq", "value": "DE"}}), as_of=NOW)
    countries = found[found["facet"] == "country"]
    assert countries["band"].tolist() == ["AT", "CH", "ES", "FR", "GB", "IT", "Other"]
    assert countries.iloc[-1][["people", "everybody"]].tolist() == [10, 20]
    assert found[found["facet"] == "age"]["band"].tolist() == ["under 18"]
    limits = value_limits(session, currency="EUR")
    assert limits == [260000, 1000000, 2300000, 4100000]
    bands = found[found["facet"] == "value"]
    assert bands["band"].tolist()[:3] == ["Nothing yet", "up to €2,600", "€2,600 – €10,000"]
    assert bands["everybody"].tolist() == [1, 16, 15, 16, 17, 15]
